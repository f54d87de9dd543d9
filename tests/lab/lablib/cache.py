"""Built artefacts, kept outside the tree and found again by the content of their inputs."""

import fcntl
import hashlib
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


class LabError(Exception):
    """The lab cannot go on; the message says why."""


LAB = Path(__file__).resolve().parent.parent
KEPT_VERSIONS = 3


def cache_dir() -> Path:
    """The folder of everything the lab builds."""
    chosen = os.environ.get("PVM_LAB_CACHE")
    if chosen:
        return Path(chosen).absolute()
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base).absolute() / "pvm-lab"


def run_dir() -> Path:
    """The folder of one pair of running hosts."""
    chosen = os.environ.get("PVM_LAB_RUN")
    return Path(chosen).absolute() if chosen else cache_dir() / "run"


def use_pair(number: int) -> None:
    """Makes this process use the n-th pair of hosts beside the chosen one, which is the 0-th."""
    if number:
        os.environ["PVM_LAB_RUN"] = f"{run_dir()}-{number + 1}"


def content_key(*inputs: str | Path) -> str:
    """A key for these texts, files, and folders of files."""
    digest = hashlib.sha256()
    for item in inputs:
        if isinstance(item, str):
            digest.update(f"text {len(item)}\0{item}".encode())
            continue
        files = sorted(p for p in item.rglob("*") if p.is_file()) if item.is_dir() else [item]
        for file in files:
            data = file.read_bytes()
            digest.update(f"file {file.name} {len(data)}\0".encode() + data)
    return digest.hexdigest()[:16]


@contextmanager
def locked(name: str) -> Iterator[None]:
    """One builder at a time per artefact, across processes."""
    cache_dir().mkdir(parents=True, exist_ok=True)
    with open(cache_dir() / f".{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def hosts_taken() -> Iterator[None]:
    """One user at a time per pair of hosts."""
    run_dir().mkdir(parents=True, exist_ok=True)
    with open(run_dir() / ".lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LabError(
                f"somebody else uses the hosts of {run_dir()}: PVM_LAB_RUN names other ones"
            ) from None
        yield


def artefact(name: str, key: str, build: Callable[[Path], None]) -> Path:
    """The folder of this artefact; built first when it is not there yet."""
    path = cache_dir() / f"{name}-{key}"
    with locked(name):
        if not path.exists():
            started = time.monotonic()
            print(f"lab: building {name}", flush=True)
            work = cache_dir() / f".{name}.tmp"
            shutil.rmtree(work, ignore_errors=True)
            work.mkdir(parents=True)
            build(work)
            work.rename(path)
            print(f"lab: built {name} in {time.monotonic() - started:.0f} s", flush=True)
        os.utime(path)
        _forget_old(name)
    return path


def _forget_old(name: str) -> None:
    versions = sorted(cache_dir().glob(f"{name}-*"), key=lambda p: p.stat().st_mtime)
    for old in versions[:-KEPT_VERSIONS]:
        shutil.rmtree(old, ignore_errors=True)
