"""Builds what the lab consists of: kernel, driver, guest, root file system, disk image."""

import inspect
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from lablib.cache import LAB, artefact, cache_dir, content_key, locked
from lablib.command import run
from lablib.disk import BACKPORTS_PIN, HOST_PACKAGES, build_image, build_rootfs
from lablib.kernel import build_driver, build_kernel
from lablib.generation import Generation, chosen, hosts_of
from lablib.packages import install_tools


@dataclass(frozen=True)
class Artefacts:
    """Where everything that was built lies."""

    kernel: Path
    rootfs: Path
    image: Path
    ssh_key: Path
    guest: Path
    disk: Path | None = None  # one more disk, whose hosts reach what listens on this machine


def recipe(builder: Callable) -> str:
    """The builder's own text: it is an input like any other."""
    return inspect.getsource(builder)


def build_guest(out: Path) -> None:
    """The tiny guest."""
    shutil.copytree(LAB / "guest", out, dirs_exist_ok=True)
    run("make", "-C", out)


def ssh_key() -> Path:
    """The key pair of operator and hosts, made once per cache."""
    key = cache_dir() / "ssh/id_ed25519"
    with locked("ssh"):
        if not key.exists():
            key.parent.mkdir(parents=True, exist_ok=True)
            run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "pvm-lab", "-f", key)
    return key


def build() -> tuple[Artefacts, Artefacts]:
    """Builds what is missing or stale for host-a and host-b; the rest comes from the cache."""
    first, second = hosts_of(chosen())
    install_tools()
    one = build_for(first)
    return one, one if second == first else build_for(second)


def build_for(of: Generation) -> Artefacts:
    """What a host of this generation is made of."""
    name, key = of.release, ssh_key()
    keys = {
        "kernel": content_key(name, of.kernel, recipe(build_kernel), *of.kernel_config()),
        "rootfs": content_key(name, *HOST_PACKAGES, BACKPORTS_PIN, recipe(build_rootfs)),
        "guest": content_key(recipe(build_guest), LAB / "guest"),
    }
    keys["driver"] = content_key(keys["kernel"], recipe(build_driver), LAB / "driver")
    keys["image"] = content_key(*keys.values(), recipe(build_image), LAB / "host", key)

    def made(part: str, build: Callable[[Path], None]) -> Path:
        return artefact(f"{name}-{part}", keys[part], build)

    with ThreadPoolExecutor() as pool:
        rootfs = pool.submit(made, "rootfs", lambda out: build_rootfs(out, of))
        kernel = made("kernel", lambda out: build_kernel(out, of))
        parts = {"kernel": kernel, "rootfs": rootfs.result(), "ssh_key": key}
    parts["driver"] = made("driver", lambda out: build_driver(out, kernel))
    parts["guest"] = made("guest", build_guest)
    image = made("image", lambda out: build_image(out, parts))
    guest = parts["guest"] / "guest.elf"
    return Artefacts(kernel / "bzImage", parts["rootfs"] / "root", image / "disk.img", key, guest)
