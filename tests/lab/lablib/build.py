"""Builds what the lab consists of: kernel, driver, guest, root file system, disk image."""

import inspect
import os
import shutil
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from lablib.cache import LAB, LabError, artefact, cache_dir, content_key, locked

# Command on this machine -> Debian package that has it.
TOOLS = {
    "bc": "bc",
    "bison": "bison",
    "depmod": "kmod",
    "flex": "flex",
    "gcc": "gcc",
    "make": "make",
    "mke2fs": "e2fsprogs",
    "mmdebstrap": "mmdebstrap",
    "perl": "perl",
    "ssh": "openssh-client",
    "xz": "xz-utils",
    "zstd": "zstd",
}
HEADERS = {"/usr/include/libelf.h": "libelf-dev"}

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
KERNEL_PACKAGE = "linux-source-6.12"

# Release of Debian -> whether libvirt and QEMU have to come from its backports.
RELEASES = {"bookworm": True, "trixie": False}

BACKPORTS_PIN = """\
Package: qemu* libvirt* seabios ipxe-qemu
Pin: release n={release}-backports
Pin-Priority: 600

Package: *
Pin: release n={release}-backports
Pin-Priority: 100
"""


@dataclass(frozen=True)
class Artefacts:
    """Where everything that was built lies."""

    kernel: Path
    rootfs: Path
    image: Path
    ssh_key: Path


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


def release() -> str:
    """This machine's release: the hosts run the same, so that pvm's libraries fit."""
    lines = Path("/etc/os-release").read_text().splitlines()
    facts = dict(line.split("=", 1) for line in lines if "=" in line)
    name = facts.get("VERSION_CODENAME", "").strip('"')
    if name not in RELEASES:
        known = ", ".join(sorted(RELEASES))
        raise LabError(
            f"this machine runs {name or 'an unknown system'}; the lab is built from"
            f" Debian ({known}): run it there or in a container of it"
        )
    return name


