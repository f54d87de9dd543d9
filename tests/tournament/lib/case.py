"""A case: a pair of hosts, a guest, and the mutations that a seed draws for them."""

import random
from typing import NamedTuple

import lib.mutations  # noqa: F401
from lib.draw import CATALOG
from lib.guest import Guest


class Engines(NamedTuple):
    """Which libvirt and which QEMU a host runs: the machine's own ("old") or the newer ones ("new")."""

    libvirt: str
    qemu: str


class Pair(NamedTuple):
    """Two hosts."""

    name: str
    a: Engines
    b: Engines
    weight: int


OLD, NEW = Engines("old", "old"), Engines("new", "new")
PAIRS = [
    Pair("old-old", OLD, OLD, 10),
    Pair("old-new", OLD, NEW, 4),
    Pair("new-old", NEW, OLD, 4),
    Pair("new-new", NEW, NEW, 4),
    Pair("qemu-up", OLD, Engines("old", "new"), 1),
    Pair("libvirt-down", Engines("new", "old"), OLD, 2),
]

# Mutations that say something about many guests at once only when they stand alone.
NOT_IN_BATCHES = ("memory_beyond", "hotplugged_nic", "odd_name", "luks_disk")


def pair_of(seed: int) -> Pair:
    """The hosts of every case of a seed."""
    return random.Random(f"pair/{seed}").choices(PAIRS, [pair.weight for pair in PAIRS])[0]


class Case:
    """What is drawn for SEED/INDEX. With `only`, just the mutations at these positions are applied; `of`: drawn from these files."""

    def __init__(
        self,
        seed: int,
        index: int,
        work: str,
        only: set[int] | None = None,
        batch: bool = False,
        of: set[str] | None = None,
    ) -> None:
        self.seed, self.index, self.pair, self.work = seed, index, pair_of(seed), work
        self.key = f"t{seed}-{index}"
        self.name, self.uuid = self.key, f"00000000-0000-4000-8000-{seed:06d}{index:06d}"
        self.g = Guest()
        # Shell lines: before the guest starts, after it has, and when all is over.
        self.before: list[tuple[str, str]] = []
        self.after: list[tuple[str, str]] = []
        self.undos: list[tuple[str, str]] = []
        # Settings of the daemons: host, file, line, key; whose daemon starts anew; in which cgroup; under which limit.
        self.confs: list[tuple[str, str, str, str]] = []
        self.restarts: set[str] = set()
        self.enters: list[tuple[str, str, str]] = []
        self.limits: list[tuple[str, str]] = []
        # Devices of guests that run on b already.
        self.others: list[str] = []
        # What must hold on a host after a move: host, line, what is wrong otherwise, whether that is only a loss.
        self.checks: list[tuple[str, str, str, bool]] = []
        self.dirty, self.transient, self.paused, self.no_counter, self.limit = False, False, False, False, 60
        self.mutations: list[tuple[str, str]] = []
        self._draw(only, batch, of)

    def _draw(self, only: set[int] | None, batch: bool, of: set[str] | None) -> None:
        r = random.Random(f"{self.seed}/{self.index}")
        count = r.choice([0, 1, 1, 1, 2]) if batch else r.choice([1, 1, 1, 2, 2, 3])
        pool = [m for m in CATALOG if of is None or m.file in of]
        pool = [m for m in pool if not batch or (m.guest_only and m.name not in NOT_IN_BATCHES)]
        slots: set[str] = set()
        for position in range(count):
            free = [m for m in pool if m.slot not in slots]
            if not free:
                break
            drawn = r.choices(free, [m.weight for m in free])[0]
            slots.add(drawn.slot)
            if only is None or position in only:
                own = random.Random(f"{self.seed}/{self.index}/{drawn.name}")
                self.mutations.append((drawn.name, drawn.apply(own, self)))
        # On an older destination every other case would be about the machine type.
        if self.qemu_new("a") and not self.qemu_new("b") and "machine" not in slots:
            self.g.machine = {"pc": "pc-i440fx-7.2", "q35": "pc-q35-7.2"}.get(self.g.machine, self.g.machine)

    def qemu_new(self, host: str) -> bool:
        """Whether that host runs the newer QEMU."""
        return {"a": self.pair.a, "b": self.pair.b}[host].qemu == "new"

    def on(self, hosts: str, line: str) -> None:
        """Runs a line before the guest starts."""
        self.before += [(host, line) for host in hosts]

    def then(self, hosts: str, line: str) -> None:
        """Runs a line once the guest runs."""
        self.after += [(host, line) for host in hosts]

    def undo(self, hosts: str, line: str) -> None:
        """Runs a line when the case is over."""
        self.undos += [(host, line) for host in hosts]

    def conf(self, hosts: str, line: str, replace: str | None = None, file: str = "qemu.conf") -> None:
        """Sets a line of a daemon's configuration; the daemon starts anew."""
        for host in hosts:
            self.confs.append((host, file, line, replace or line.split(" ")[0]))
            self.restarts.add(host)
        self.dirty = True

    def restart(self, hosts: str) -> None:
        """Has a daemon start anew."""
        self.restarts.update(hosts)

    def enter(self, host: str, make: str, procs: str) -> None:
        """Puts a daemon into a cgroup of its own, which `make` makes."""
        self.enters.append((host, make, procs))

    def prlimit(self, host: str, flag: str) -> None:
        """Limits a resource of a daemon."""
        self.limits.append((host, flag))

    def other_guest(self, devices: str) -> None:
        """Has another guest with these devices run on b."""
        self.others.append(devices)
        self.dirty = True

    def verify(self, host: str, line: str, why: str, soft: bool = False) -> None:
        """Looks at something after a move; `soft`: a failure is a loss, not a broken guest."""
        self.checks.append((host, line, why, soft))

    def file(self, r: random.Random, path: str, mib: int) -> str:
        """A file of the guest on a, and what b has by that name."""
        how = r.choice(["same content", "missing", "missing", "other content", "folder missing", "smaller"])
        top = path.rsplit("/", 1)[0]
        make = f"mkdir -p {top}; truncate -s {mib}M {path}; printf MARK-A | dd of={path} conv=notrunc status=none"
        self.on("a", make)
        if how == "same content":
            self.on("b", make)
        elif how in ("other content", "smaller"):
            self.on("b", f"mkdir -p {top}; truncate -s {mib * (1 if how[0] == 'o' else 0.5) * 1024:.0f}K {path}")
        else:
            self.on("b", f"rm -f {path}" + (f"; mkdir -p {top}" if how == "missing" else f"; rmdir {top}; true"))
        return how

    def filled(self, line: str) -> str:
        """A shell line with the case's names in it."""
        for word, value in (("WORK", self.work), ("NAME", self.key), ("@NUP", self.name.upper()), ("@N", self.name)):
            line = line.replace(word, value)
        return line.replace("@U", self.uuid)
