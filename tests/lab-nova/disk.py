"""A disk with Nova for the computes inside the lab's hosts, made of the controller's own environment."""

import importlib.metadata as metadata
import inspect
import os
import re
import shutil
import sys
from pathlib import Path

from lablib.cache import artefact, content_key
from lablib.command import run
from lablib.machine import within
from packaging.requirements import Requirement

MOUNTED = "/opt/nova"
COMMANDS = ("nova-compute", "privsep-helper")
# Needed by no compute, and large.
LEFT_OUT = {"numpy", "pip", "pygments", "setuptools"}
IMAGE_BYTES = 320 << 20


def needed(version: str) -> tuple[dict[str, metadata.Distribution], list[str]]:
    """Nova and everything that it needs with this version of Python; what of it is not here."""
    found: dict[str, metadata.Distribution] = {}
    absent: list[str] = []
    left = [Requirement("nova"), Requirement("PyMySQL")]
    done = set()
    python = {"python_version": version, "python_full_version": f"{version}.0"}
    while left:
        wanted = left.pop()
        key = re.sub(r"[-_.]+", "-", wanted.name).lower()
        if key in LEFT_OUT or str(wanted) in done:
            continue
        done.add(str(wanted))
        try:
            found[key] = metadata.distribution(wanted.name)
        except metadata.PackageNotFoundError:
            absent.append(f"{wanted.name}{wanted.specifier}")
            continue
        for one in map(Requirement, found[key].requires or []):
            extras = ("", *wanted.extras)
            if not one.marker or any(one.marker.evaluate(python | {"extra": e}) for e in extras):
                left.append(one)
    return found, absent


def nova_disk(rootfs: Path) -> Path:
    """The disk for hosts with this root file system; built first when it is not there yet."""
    python = interpreter(rootfs)
    parts, absent = needed(version_of(python))
    pinned = sorted(f"{one.name}=={one.version}" for one in parts.values())
    key = content_key(*pinned, *absent, python.name, inspect.getsource(sys.modules[__name__]))
    made = artefact("nova-disk", key, lambda out: build(out, parts, absent, rootfs))
    return made / "disk.img"


def interpreter(rootfs: Path) -> Path:
    """The hosts' Python."""
    return (rootfs / "usr/bin/python3").resolve()


def version_of(python: Path) -> str:
    """Of an interpreter by its name."""
    return python.name.removeprefix("python")


def build(out: Path, parts: dict[str, metadata.Distribution], absent: list[str], rootfs: Path) -> None:
    """Copies the packages; those that are compiled, or absent, are fetched for the hosts' Python."""
    tree, python = out / "tree", interpreter(rootfs)
    site = tree / "site"
    (tree / "bin").mkdir(parents=True)
    fetched = list(absent)
    for one in parts.values():
        files = [file for file in one.files or [] if file.suffix != ".pyc"]
        if any(".cpython-" in file.name for file in files):
            fetched.append(f"{one.name}=={one.version}")
            continue
        for file in files:
            if ".." not in file.parts and not {"tests", "locale"} & set(file.parts):
                (site / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(one.locate_file(file), site / file)
    options = f"--no-deps --only-binary=:all: --no-compile --python-version {version_of(python)} --target"
    run(sys.executable, "-m", "pip", "install", "-q", *options.split(), site, *fetched)
    for name in COMMANDS:
        script = (Path(sys.executable).parent / name).read_text().split("\n", 1)[1]
        command = tree / "bin" / name
        command.write_text(f"#!/usr/bin/python3\n{script}")
        command.chmod(0o755)
    # The hosts are slow: nothing is compiled there.
    options = f"-m compileall -q -s {tree} -p {MOUNTED} --invalidation-mode unchecked-hash"
    env = os.environ | {"PYTHONHOME": str(rootfs / "usr")}
    run(*within(rootfs, python), *options.split(), site, env=env)
    image = out / "disk.img"
    image.touch()
    os.truncate(image, IMAGE_BYTES)
    options = "-q -t ext4 -O ^has_journal,^metadata_csum -m 0"
    run("mke2fs", *options.split(), "-d", tree, image)
    shutil.rmtree(tree)
