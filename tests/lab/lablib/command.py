"""Commands on this machine, which build something."""

import subprocess
from pathlib import Path

from lablib.cache import LabError


def run(*argv: str | Path, log: Path | None = None, **options) -> None:
    """Runs a command; its output is shown only when it fails."""
    done = subprocess.run(
        argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options
    )
    if log:
        log.write_bytes(done.stdout)
    if done.returncode:
        tail = b"\n".join(done.stdout.splitlines()[-25:]).decode(errors="replace")
        command = " ".join(str(a) for a in argv)
        raise LabError(f"failed with {done.returncode}: {command}\n{tail}")
