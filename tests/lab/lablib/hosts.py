"""The two hosts: emulated machines, each with an IOMMU and SR-IOV devices."""

import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from lablib.build import Artefacts
from lablib.cache import LabError, run_dir
from lablib.machine import machine

ROLES = ("a", "b")
BOOT_LIMIT = 180.0
# A socket's path has at most 107 characters, and ssh adds 28 to this folder's.
RUN_DIR_LENGTH = 79


@dataclass(frozen=True)
class Host:
    """One of the two hosts. All that is known of a running one lies in the run folder."""

    role: str

    @property
    def name(self) -> str:
        """What the hosts call each other."""
        return f"host-{self.role}"

    @property
    def number(self) -> int:
        """Last part of its address and of its UUID."""
        return ROLES.index(self.role) + 1

    def file(self, suffix: str) -> Path:
        """A file of this host in the run folder."""
        return run_dir() / f"{self.role}.{suffix}"

    def pid(self) -> int | None:
        """The process that emulates the host, when it runs."""
        try:
            pid = int(self.file("pid").read_text())
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
        except (OSError, ValueError):
            return None
        # What ties the host to this process has its words too, before it becomes the host.
        is_host = f"pvm-lab-{self.role}".encode() in command and not command.startswith(b"setpriv")
        return pid if is_host else None

    def ssh_argv(self, *command: str) -> list[str]:
        """How this machine runs a command on the host; its arguments arrive as they are."""
        return ["ssh", "-F", str(run_dir() / "ssh_config"), self.name, "--", shlex.join(command)]

    def ssh(
        self, *command: str, data: bytes | None = None, timeout: float = 120, check: bool = True
    ) -> subprocess.CompletedProcess[bytes]:
        """Runs a command on the host."""
        try:
            done = subprocess.run(
                self.ssh_argv(*command), input=data or b"", capture_output=True, timeout=timeout
            )
        except subprocess.TimeoutExpired:
            what = shlex.join(command)[:200]
            raise LabError(f"{self.name}: {what}: no end after {timeout:.0f} s") from None
        if check and done.returncode:
            said = (done.stderr or done.stdout).decode(errors="replace").strip()
            raise LabError(f"{self.name}: {shlex.join(command)[:200]}: {said}")
        return done

    def json(self, *command: str, ask: object = None, timeout: float = 120):
        """Runs one of the lab's own programs on the host: JSON in, JSON out."""
        done = self.ssh(*command, data=json.dumps(ask).encode(), timeout=timeout)
        return json.loads(done.stdout)

    def qmp(self, command: str, **arguments) -> None:
        """One command to the QEMU that emulates the host."""
        with socket.socket(socket.AF_UNIX) as link:
            link.settimeout(20)
            here = os.getcwd()
            os.chdir(run_dir())  # a socket's path is short
            try:
                link.connect(f"{self.role}.qmp")
            finally:
                os.chdir(here)
            with link.makefile("rw") as stream:
                stream.readline()
                for execute, args in (("qmp_capabilities", {}), (command, arguments)):
                    json.dump({"execute": execute, "arguments": args}, stream)
                    stream.flush()
                    while "return" not in (answer := json.loads(stream.readline())):
                        if "error" in answer:
                            raise LabError(f"{self.name}: {execute}: {answer['error']['desc']}")


HOST_A, HOST_B = (Host(role) for role in ROLES)
HOSTS = (HOST_A, HOST_B)


