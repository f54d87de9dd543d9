"""Where the tournament keeps things, and how it runs commands."""

import os
import re
import subprocess
import tempfile
from pathlib import Path

TESTS = Path(__file__).resolve().parent.parent.parent
TWO_HOSTS = TESTS / "two-hosts" / "two-hosts"


class TournamentError(Exception):
    """The tournament cannot go on; the message says why."""


def cache_dir() -> Path:
    """The folder of unpacked packages and of results."""
    chosen = os.environ.get("PVM_TOURNAMENT_CACHE")
    if chosen:
        return Path(chosen).absolute()
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base).absolute() / "pvm-tournament"


def work_dir() -> Path:
    """The folder of the running hosts. Its path is short, because UNIX sockets lie below it."""
    return Path(os.environ.get("PVM_TOURNAMENT_RUN", Path(tempfile.gettempdir()) / "pvm-tt"))


def clean(text: str | None) -> str:
    """`text` without anything of this machine."""
    text = (text or "").replace(str(work_dir()), "WORK").replace(str(cache_dir()), "CACHE").strip()
    return re.sub(r"\bPATH=\S+", "PATH=…", text)


def sh(argv: list[str], timeout: float = 90, stdin: str | None = None) -> tuple[int, str, str]:
    """Runs a command to its end; 124 where it did not end in time."""
    try:
        done = subprocess.run(
            argv,
            capture_output=True,
            timeout=timeout,
            input=stdin,
            text=True,
            errors="replace",
            start_new_session=True,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr
    except subprocess.TimeoutExpired as over:
        out = over.stdout or b""
        return 124, out.decode("utf-8", "replace") if isinstance(out, bytes) else out, "timeout"
