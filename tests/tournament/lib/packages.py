"""The newer libvirt and QEMU, and programs that some mutations need: unpacked below the cache, not installed."""

import os
import shutil
from pathlib import Path

from lib.work import TournamentError, cache_dir, sh

RELEASE, NEWER = "bookworm", "bookworm-backports"

# Tree -> suite, packages. A host sees the trees as an overlay over its /usr.
TREES = {
    "extra": (
        RELEASE,
        "ovmf swtpm swtpm-tools swtpm-libs libtpms0 bindfs fuse libfuse2 dnsmasq-base libnftables1 libjson-glib-1.0-0"
        " gnutls-bin libopts25 libgnutls-dane0 libunbound8 libevent-2.1-7",
    ),
    "newqemu": (
        NEWER,
        "qemu-system-x86 qemu-system-common qemu-system-data qemu-utils qemu-block-extra seabios libgfapi0 libgfrpc0"
        " libgfxdr0 libglusterfs0 libiscsi7 libnfs13 librados2 librbd1 libboost-thread1.74.0 libfmt9",
    ),
    "newlibvirt": (
        NEWER,
        "libvirt0 libvirt-clients libvirt-common libvirt-daemon libvirt-daemon-common libvirt-daemon-lock"
        " libvirt-daemon-log libvirt-daemon-driver-qemu libvirt-daemon-driver-network libvirt-daemon-driver-nodedev"
        " libvirt-daemon-driver-nwfilter libvirt-daemon-driver-secret libvirt-daemon-driver-storage"
        " libvirt-daemon-driver-interface libnftables1 mdevctl",
    ),
}
# Where drivers and modules of the machine's own packages must not show through.
OPAQUE = {"newqemu": "usr/lib/x86_64-linux-gnu/qemu", "newlibvirt": "usr/lib/x86_64-linux-gnu/libvirt"}
# Packages that install programs the instrument itself calls.
TOOLS = {"setfattr": "attr", "iptables": "iptables", "dpkg": "dpkg", "qemu-img": "qemu-utils"}


def build() -> None:
    """Unpacks what is missing in the cache."""
    _machine_fits()
    for tool, package in TOOLS.items():
        if not shutil.which(tool):
            _run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", package])
    for tree, (suite, packages) in TREES.items():
        done = cache_dir() / f"{tree}.done"
        if done.exists() and done.read_text() == packages:
            continue
        print(f"tournament: unpacking {tree}", flush=True)
        _unpack(tree, suite, packages.split())
        done.write_text(packages)


def _machine_fits() -> None:
    facts = dict(line.split("=", 1) for line in Path("/etc/os-release").read_text().splitlines() if "=" in line)
    if facts.get("VERSION_CODENAME", "").strip('"') != RELEASE:
        raise TournamentError(f"the tournament's pairs are made of Debian's {RELEASE} and its backports: run it there")
    if os.geteuid() != 0:
        raise TournamentError("needs root (two hosts, overlays)")


def _unpack(tree: str, suite: str, packages: list[str]) -> None:
    apt, folder, root = _apt(), cache_dir() / "debs" / tree, cache_dir() / tree
    shutil.rmtree(folder, ignore_errors=True)
    shutil.rmtree(root, ignore_errors=True)
    folder.mkdir(parents=True)
    root.mkdir(parents=True)
    _run([*apt, "download", "-t", suite, *packages], cwd=folder)
    for deb in sorted(folder.glob("*.deb")):
        _run(["dpkg", "-x", str(deb), str(root)])
    # Packages from before merged /usr: their programs belong below it here.
    for name in ("bin", "sbin", "lib"):
        if (root / name).is_dir():
            _run(["cp", "-a", f"{root / name}/.", str(root / "usr" / name)])
    if tree in OPAQUE:
        _run(["setfattr", "-n", "trusted.overlay.opaque", "-v", "y", str(root / OPAQUE[tree])])
    shutil.rmtree(folder)


def _apt() -> list[str]:
    """apt-get with lists of its own, so that the machine's suites stay as they are."""
    base = cache_dir() / "apt"
    for part in ("lists/partial", "archives/partial"):
        (base / part).mkdir(parents=True, exist_ok=True)
    apt = ["apt-get", "-o", f"Dir::State::lists={base}/lists", "-o", f"Dir::Cache={base}/archives"]
    apt += ["-o", f"Dir::Etc::sourcelist={base}/sources.list", "-o", "Dir::Etc::sourceparts=-"]
    if not (base / "sources.list").exists():
        code, out, err = sh(["apt-get", "indextargets", "--format", "$(SITE)", f"Codename: {RELEASE}"])
        if not out.split():
            _run(["apt-get", "update", "-qq"])
            code, out, err = sh(["apt-get", "indextargets", "--format", "$(SITE)", f"Codename: {RELEASE}"])
        if code or not out.split():
            raise TournamentError(f"apt knows no mirror of {RELEASE}: {err}")
        site = out.split()[0]
        (base / "sources.list").write_text("".join(f"deb {site} {suite} main\n" for suite in (RELEASE, NEWER)))
        _run([*apt, "update", "-qq"])
    return apt


def _run(argv: list[str], cwd: Path | None = None) -> None:
    line = argv if cwd is None else ["env", "-C", str(cwd), *argv]
    code, out, err = sh(line, timeout=600)
    if code:
        raise TournamentError(f"{' '.join(argv[:3])}… failed: {err.strip()[-500:] or out.strip()[-500:]}")
