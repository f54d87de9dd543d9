"""What happened to a guest, told from both hosts and from the guest itself, never from pvm."""

from dataclasses import dataclass, field
from typing import TypeVar

from lablib.guest import full

T = TypeVar("T")


@dataclass(frozen=True)
class Before:
    """A guest as it was before anything was done to it."""

    host: str  # role of the host it ran on
    nonce: str
    persistent: bool
    written: dict[int, str]  # guest slot -> what the guest wrote into that VF
    devices: dict[int, str]  # guest slot -> address on the host
    drivers: dict[str, dict[str, str | None]]  # role -> address -> driver


@dataclass
class Happened:
    """A few words for what happened, why these, and what must not be whatever they are."""

    word: str
    notes: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def by_slot(found: dict[str, T]) -> dict[int, T]:
    """JSON has no numbers as keys."""
    return {int(slot): value for slot, value in found.items()}


def before(name: str, role: str, facts: dict[str, dict]) -> Before:
    """The guest's state at the start; it has to be in order."""
    guest = facts[role]["guests"][name]
    report = guest["report"]
    written = {s: vf["written"] for s, vf in by_slot(report["vfs"]).items()}
    bad = [s for s, vf in by_slot(report["vfs"]).items() if vf["read"] != vf["written"]]
    if not guest["ticking"] or bad or report["memory"] != "ok":
        raise AssertionError(f"the guest is not in order before the migration: {guest}")
    return Before(
        role,
        report["nonce"],
        guest["persistent"],
        written,
        by_slot(guest["devices"]),
        {r: f["vfs"] for r, f in facts.items()},
    )


def happened(
    name: str,
    was: Before,
    facts: dict[str, dict],
    moves: dict[int, str],
    ports: set[int],
    marked: bool,
) -> Happened:
    """Compares the guest with what it was, and its devices with where they should be."""
    found = {role: f["guests"].get(name) for role, f in facts.items()}
    running = [role for role, g in found.items() if g and g["state"] == "running"]
    if len(running) > 1:
        return Happened("split", ["it runs on both hosts"])
    if not running:
        states = {role: g["state"] for role, g in found.items() if g}
        return Happened("paused" if "paused" in states.values() else "nowhere", [str(states)])

    role = running[0]
    guest = found[role]
    moved = role != was.host
    result = Happened("moved" if moved else "stayed")
    note = result.notes.append
    if not guest["ticking"] or guest["qemu"] != "running":
        result.word += ", dead"
        note(f"no sign of life from it; QEMU says {guest['qemu']}")
        return result

    report = guest["report"]
    if report["nonce"] != was.nonce or report["memory"] != "ok":
        result.word += ", memory lost"
        note(f"nonce {was.nonce} -> {report['nonce']}, memory {report['memory']}")
    kept = by_slot(report["vfs"])
    lost = [
        slot
        for slot, value in was.written.items()
        if slot not in ports and (slot not in kept or kept[slot]["read"] != value)
    ]
    dark = [s for s in ports if s not in kept or kept[s]["read"] != kept[s]["written"]]
    if lost:
        result.word += ", state lost"
        note(f"VF in slot {lost} does not hold what the guest wrote")
    if dark:
        result.word += ", port missing"
        note(f"port in slot {dark} does not work")

    wanted = {s: full(a) for s, a in moves.items()} if moved and moves else None
    if not moved:
        wanted = was.devices
    devices = by_slot(guest["devices"])
    if wanted is not None and devices != wanted and not dark:
        result.word += ", other devices"
        note(f"devices {devices}, not {wanted}")
    result.problems += leftovers(was, found, role, devices, marked)
    return result


def leftovers(
    was: Before, found: dict[str, dict | None], role: str, devices: dict[int, str], marked: bool
) -> list[str]:
    """What must not be, wherever the guest runs now."""
    guest = found[role] or {}
    problems = []
    if guest["persistent"] != was.persistent:
        problems.append(f"persistent: {was.persistent} -> {guest['persistent']}")
    if was.persistent and by_slot(guest["config_devices"]) != devices:
        problems.append(f"its next start would use {guest['config_devices']}")
    if guest["marked"] != marked:
        problems.append(f"marked as being migrated by pvm: {guest['marked']}, not {marked}")
    other = found["a" if role == "b" else "b"]
    if other is not None:
        problems.append(f"the other host still has it, {other['state']}")
    return problems


def misbound(
    role: str,
    wanted: dict[str, str | tuple[str | None, ...] | None],
    found: dict[str, str | None],
) -> list[str]:
    """VFs of a host that are not bound as they should be, or to none of several drivers."""
    return [
        f"{address} of host-{role} is bound to {found.get(address)}, not to {driver}"
        for address, driver in wanted.items()
        if found.get(address) not in (driver if isinstance(driver, tuple) else (driver,))
    ]
