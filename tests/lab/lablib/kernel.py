"""The hosts' kernel from Debian's source, and our variant driver for it."""

import os
import shutil
from pathlib import Path

from lablib.cache import LAB, LabError
from lablib.command import run
from lablib.generation import Generation
from lablib.packages import sources


def build_kernel(out: Path, of: Generation) -> None:
    """Kernel, its modules, and what a driver is built against, from Debian's source."""
    apt = out / "apt"
    for folder in ("state/lists/partial", "cache/archives/partial"):
        (apt / folder).mkdir(parents=True)
    (apt / "sources.list").write_text(sources(of))
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
    run("apt-get", *options, "download", of.kernel, cwd=apt)
    package = next(apt.glob(f"{of.kernel}_*.deb"))
    run("dpkg-deb", "-x", package, apt / "unpacked")
    archive = next((apt / "unpacked/usr/src").glob("linux-source-*.tar.xz"))

    tree = out / "tree"
    tree.mkdir()
    run("tar", "xf", archive, "-C", tree, "--strip-components=1")
    shutil.rmtree(apt)

    config = out / "wanted.config"
    config.write_text("".join(part.read_text() for part in of.kernel_config()))
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