def sources(name: str) -> str:
    """Package sources for this release, from the same mirrors as this machine's own."""

    def site(codename: str) -> str | None:
        out = subprocess.run(
            ["apt-get", "indextargets", "--format", "$(SITE)", f"Codename: {codename}"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()
        return out[0] if out else None

    main, security = site(name), site(f"{name}-security")
    if not main:
        raise LabError(f"apt on this machine has no source of {name} (run apt-get update?)")
    keyring = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
    option = f"[signed-by={keyring}] " if keyring.exists() else ""
    wanted = [(main, name), (main, f"{name}-updates")]
    if security:
        wanted.append((security, f"{name}-security"))
    if RELEASES[name]:
        wanted.append((main, f"{name}-backports"))
    return "".join(f"deb {option}{url} {suite} main\n" for url, suite in wanted)


def proxy_options() -> list[str]:
    """apt's proxy settings of this machine."""
    dump = subprocess.run(["apt-config", "dump"], capture_output=True, text=True, check=True)
    return [
        line.replace(' "', '="', 1).rstrip(";").replace('"', "")
        for line in dump.stdout.splitlines()
        if "::Proxy" in line and not line.endswith('"";')
    ]


def recipe(builder: Callable) -> str:
    """The builder's own text: it is an input like any other."""
    return inspect.getsource(builder)


def install_tools() -> None:
    """Installs the build tools that are missing, saying which."""
    missing = {p for c, p in TOOLS.items() if not shutil.which(c)}
    missing |= {p for h, p in HEADERS.items() if not Path(h).exists()}
    if not missing:
        return
    names = sorted(missing)
    print(f"lab: installing build tools: {' '.join(names)}", flush=True)
    if os.geteuid() != 0:
        raise LabError(f"not root: apt-get install --no-install-recommends {' '.join(names)}")
    env = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    run("apt-get", "update", env=env)
    run("apt-get", "install", "-y", "--no-install-recommends", *names, env=env)


def build_kernel(out: Path) -> None:
    """Kernel, its modules, and what a driver is built against, from Debian's source."""
    apt = out / "apt"
    for folder in ("state/lists/partial", "cache/archives/partial"):
        (apt / folder).mkdir(parents=True)
    (apt / "sources.list").write_text(sources(release()))
    options = [
        "-o",
        f"Dir::Etc::SourceList={apt / 'sources.list'}",
        "-o",
        "Dir::Etc::SourceParts=/dev/null",
        "-o",
        f"Dir::State={apt / 'state'}",
        "-o",
        "Dir::State::Status=/var/lib/dpkg/status",
        "-o",
        f"Dir::Cache={apt / 'cache'}",
        "-o",
        "APT::Sandbox::User=root",
    ]
    run("apt-get", *options, "update")
    run("apt-get", *options, "download", KERNEL_PACKAGE, cwd=apt)
    package = next(apt.glob(f"{KERNEL_PACKAGE}_*.deb"))
    run("dpkg-deb", "-x", package, apt / "unpacked")
    archive = next((apt / "unpacked/usr/src").glob("linux-source-*.tar.xz"))

    tree = out / "tree"
    tree.mkdir()
    run("tar", "xf", archive, "-C", tree, "--strip-components=1")
    shutil.rmtree(apt)

    config = LAB / "kernel/kernel.config"
    run("make", "-C", tree, "allnoconfig", f"KCONFIG_ALLCONFIG={config}")
    check_config(config, tree / ".config")
    jobs = f"-j{os.cpu_count() or 1}"
    run("nice", "make", "-C", tree, jobs, "bzImage", "modules", log=out / "build.log")
    shutil.copy(tree / "arch/x86/boot/bzImage", out / "bzImage")
    run("make", "-C", tree, "modules_install", f"INSTALL_MOD_PATH={out}")
    for link in out.glob("lib/modules/*/build"):
        link.unlink()
    prune_tree(tree)


def check_config(wanted: Path, got: Path) -> None:
    """Every option that was asked for has to be on: a silent drop costs hours later."""
    have = set(got.read_text().splitlines())
    lost = [
        line
        for line in wanted.read_text().splitlines()
        if line.startswith("CONFIG_") and not line.endswith("=n") and line not in have
    ]
    if lost:
        raise LabError(f"the kernel's configuration dropped {', '.join(lost)}")


def prune_tree(tree: Path) -> None:
    """Leaves of a built kernel tree what is needed to build a driver against it."""
    keep = {
        "arch",
        "include",
        "scripts",
        "tools",
        ".config",
        "Makefile",
        "Module.symvers",
        "Kbuild",
    }
    for entry in tree.iterdir():
        if entry.name in keep:
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()
    for arch in (tree / "arch").iterdir():
        if arch.is_dir() and arch.name != "x86":
            shutil.rmtree(arch)
    for part in ("arch", "include"):
        for path in (tree / part).rglob("*.o"):
            path.unlink()
    for tool in (tree / "tools").iterdir():
        if tool.is_dir() and tool.name not in ("objtool", "build", "include"):
            shutil.rmtree(tool)


def build_driver(out: Path, kernel: Path) -> None:
    """The variant driver, against the lab's kernel."""
    shutil.copytree(LAB / "driver", out, dirs_exist_ok=True)
    run("make", "-C", out, f"KDIR={kernel / 'tree'}", "KBUILD_MODPOST_WARN=", "W=1")


def build_guest(out: Path) -> None:
    """The tiny guest."""
    shutil.copytree(LAB / "guest", out, dirs_exist_ok=True)
    run("make", "-C", out)


def build_rootfs(out: Path) -> None:
    """Debian with libvirt, QEMU and a secure shell, unpacked."""
    name = release()
    scratch = out / "scratch"
    scratch.mkdir()
    command = ["nice", "mmdebstrap", "--variant=minbase", f"--include={','.join(HOST_PACKAGES)}"]
    command += [f"--aptopt={o}" for o in ['APT::Install-Recommends "false"', *proxy_options()]]
    command += [
        f"--dpkgopt=path-exclude=/usr/share/{p}/*" for p in ("man", "doc", "locale", "info")
    ]
    if RELEASES[name]:
        pin = scratch / "pin"
        pin.write_text(BACKPORTS_PIN.format(release=name))
        command += [
            '--setup-hook=mkdir -p "$1/etc/apt/preferences.d"',
            f'--setup-hook=cp "{pin}" "$1/etc/apt/preferences.d/backports"',
        ]
    command += [name, str(out / "root"), *sources(name).splitlines()]
    run(*command, log=out / "build.log")
    shutil.rmtree(scratch)
    for junk in ("var/cache/apt", "var/lib/apt/lists", "usr/share/qemu-efi-aarch64"):
        shutil.rmtree(out / "root" / junk, ignore_errors=True)


def ssh_key() -> Path:
    """The key pair of operator and hosts, made once per cache."""
    key = cache_dir() / "ssh/id_ed25519"
    with locked("ssh"):
        if not key.exists():
            key.parent.mkdir(parents=True, exist_ok=True)
            run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "pvm-lab", "-f", key)
    return key


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
