"""pvm on a host: put there, asked, and understood."""

import json
import shutil
import subprocess
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from lablib.cache import LabError, run_dir
from lablib.hosts import HOST_A, HOST_B, HOSTS, Host

INSTALLED = "/usr/local/bin/pvm"
LIMIT = 150

# What `pvm migrate` says with its exit code, where the device state does not matter.
EXIT_WORDS = {
    1: "refused",
    2: "wrong usage",
    3: "unknown",
    4: "undone",
    5: "left open",
    6: "undecided",
    130: "interrupted",
    137: "killed",
}


@dataclass
class Said:
    """What pvm said in the end, in the lab's words."""

    word: str
    exit_code: int
    events: list[dict] = field(default_factory=list)
    stderr: str = ""


def install(binary: Path) -> None:
    """Puts pvm on both hosts, through the folder they share with this machine."""
    if not binary.exists():
        raise LabError(f"there is no {binary}: cargo build --release")
    shared = run_dir() / "share/pvm"
    shutil.copy(binary, shared)
    subprocess.run(["strip", shared], check=False)
    for host in HOSTS:
        host.ssh("cp", "/mnt/share/pvm", INSTALLED)
        host.ssh("pvm", "--version")


def document(host: Host, *arguments: str) -> dict:
    """The JSON document that a pvm command prints."""
    done = host.ssh("pvm", *arguments, "-o", "json", check=False, timeout=LIMIT)
    try:
        return json.loads(done.stdout)
    except json.JSONDecodeError:
        text = done.stderr.decode(errors="replace").strip()
        raise LabError(f"pvm {' '.join(arguments)}: {done.returncode}: {text}") from None


def preflight(guest: str, source: Host = HOST_A, destination: Host = HOST_B) -> dict:
    """The report for one guest, asked on the source."""
    return document(source, "preflight", "local", destination.name, "--instance", guest)


def rehearse(guest: str) -> str:
    """What the report of a rehearsal says of it."""
    asked = ("preflight", "local", HOST_B.name, "--instance", guest, "--rehearse", "--yes")
    checks = document(HOST_A, *asked)["instances"][0]["checks"]
    return next((c["message"] for c in checks if c["code"] == "rehearsal"), "not made")


AGAINST = ("error", "warning", "unknown")


def named_codes(report: dict, results: tuple[str, ...] = AGAINST) -> set[str]:
    """Codes of the checks with one of these results."""
    checks = list(report.get("checks", []))
    for instance in report.get("instances", []):
        checks += instance.get("checks", [])
    return {c["code"] for c in checks if c["result"] in results}


def planned(report: dict, guest: str) -> dict[str, str]:
    """Source address -> destination address, as preflight plans it."""
    for instance in report.get("instances", []):
        if instance["name"] == guest:
            return {m["source"]: m["destination"] for m in instance["map"]}
    return {}


def understood(source: Host, exit_code: int, stdout: bytes, stderr: bytes) -> Said:
    """What `pvm migrate -o ndjson` said."""
    events = [json.loads(line) for line in stdout.splitlines() if line.strip()]
    text = stderr.decode(errors="replace").strip()
    said = Said(EXIT_WORDS.get(exit_code, f"exit code {exit_code}"), exit_code, events, text)
    result = events[-1] if events and events[-1].get("event") == "result" else {}
    if result and result.get("exit_code") != exit_code:
        said.word = f"exit code {exit_code}, but {result.get('exit_code')} in the result"
    elif exit_code in (0, 5):
        place = "stayed" if result.get("runs_on") == source.name else "moved"
        said.word = f"{place}, {result.get('device_state') or 'not looked at'}"
    return said


def command(guest: str, destination: str, options: tuple[str, ...]) -> list[str]:
    """The command line of one migration."""
    return ["pvm", "migrate", guest, destination, "--yes", "-o", "ndjson", *options]


def migrate(guest: str, *options: str, source: Host = HOST_A, destination: Host = HOST_B) -> Said:
    """One migration, to its end, ordered on the source."""
    argv = command(guest, destination.name, options)
    done = source.ssh(*argv, check=False, timeout=LIMIT)
    return understood(source, done.returncode, done.stdout, done.stderr)


def migrate_struck(guest: str, at: str, delay: int, *options: str) -> Said:
    """One migration in which pvm is killed, on its host, so many seconds after an event such
    as `phase=perform`."""
    argv = ["/lab/strike", at, str(delay), *command(guest, HOST_B.name, options)]
    done = HOST_A.ssh(*argv, check=False, timeout=LIMIT)
    if b"strike: no event" in done.stderr:
        raise LabError(done.stderr.decode(errors="replace").strip().splitlines()[-1])
    return understood(HOST_A, done.returncode, done.stdout, done.stderr)


Process = subprocess.Popen[bytes]
Strike = tuple[str, Callable[[Process], None]]


def followed(argv: list[str], strikes: list[Strike]) -> Said:
    """A migration's events, with something done at the first of each of these, in this order."""
    process = subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout and process.stderr
    stdout, left = b"", list(strikes)
    watchdog = threading.Timer(LIMIT, process.kill)
    watchdog.start()
    try:
        for line in process.stdout:
            stdout += line
            if left:
                key, value = left[0][0].split("=")
                if json.loads(line).get(key) == value:
                    left.pop(0)[1](process)
        stderr, code = process.stderr.read(), process.wait()
    finally:
        watchdog.cancel()
        process.kill()
    if left:
        raise LabError(f"no event had {left[0][0]}: {stderr.decode(errors='replace').strip()}")
    return understood(HOST_A, code, stdout, stderr)


def migrate_watched(
    guest: str,
    at: str,
    strike: Callable[[], None],
    *options: str,
    on: Host = HOST_A,
) -> Said:
    """One migration in which, at an event, something is done from outside the hosts."""
    argv = on.ssh_argv(*command(guest, HOST_B.name, options))
    return followed(argv, [(at, lambda _: strike())])


def migrate_held(
    guest: str, at: str, meanwhile: Callable[[], None], *options: str, then: tuple[Strike, ...] = ()
) -> Said:
    """One migration in which pvm stands still at an event while something is done."""

    def go_on(process: Process) -> None:
        meanwhile()
        assert process.stdin
        process.stdin.write(b"\n")
        process.stdin.flush()

    argv = HOST_A.ssh_argv("/lab/strike", at, "hold", *command(guest, HOST_B.name, options))
    return followed(argv, [("event=held", go_on), *then])


def recover(on: Host = HOST_A, *options: str) -> Said:
    """Lets pvm finish or undo what it can without being told more."""
    done = on.ssh("pvm", "recover", "--auto", *options, check=False, timeout=LIMIT)
    word = "recovered" if done.returncode == 0 else f"recover: {EXIT_WORDS.get(done.returncode)}"
    # What it says of each row of the table is its result.
    text = (done.stdout + done.stderr).decode(errors="replace").strip()
    return Said(word, done.returncode, stderr=text)
