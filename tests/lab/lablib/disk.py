"""The hosts' disk: Debian with libvirt and QEMU, and our parts put in."""

import os
import shutil
from pathlib import Path

from lablib.cache import LAB
from lablib.command import run
from lablib.generation import Generation
from lablib.packages import proxy_options, sources

HOST_PACKAGES = [
    "iproute2",
    "kmod",
    "libvirt-clients",
    "libvirt-daemon",
    "libvirt-daemon-driver-nodedev",
    "libvirt-daemon-driver-qemu",
    "libvirt-daemon-lock",
    "libvirt-daemon-log",
    "openssh-client",
    "openssh-server",
    "pciutils",
    "python3",
    "python3-libvirt",
    "qemu-system-x86",
    "qemu-utils",
    "udev",
]

IMAGE_BYTES = 1 << 30

BACKPORTS_PIN = """\
Package: qemu* libvirt* seabios ipxe-qemu
Pin: release n={release}-backports
Pin-Priority: 600

Package: *
Pin: release n={release}-backports
Pin-Priority: 100
"""


def build_rootfs(out: Path, of: Generation) -> None:
    """Debian with libvirt, QEMU and a secure shell, unpacked."""
    name = of.release
    scratch = out / "scratch"
    scratch.mkdir()
    # mmdebstrap mounts /proc and /dev in there: when it is killed they go with its namespace.
    command = ["nice", "unshare", "--mount", "mmdebstrap", "--variant=minbase"]
    command += [f"--include={','.join(HOST_PACKAGES)}"]
    command += [f"--aptopt={o}" for o in ['APT::Install-Recommends "false"', *proxy_options()]]
    command += [
        f"--dpkgopt=path-exclude=/usr/share/{p}/*" for p in ("man", "doc", "locale", "info")
    ]
    pin = scratch / "pin"
    pin.write_text(BACKPORTS_PIN.format(release=name))
    command += [
        '--setup-hook=mkdir -p "$1/etc/apt/preferences.d"',
        f'--setup-hook=cp "{pin}" "$1/etc/apt/preferences.d/backports"',
    ]
    command += [name, str(out / "root"), *sources(of).splitlines()]
    run(*command, log=out / "build.log")
    shutil.rmtree(scratch)
    for junk in ("var/cache/apt", "var/lib/apt/lists", "usr/share/qemu-efi-aarch64"):
        shutil.rmtree(out / "root" / junk, ignore_errors=True)


def build_image(out: Path, parts: dict[str, Path]) -> None:
    """The disk both hosts start from: the root file system with our parts put in."""
    root = out / "root"
    run("cp", "-a", "--reflink=auto", parts["rootfs"] / "root", root)
    shutil.copytree(
        parts["kernel"] / "lib/modules", root / "lib/modules", symlinks=True, dirs_exist_ok=True
    )
    version = next((root / "lib/modules").iterdir())
    (version / "updates").mkdir()
    shutil.copy(parts["driver"] / "igbvf_vfio_pci.ko", version / "updates")
    run("depmod", "-b", root, version.name)

    (root / "lab").mkdir()
    shutil.copy(parts["guest"] / "guest.elf", root / "lab")
    for file in ("init", "prepare", "observe", "force", "capture", "strike"):
        shutil.copy(LAB / "host" / file, root / "lab")
    for file in ("libvirtd.conf", "qemu.conf"):
        shutil.copy(LAB / "host" / file, root / "etc/libvirt")

    key = parts["ssh_key"]
    shutil.copy(LAB / "host/sshd_config", root / "etc/ssh/sshd_config")
    for suffix in ("", ".pub"):
        shutil.copy(f"{key}{suffix}", root / f"etc/ssh/ssh_host_ed25519_key{suffix}")
    home = root / "root/.ssh"
    home.mkdir(mode=0o700, exist_ok=True)
    shutil.copy(key, home)
    public = " ".join(key.with_suffix(".pub").read_text().split()[:2])
    (home / "authorized_keys").write_text(f"{public}\n")
    (home / "known_hosts").write_text(f"host-a,host-b {public}\n")

    image = out / "disk.img"
    image.touch()
    os.truncate(image, IMAGE_BYTES)
    options = "-q -t ext4 -O ^has_journal,^metadata_csum -m 0 -E lazy_itable_init=1,nodiscard"
    run("mke2fs", *options.split(), "-d", root, image)
    shutil.rmtree(root)
