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

ROLES = ("a", "b")
VFS_PER_PF = 4
MEMORY_MIB = 768
BOOT_LIMIT = 180.0
QEMU_ENTRY = "usr/bin/qemu-system-x86_64"


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
        return pid if f"pvm-lab-{self.role}".encode() in command else None

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


def qemu(rootfs: Path) -> list[str]:
    """The QEMU of the lab's root file system, run with that system's libraries.

    The machine's own may be too old to emulate the NIC, or absent."""
    libraries = ":".join(str(rootfs / p) for p in ("usr/lib/x86_64-linux-gnu", "usr/lib"))
    loader = rootfs / "usr/lib64/ld-linux-x86-64.so.2"
    if not loader.exists():
        loader = rootfs / "lib64/ld-linux-x86-64.so.2"
    return [
        str(loader),
        "--inhibit-cache",
        "--library-path",
        libraries,
        str(rootfs / QEMU_ENTRY),
        "-L",
        str(rootfs / "usr/share/seabios"),
        "-L",
        str(rootfs / "usr/share/qemu"),
    ]


def machine(host: Host, parts: Artefacts, port: int) -> list[str]:
    """The command line of one host, to be run in the run folder."""
    n = host.number
    mac = f"romfile=,mac=52:54:00:{{}}:00:0{n}"
    peer = "server=on" if host == HOST_A else "server=off,reconnect-ms=500"
    options = [
        f"-name pvm-lab-{host.role}",
        f"-uuid 00000000-0000-4000-8000-{n:012d}",
        "-accel tcg,thread=multi",
        "-cpu max,la57=off",
        "-smp 1",
        f"-m {MEMORY_MIB}",
        "-machine q35",
        "-device intel-iommu,intremap=on",
        "-nodefaults",
        "-display none",
        "-no-reboot",
        f"-serial file:{host.role}.console",
        f"-qmp unix:{host.role}.qmp,server=on,wait=off",
        f"-kernel {parts.kernel}",
        "-append console=ttyS0 root=/dev/vda rw init=/lab/init quiet loglevel=4 panic=-1"
        # On a busy machine the emulated timer is late, and the kernel takes it for broken.
        " no_timer_check"
        " intel_iommu=on tsc=reliable"
        f" lab.role={host.role} lab.number={n} lab.vfs={VFS_PER_PF}",
        # The disk starts the same every time; what is written to it is forgotten.
        f"-drive file={parts.image},format=raw,if=none,id=disk,snapshot=on",
        "-device virtio-blk-pci,drive=disk,addr=2",
        # From this machine to the host, and nothing else.
        f"-netdev user,id=control,restrict=on,hostfwd=tcp:127.0.0.1:{port}-:22",
        f"-device virtio-net-pci,netdev=control,addr=3,{mac.format('aa')}",
        # From host to host.
        f"-netdev stream,id=peer,{peer},addr.type=unix,addr.path=peer.sock",
        f"-device virtio-net-pci,id=peer-nic,netdev=peer,addr=4,{mac.format('bb')}",
        "-fsdev local,id=share,path=share,security_model=none",
        "-device virtio-9p-pci,fsdev=share,mount_tag=share,addr=5",
    ]
    for pf in (1, 2):
        options += [
            f"-device pcie-root-port,id=port{pf},chassis={pf},slot={pf},addr={7 + pf}",
            f"-netdev user,id=wire{pf},restrict=on",
            f"-device igb,bus=port{pf},netdev=wire{pf},romfile=,mac=52:54:00:cc:0{n}:0{pf}",
        ]
    options += [
        "-device pcie-root-port,id=port3,chassis=3,slot=3,addr=10",
        "-device nvme-subsys,id=nvm,nqn=lab",
        "-device nvme,bus=port3,serial=lab,subsys=nvm,sriov_max_vfs=1,max_ioqpairs=4,"
        "msix_qsize=5,sriov_vq_flexible=2,sriov_vi_flexible=1",
    ]
    return qemu(parts.rootfs) + [word for option in options for word in option.split(" ", 1)]


def free_port() -> int:
    """A TCP port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start(host: Host, parts: Artefacts) -> int:
    """Starts one host; gives the port of its secure shell."""
    port = free_port()
    environment = {
        "QEMU_MODULE_DIR": str(parts.rootfs / "usr/lib/x86_64-linux-gnu/qemu"),
        "TMPDIR": str(run_dir()),
    }
    command = {"argv": machine(host, parts, port), "env": environment}
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
    # The kernel shows a new command line a moment after the call that started it returned.
    while host.pid() is None and process.poll() is None:
        time.sleep(0.01)


def kill(host: Host) -> None:
    """Ends one host as a power cut would."""
    close_ssh(host)
    pid = host.pid()
    if pid:
        os.kill(pid, signal.SIGKILL)
        while host.pid():
            time.sleep(0.02)
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
IdentityFile {key}
IdentitiesOnly yes
UserKnownHostsFile {known}
LogLevel ERROR
ControlMaster auto
ControlPath {run_dir()}/ssh-%n
ControlPersist 600
"""
    known.write_text("".join(f"{h.name} {public}\n" for h in HOSTS))
    blocks = "".join(
        f"Host {h.name}\n  Port {p}\n  HostKeyAlias {h.name}\n"
        for h, p in zip(HOSTS, ports, strict=True)
    )
    (run_dir() / "ssh_config").write_text(blocks + "Host *\n" + text)


def up(parts: Artefacts) -> None:
    """Starts both hosts and waits until libvirt answers on each."""
    if all(host.pid() for host in HOSTS):
        if all(str(parts.image) in host.file("command").read_text() for host in HOSTS):
            return
        print("lab: the hosts are of an older build: starting them anew", flush=True)
    down()
    share = run_dir() / "share"
    share.mkdir(parents=True, exist_ok=True)
    ports = [start(host, parts) for host in HOSTS]
    write_ssh_config(ports, parts.ssh_key)
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
