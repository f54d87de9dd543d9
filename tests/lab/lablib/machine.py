"""The command line of an emulated machine, with an IOMMU and SR-IOV devices."""

from pathlib import Path

from lablib.build import Artefacts

VFS_PER_PF = 4
MEMORY_MIB = 768
MEMORY_WITH_DISK_MIB = 1024
QEMU_ENTRY = "usr/bin/qemu-system-x86_64"


def within(rootfs: Path, program: Path) -> list[str]:
    """A program of the lab's root file system, run with that system's libraries."""
    libraries = ":".join(str(rootfs / p) for p in ("usr/lib/x86_64-linux-gnu", "usr/lib"))
    loader = rootfs / "usr/lib64/ld-linux-x86-64.so.2"
    if not loader.exists():
        loader = rootfs / "lib64/ld-linux-x86-64.so.2"
    return [
        str(loader),
        "--inhibit-cache",
        "--library-path",
        libraries,
        str(program),
    ]


def qemu(rootfs: Path) -> list[str]:
    """The QEMU of the lab's root file system: the machine's own may be too old to emulate the
    NIC, or absent."""
    return [
        *within(rootfs, rootfs / QEMU_ENTRY),
        "-L",
        str(rootfs / "usr/share/seabios"),
        "-L",
        str(rootfs / "usr/share/qemu"),
    ]


def machine(role: str, n: int, parts: Artefacts, port: int) -> list[str]:
    """The command line of the n-th host, to be run in the run folder; `port` of this machine
    leads to its secure shell. The first one listens for the other."""
    mac = f"romfile=,mac=52:54:00:{{}}:00:0{n}"
    memory, control = MEMORY_MIB, "restrict=on,"
    if parts.disk:
        memory, control = MEMORY_WITH_DISK_MIB, ""
    peer = "server=on" if n == 1 else "server=off,reconnect-ms=500"
    options = [
        f"-name pvm-lab-{role}",
        f"-uuid 00000000-0000-4000-8000-{n:012d}",
        "-accel tcg,thread=multi",
        "-cpu max,la57=off",
        "-smp 1",
        f"-m {memory}",
        "-machine q35",
        "-device intel-iommu,intremap=on",
        "-nodefaults",
        "-display none",
        "-no-reboot",
        f"-serial file:{role}.console",
        f"-qmp unix:{role}.qmp,server=on,wait=off",
        f"-kernel {parts.kernel}",
        "-append console=ttyS0 root=/dev/vda rw init=/lab/init quiet loglevel=4 panic=-1"
        # On a busy machine the emulated timer is late, and the kernel takes it for broken.
        " no_timer_check"
        " intel_iommu=on tsc=reliable"
        f" lab.role={role} lab.number={n} lab.vfs={VFS_PER_PF}",
        # The disk starts the same every time; what is written to it is forgotten.
        f"-drive file={parts.image},format=raw,if=none,id=disk,snapshot=on",
        "-device virtio-blk-pci,drive=disk,addr=2",
        # From this machine to the host, and nothing else, unless the host needs something of this machine.
        f"-netdev user,id=control,{control}hostfwd=tcp:127.0.0.1:{port}-:22",
        f"-device virtio-net-pci,netdev=control,addr=3,{mac.format('aa')}",
        # From host to host.
        f"-netdev stream,id=peer,{peer},addr.type=unix,addr.path=peer.sock",
        f"-device virtio-net-pci,id=peer-nic,netdev=peer,addr=4,{mac.format('bb')}",
        "-fsdev local,id=share,path=share,security_model=none",
        "-device virtio-9p-pci,fsdev=share,mount_tag=share,addr=5",
    ]
    if parts.disk:
        options += [
            f"-drive file={parts.disk},format=raw,if=none,id=more,readonly=on",
            "-device virtio-blk-pci,drive=more,addr=6",
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
