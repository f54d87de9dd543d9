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
from lablib.kernel import KERNEL_PACKAGE, build_driver, build_kernel
from lablib.packages import install_tools, release


@dataclass(frozen=True)
class Artefacts:
    """Where everything that was built lies."""

    kernel: Path
    rootfs: Path
    image: Path
    ssh_key: Path


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


def build() -> Artefacts:
    """Builds what is missing or stale; everything else is taken from the cache."""
    install_tools()
    name = release()
    key = ssh_key()
    keys = {
        "kernel": content_key(name, KERNEL_PACKAGE, recipe(build_kernel), LAB / "kernel"),
        "rootfs": content_key(name, *HOST_PACKAGES, BACKPORTS_PIN, recipe(build_rootfs)),
        "guest": content_key(name, recipe(build_guest), LAB / "guest"),
    }
    keys["driver"] = content_key(keys["kernel"], recipe(build_driver), LAB / "driver")
    keys["image"] = content_key(*keys.values(), recipe(build_image), LAB / "host", key)

    with ThreadPoolExecutor() as pool:
        rootfs = pool.submit(artefact, "rootfs", keys["rootfs"], build_rootfs)
        kernel = artefact("kernel", keys["kernel"], build_kernel)
        parts = {"kernel": kernel, "rootfs": rootfs.result(), "ssh_key": key}
    parts["driver"] = artefact("driver", keys["driver"], lambda out: build_driver(out, kernel))
    parts["guest"] = artefact("guest", keys["guest"], build_guest)
    image = artefact("image", keys["image"], lambda out: build_image(out, parts))
    return Artefacts(kernel / "bzImage", parts["rootfs"] / "root", image / "disk.img", key)
