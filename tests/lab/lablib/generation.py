"""The generations of Debian that the hosts can be made of, and which one this run plays on."""

import os
from dataclasses import dataclass
from pathlib import Path

from lablib.cache import LAB, LabError


@dataclass(frozen=True)
class Generation:
    """What a host is made of; libvirt, QEMU and the kernel's source come from the backports."""

    release: str
    kernel: str  # the package with the source

    def kernel_config(self) -> list[Path]:
        """What every kernel is configured with, and what only this one has."""
        return [LAB / "kernel" / f"{name}.config" for name in ("kernel", self.kernel)]


# In the order of their age.
GENERATIONS = {
    "bookworm": Generation("bookworm", "linux-source-6.12"),
    "trixie": Generation("trixie", "linux-source-7.3"),
}
NEWEST = "trixie"
MIXED = "mixed"
PAIRS = {name: (of, of) for name, of in GENERATIONS.items()} | {
    MIXED: (GENERATIONS["bookworm"], GENERATIONS["trixie"]),
}


def chosen() -> str:
    """The generation of this run: PVM_LAB_GENERATION, or the newest."""
    name = os.environ.get("PVM_LAB_GENERATION") or NEWEST
    if name not in PAIRS:
        raise LabError(f"PVM_LAB_GENERATION is {name}: {', '.join(PAIRS)} are possible")
    return name


def hosts_of(name: str) -> tuple[Generation, Generation]:
    """What host-a and host-b are made of; a pvm built on this machine runs on no older system."""
    ages = list(GENERATIONS)
    here, pair = machine_release(), PAIRS[name]
    if any(ages.index(of.release) < ages.index(here) for of in pair):
        raise LabError(
            f"this machine runs {here}: a pvm that is built here does not run on the hosts of {name}"
        )
    return pair


def machine_release() -> str:
    """This machine's release of Debian."""
    lines = Path("/etc/os-release").read_text().splitlines()
    facts = dict(line.split("=", 1) for line in lines if "=" in line)
    name = facts.get("VERSION_CODENAME", "").strip('"')
    if name not in GENERATIONS:
        raise LabError(
            f"this machine runs {name or 'an unknown system'}; the lab is built from"
            f" Debian ({', '.join(GENERATIONS)}): run it there or in a container of it"
        )
    return name