def free_port() -> int:
    """A TCP port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start(host: Host, parts: Artefacts, lasting: bool) -> int:
    """Starts one host; gives the port of its secure shell. One that does not outlast this
    process is ended by the kernel with it, however it ends."""
    port = free_port()
    environment = {
        "QEMU_MODULE_DIR": str(parts.rootfs / "usr/lib/x86_64-linux-gnu/qemu"),
        "TMPDIR": str(run_dir()),
    }
    tie = [] if lasting else ["setpriv", "--pdeathsig", "KILL", "--"]
    command = {"argv": tie + machine(host.role, host.number, parts, port), "env": environment}
    host.file("command").write_text(json.dumps(command))
    launch(host)
    return port


def launch(host: Host) -> None:
    """Starts one host with the command line it was given first."""
    for stale in ("console", "qmp"):
        host.file(stale).unlink(missing_ok=True)
    command = json.loads(host.file("command").read_text())
    with open(host.file("errors"), "wb") as errors:
        process = subprocess.Popen(
            command["argv"],
            cwd=run_dir(),
            env=os.environ | command["env"],
            stdin=subprocess.DEVNULL,
            stdout=errors,
            stderr=errors,
            start_new_session=True,
        )
    host.file("pid").write_text(str(process.pid))
    # While a process becomes another program, the kernel shows no command line for a moment.
    while host.pid() is None and process.poll() is None:
        time.sleep(0.01)


def kill(host: Host) -> None:
    """Ends one host as a power cut would."""
    pid = host.pid()
    if pid:
        os.kill(pid, signal.SIGKILL)
        while host.pid():
            time.sleep(0.02)
    close_ssh(host)
    host.file("pid").unlink(missing_ok=True)


def close_ssh(host: Host) -> None:
    """Ends the connection that ssh keeps open to a host."""
    if (run_dir() / f"ssh-{host.name}").exists():
        subprocess.run(
            ["ssh", "-F", run_dir() / "ssh_config", "-O", "exit", host.name],
            capture_output=True,
            check=False,
        )


def wait_ready(host: Host) -> str:
    """Waits for a host to be up; gives what it said last."""
    deadline = time.monotonic() + BOOT_LIMIT
    while time.monotonic() < deadline:
        if host.pid() is None:
            raise LabError(f"{host.name} did not start: {host.file('errors').read_text().strip()}")
        if host.file("console").exists():
            for line in host.file("console").read_text(errors="replace").splitlines():
                if line.startswith("lab: ") and line.endswith(" ready"):
                    return line.split()[1]
        time.sleep(0.1)
    raise LabError(f"{host.name} is not up after {BOOT_LIMIT:.0f} s: see {host.file('console')}")


def write_ssh_config(ports: list[int], key: Path) -> None:
    """What `ssh -F` needs to reach the hosts by name."""
    public = " ".join(key.with_suffix(".pub").read_text().split()[:2])
    known = run_dir() / "known_hosts"
    text = f"""\
User root
HostName 127.0.0.1
IdentityFile "{key}"
IdentitiesOnly yes
UserKnownHostsFile "{known}"
LogLevel ERROR
ControlMaster auto
ControlPath "{run_dir()}/ssh-%n"
ControlPersist 600
"""
    known.write_text("".join(f"{h.name} {public}\n" for h in HOSTS))
    blocks = "".join(
        f"Host {h.name}\n  Port {p}\n  HostKeyAlias {h.name}\n"
        for h, p in zip(HOSTS, ports, strict=True)
    )
    (run_dir() / "ssh_config").write_text(blocks + "Host *\n" + text)


def up(parts: tuple[Artefacts, Artefacts], lasting: bool = True) -> None:
    """Starts both hosts and waits until libvirt answers on each."""
    if len(str(run_dir())) > RUN_DIR_LENGTH:
        raise LabError(f"{run_dir()} is too long a name: PVM_LAB_RUN names another folder")
    if all(host.pid() for host in HOSTS):
        made = zip(HOSTS, parts, strict=True)
        if all(str(of.image) in host.file("command").read_text() for host, of in made):
            return
        print("lab: the hosts are of an older build: starting them anew", flush=True)
    down()
    share = run_dir() / "share"
    share.mkdir(parents=True, exist_ok=True)
    ports = [start(host, of, lasting) for host, of in zip(HOSTS, parts, strict=True)]
    write_ssh_config(ports, parts[0].ssh_key)
    for host in HOSTS:
        print(f"lab: {host.name} ready after {wait_ready(host)} s", flush=True)


def down() -> None:
    """Ends both hosts; nothing of them is kept but their consoles."""
    for host in HOSTS:
        kill(host)
    for leftover in ("peer.sock", "share"):
        path = run_dir() / leftover
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
