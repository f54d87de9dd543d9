"""Debian packages: from where, and what is missing on this machine."""

import os
import shutil
import subprocess
from pathlib import Path

from lablib.cache import LabError
from lablib.command import run
from lablib.generation import Generation, machine_release

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


def sources(of: Generation) -> str:
    """Package sources for a generation, from the same mirrors as this machine's own."""
    name, here = of.release, machine_release()

    def site(codename: str) -> str | None:
        out = subprocess.run(
            ["apt-get", "indextargets", "--format", "$(SITE)", f"Codename: {codename}"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()
        return out[0] if out else None

    if not site(here) and os.geteuid() == 0:  # a fresh machine has not asked its mirrors yet
        run("apt-get", "update")
    main, security = site(here), site(f"{here}-security")
    if not main:
        raise LabError(f"apt on this machine has no source of {here}")
    keyring = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
    option = f"[signed-by={keyring}] " if keyring.exists() else ""
    wanted = [(main, f"{name}{suite}") for suite in ("", "-updates", "-backports")]
    if security:
        wanted.append((security, f"{name}-security"))
    return "".join(f"deb {option}{url} {suite} main\n" for url, suite in wanted)


def proxy_options() -> list[str]:
    """apt's proxy settings of this machine."""
    dump = subprocess.run(["apt-config", "dump"], capture_output=True, text=True, check=True)
    return [
        line.replace(' "', '="', 1).rstrip(";").replace('"', "")
        for line in dump.stdout.splitlines()
        if "::Proxy" in line and not line.endswith('"";')
    ]


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
