"""The stage of one scenario: both hosts prepared, pvm at hand, and what was seen."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TypeVar

from lablib.cache import LabError
from lablib.guest import Guest, full
from lablib.hosts import HOST_A, HOST_B, HOSTS, ROLES, Host
from lablib.scenario import Scenario, Setup
from lablib.verdict import Before, Happened, before, happened, misbound

T = TypeVar("T")
GUEST_START_LIMIT = 60.0
MIGRATION_LIMIT = 120


def both(work: Callable[[Host], T]) -> dict[str, T]:
    """The same work on both hosts at once."""
    with ThreadPoolExecutor(len(HOSTS)) as pool:
        return dict(zip(ROLES, pool.map(work, HOSTS), strict=True))


def observe() -> dict[str, dict]:
    """What is true on both hosts now."""
    return both(lambda host: host.json("/lab/observe"))


def start(guest: Guest, host: Host) -> None:
    """Starts another guest on a host."""
    host.ssh("tee", f"/tmp/{guest.name}.xml", data=guest.xml().encode())
    host.ssh("virsh", "create", f"/tmp/{guest.name}.xml")


class Stage:
    """One scenario while it plays."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.was: dict[str, Before] = {}
        self.home = "a"  # where the guest was before the move that is judged
        self.notes: list[str] = []

    def prepare(self) -> None:
        """Brings both hosts into the state the scenario starts from."""
        scenario = self.scenario
        source = Setup(
            **vars(scenario.source) | {"guests": (scenario.guest, *scenario.source.guests)}
        )
        setups = {"a": source, "b": scenario.destination}
        both(lambda host: host.json("/lab/prepare", ask=setups[host.role].request()))
        self.remember(scenario.guest, HOST_A)

    def remember(self, guest: Guest, host: Host) -> None:
        """Waits for the guest to be in order and keeps how it is."""
        deadline = time.monotonic() + GUEST_START_LIMIT
        want = {vf.slot for vf in guest.vfs}
        while True:
            facts = observe()
            found = facts[host.role]["guests"].get(guest.name)
            if found and found["ticking"] and {int(s) for s in found["report"]["vfs"]} == want:
                self.was[guest.name] = before(guest.name, host.role, facts)
                return
            if time.monotonic() > deadline:
                raise LabError(f"{guest.name} does not come up on {host.name}: {found}")

    def note(self, text: str) -> None:
        """Keeps what somebody said, for whoever reads the row."""
        self.notes += text.splitlines()[-6:]

    def force(self, moves: dict[int, str] | None = None) -> Happened:
        """The migration with nothing but libvirt."""
        moves = moves or self.scenario.moves
        ask = {
            "guest": self.scenario.guest.name,
            "to": f"qemu+tcp://{HOST_B.name}/system",
            "moves": {slot: full(address) for slot, address in moves.items()},
            "managed": self.scenario.forced_managed,
            "limit": MIGRATION_LIMIT,
        }
        answer = HOST_A.json("/lab/force", ask=ask, timeout=MIGRATION_LIMIT + 90)
        if answer["error"]:
            self.notes.append(f"libvirt: {answer['error']}")
        seen = self.happened()
        if answer["hung"]:
            seen.word = f"hung, {seen.word}"
        return seen

    def happened(self, moves: dict[int, str] | None = None, touched: bool = True) -> Happened:
        """What has become of the scenario's guest and of the hosts' devices, which are bound
        as before where nobody has touched the guest."""
        scenario = self.scenario
        ports = {vf.slot for vf in scenario.guest.vfs if vf.port}
        was = replace(self.was[scenario.guest.name], host=self.home)
        facts = observe()
        wanted, marked = moves or scenario.moves, scenario.marked
        seen = happened(scenario.guest.name, was, facts, wanted, ports, marked)
        for role in ROLES:
            changes = scenario.rebound.get(role, {}) if touched else {}
            drivers = was.drivers[role] | {full(a): driver for a, driver in changes.items()}
            seen.problems += misbound(role, drivers, facts[role]["vfs"])
        return seen
