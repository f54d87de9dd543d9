"""What a scenario declares. One file in `scenarios/` holds one, as `SCENARIO`."""

import importlib.util
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from lablib.cache import LAB
from lablib.generation import NEWEST, chosen
from lablib.guest import Guest, full

if TYPE_CHECKING:
    from lablib.runner import Row
    from lablib.stage import Stage

VARIANT = "igbvf_vfio_pci"
PLAIN = "vfio-pci"
NETDEV = "igbvf"
ALL_VFS = [f"{bus}:10.{function}" for bus in ("01", "02") for function in (0, 2, 4, 6)]
OTHER_DEVICE = "03:00.1"  # VF of an NVMe controller, on the variant driver all the same
DEFAULT_DRIVER = {
    "precopy": True,
    "p2p": True,
    "dirty_log": True,
    "ballast_kib": 256,
    "reinit": False,
    "slow_ms": 0,
    "fault": "none",
    "fault_device": "",
}
MIGRATABLE = {"vendor_id": "8086", "product_id": "10ca", "live_migratable": "yes"}


PORT = {"vendor_id": "8086", "product_id": "10ca", "physical_network": "physnet1"}


def nova_conf(*specs: dict[str, str], alias: dict[str, str] | None = None) -> str:
    """The [pci] section of a nova.conf with these device_specs."""
    chosen = {"name": "vf", "device_type": "type-VF", **MIGRATABLE} | (alias or {})
    lines = [f"device_spec = {json.dumps(spec)}" for spec in specs or (MIGRATABLE,)]
    return "\n".join(["[pci]", *lines, f"alias = {json.dumps(chosen)}", ""])


def only(*addresses: str, **tags: str) -> str:
    """A nova.conf that offers these VFs and no other."""
    return nova_conf(*(MIGRATABLE | tags | {"address": full(a)} for a in addresses))


@dataclass(frozen=True)
class Setup:
    """How a host is prepared, where it differs from the usual."""

    vfs: dict[str, str | None] = field(default_factory=dict)  # address -> driver
    driver: dict[str, object] = field(default_factory=dict)  # parameters of the variant driver
    nova: str | None = field(default_factory=nova_conf)
    debugfs: bool = True
    pvm: bool = True  # whether pvm is installed
    guests: tuple[Guest, ...] = ()

    def request(self) -> dict[str, object]:
        """What `/lab/prepare` reads."""
        vfs: dict[str, str | None] = {full(a): VARIANT for a in [*ALL_VFS, OTHER_DEVICE]}
        vfs |= {full(a): driver for a, driver in self.vfs.items()}
        return {
            "driver": DEFAULT_DRIVER | self.driver,
            "vfs": vfs,
            "files": {"/etc/nova/nova.conf": self.nova},
            "debugfs": self.debugfs,
            "pvm": self.pvm,
            "guests": [
                {"xml": g.xml(), "persistent": g.persistent, "started": g.started}
                for g in self.guests
            ],
        }


# What pvm may say in the end, by the exit code of `pvm migrate` and what it says of the
# device state. See `lablib.pvm`.
MOVED = "moved, verified"
REFUSED = "refused"
UNDONE = "undone"

LEFT_ALONE = (REFUSED, "unknown")  # the guest was not touched

# What may be said, by what preflight predicted: no row may excuse a wrong prediction.
COHERENT = {
    "-": ("-",),  # nothing to predict
    "compatible": ("moved", "stayed", "undone", "interrupted", "undecided"),
    "warnings": ("moved", "stayed", "undone", "interrupted", "undecided"),
    "incompatible": ("refused",),
    "unknown": ("unknown", "moved"),
}


@dataclass(frozen=True)
class Scenario:
    """What is set up, what preflight must predict, and what must happen.

    `moves` says for each guest slot on which VF of the destination it must end. `codes`
    are the checks that preflight must name. Where preflight refuses, the migration is made
    with libvirt alone, past pvm's refusal: `happen` is what comes of that, and so it is
    where pvm says that it does not know, which it may only say when a fact is `withheld`.
    A scenario that is not one migration of one guest from a to b gives its own `play`.
    What is otherwise on a generation of hosts is in `on`; `needs` are the generations that have
    what it plays with, all of them when it is empty."""

    guest: Guest
    predict: str  # verdict of preflight
    happen: str  # see lablib.verdict
    say: str = ""  # what pvm migrate must say in the end
    moves: dict[int, str] = field(default_factory=dict)
    codes: tuple[str, ...] = ()
    marked: bool = False  # the guest keeps pvm's mark, because its record stays open
    withheld: str = ""  # the fact that pvm cannot have
    # role -> address -> driver in the end (or one of these), where libvirt rebinds managed VFs
    rebound: dict[str, dict[str, str | tuple[str | None, ...]]] = field(default_factory=dict)
    source: Setup = Setup()
    destination: Setup = Setup()
    options: tuple[str, ...] = ()  # of pvm migrate
    forced: bool = True  # False: libvirt alone is not tried
    forced_managed: str | None = None  # `managed` on the destination, when it is
    rehearsed: bool = False  # rehearsed before it is played, which must leave everything as it was
    core: bool = False
    waits: bool = False  # mostly for a peer that is dead
    needs: tuple[str, ...] = ()
    on: dict[str, dict[str, object]] = field(default_factory=dict)
    play: "Callable[[Stage, Row], None] | None" = None
    name: str = ""
    title: str = ""

    def __post_init__(self) -> None:
        if not self.say:
            say = {"incompatible": REFUSED, "unknown": "unknown", "-": "-"}
            say = say.get(self.predict, MOVED)
            object.__setattr__(self, "say", say)
        if not self.say.startswith(COHERENT[self.predict]):
            raise ValueError(f"{self.predict} and then {self.say} is a wrong prediction")
        if (self.predict == "unknown") != bool(self.withheld):
            raise ValueError("unknown agrees only where a fact is withheld, and there it must be")
        if self.predict == "incompatible" and self.happen == "moved":
            raise ValueError("incompatible, and yet it moves: a wrong prediction")

    def playable(self) -> bool:
        """Whether the hosts of this run have what it needs."""
        return not self.needs or chosen() in self.needs

    def here(self) -> "Scenario":
        """As it is on the hosts of this run."""
        differs = self.on.get(chosen(), {})
        return replace(self, **{"say": ""} | differs) if differs else self


# What only the newest hosts have.
NEW = (NEWEST,)


def load(path: Path) -> list[Scenario]:
    """The scenarios of one file: `SCENARIO`, or `SCENARIOS` by what follows the file's name."""
    spec = importlib.util.spec_from_file_location(f"scenario_{path.stem}", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    title = (module.__doc__ or "").strip().splitlines()[0].rstrip(".")
    stem = path.stem.replace("_", "-")
    several = getattr(module, "SCENARIOS", None)
    found = {"": module.SCENARIO} if several is None else several
    found = {suffix: scenario.here() for suffix, scenario in found.items()}
    for suffix, scenario in found.items():
        object.__setattr__(scenario, "name", f"{stem}-{suffix}" if suffix else stem)
        object.__setattr__(scenario, "title", f"{title} ({suffix})" if suffix else title)
    return list(found.values())


def load_all() -> list[Scenario]:
    """Every scenario, in the order of the file names."""
    return [s for path in sorted((LAB / "scenarios").glob("*.py")) for s in load(path)]
