"""The two hosts of a case: tests/two-hosts with overlays over /usr, brought back to their beginnings between cases."""

import json
import os
import re
import shlex
import shutil
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from lib.case import Engines, Pair
from lib.work import TWO_HOSTS, TournamentError, cache_dir, sh, work_dir

URI = {"a": "qemu+tcp://host-a/system", "b": "qemu+tcp://host-b/system"}
# Interfaces that every network namespace has.
KERNELS_LINKS = "lo|link0|tunl0|sit0|ip6tnl0|gre0|gretap0|erspan0|bonding_masters"
OWN_FILES = ("libvirt/qemu.conf", "libvirt/libvirtd.conf", "hosts")


def trees(engines: Engines) -> str:
    """The lower directories of a host's /usr, without the machine's own."""
    names = ["newlibvirt"] * (engines.libvirt == "new") + ["newqemu"] * (engines.qemu == "new") + ["extra"]
    return ":".join(str(cache_dir() / name / "usr") for name in names)


class Hosts:
    """A pair of hosts that is up."""

    def __init__(self, pair: Pair, pvm: str) -> None:
        self.pair, self.pvm, self.dir = pair, pvm, work_dir() / "h"
        self.up()

    def up(self) -> None:
        """Starts fresh hosts, once more where the first attempt fails."""
        self.down()
        shutil.rmtree(work_dir(), ignore_errors=True)
        for part in ("w", "ov/up", "ov/wk", "usr"):
            (work_dir() / part).mkdir(parents=True)
        for attempt in (1, 2):
            shutil.rmtree(self.dir, ignore_errors=True)
            self.dir.mkdir()
            (self.dir / "qemu.conf").write_text('swtpm_user = "root"\nswtpm_group = "root"\n')
            code, _, err = self._start_both()
            if code == 0:
                break
            self.down()
            if attempt == 2:
                raise TournamentError(f"the hosts do not come up: {err}")
        self.pids = {h: (self.dir / f"host-{h}/anchor.pid").read_text().strip() for h in "ab"}
        for host in "ab":
            self.exec(
                host,
                f"mkdir -p /var/lib/tt /etc/mdevctl.d /var/lib/swtpm-localca; cp {cache_dir()}/extra/etc/swtpm* /etc/",
            )
            for file in OWN_FILES:
                self.exec(host, f"cp /etc/{file} /etc/{file}.own")
        if self.pair.a != self.pair.b:
            self._give_b_its_engines()
        self.baseline = {h: self.mounts(h) for h in "ab"}
        self.links = {h: self.exec(h, "ls /sys/class/net")[1].split() for h in "ab"}
        self._write_settings()

    def _start_both(self) -> tuple[int, str, str]:
        work = work_dir()
        layers = f"lowerdir={trees(self.pair.a)}:/usr,upperdir={work}/ov/up,workdir={work}/ov/wk"
        script = (
            f"mount --bind /usr {work}/usr && mount -t overlay overlay -o {layers} /usr && "
            f"exec {shlex.quote(str(TWO_HOSTS))} up {self.dir} --for {os.getpid()}"
        )
        return sh(["unshare", "-m", "--propagation", "private", "sh", "-c", script], timeout=180)

    def _give_b_its_engines(self) -> None:
        layers = f"lowerdir={trees(self.pair.b)}:{work_dir()}/usr,upperdir=/run/ov/up,workdir=/run/ov/wk"
        self.stop("b")
        code, _, err = self.exec("b", f"mkdir -p /run/ov/up /run/ov/wk; mount -t overlay overlay -o {layers} /usr")
        started, why = self.start("b")
        if code or not started:
            raise TournamentError(f"host b does not get its engines: {err or why}")

    def _write_settings(self) -> None:
        """Facts of b by its own pvm ("full"), and by libvirt alone."""
        inside = ["nsenter", "--target", self.pids["b"], "--mount", "--uts", "--net", "--wd=/", "--"]
        by_pvm = {"command": [*inside, self.pvm, "inventory", "local", "-o", "json"]}
        for name, facts in (("full", by_pvm), ("libvirt", "libvirt")):
            settings = {"hosts": {"host-b": {"libvirt": URI["b"], "facts": facts}}}
            (self.dir / f"host-a/etc/pvm/{name}.yaml").write_text(json.dumps(settings))

    def down(self) -> None:
        """Ends both hosts."""
        sh([str(TWO_HOSTS), "down", str(self.dir)], timeout=120)

    def inside(self, host: str) -> list[str]:
        """What makes a command run on that host."""
        return ["nsenter", "--target", self.pids[host], "--mount", "--uts", "--net", "--wd=/", "--"]

    def exec(self, host: str, line: str, timeout: float = 60, stdin: str | None = None) -> tuple[int, str, str]:
        """Runs a shell line there."""
        return sh([*self.inside(host), "sh", "-c", line], timeout, stdin)

    def virsh(self, host: str, *args: str, timeout: float = 60) -> tuple[int, str, str]:
        """Runs virsh there."""
        return sh([*self.inside(host), "virsh", "-q", "-c", "qemu:///system", *args], timeout)

    def stop(self, host: str) -> None:
        """Ends that host's libvirtd, in order where it obeys."""
        self.exec(
            host,
            "p=$(cat /run/libvirtd.pid) && kill -TERM $p; for i in $(seq 50); do kill -0 $p 2>/dev/null || exit 0;"
            " sleep 0.1; done; kill -KILL $p; sleep 0.2",
        )

    def start(self, host: str) -> tuple[bool, str]:
        """Starts it again."""
        code, _, err = sh([str(TWO_HOSTS), "start", str(self.dir), host], timeout=90)
        return code == 0, err

    def mounts(self, host: str) -> list[str]:
        """Mount points there, in order."""
        return [line.split()[4] for line in Path(f"/proc/{self.pids[host]}/mountinfo").read_text().splitlines()]

    def reset(self) -> bool:
        """Both hosts as they were when they came up, in less time than new ones take. False where that is not certain."""
        for host in "ab":
            self.stop(host)
            self._end_processes(host)
            now, was = self.mounts(host), self.baseline[host]
            for point in reversed(now[len(was) :]):
                self.exec(host, f"umount -l {shlex.quote(point)}")
            if self.mounts(host) != was:
                return False
            self._clear_files(host)
            if self.exec(host, "ls /sys/class/net")[1].split() != self.links[host]:
                return False
        with ThreadPoolExecutor(2) as pool:
            return all(started for started, _ in pool.map(self.start, "ab"))

    def _end_processes(self, host: str) -> None:
        """Every process in that host's network namespace, but for its anchor: all of them were started by a case."""
        net = os.readlink(f"/proc/{self.pids[host]}/ns/net")
        for _ in range(20):
            left = 0
            for process in Path("/proc").glob("[0-9]*"):
                try:
                    if process.name == self.pids[host] or os.readlink(process / "ns/net") != net:
                        continue
                    if (process / "stat").read_text().rsplit(")", 1)[1].split()[0] != "Z":
                        os.kill(int(process.name), signal.SIGKILL)
                        left += 1
                except (OSError, IndexError):
                    continue  # it ended by itself
            if not left:
                return
            time.sleep(0.05)

    def _clear_files(self, host: str) -> None:
        restore = "; ".join(f"cp /etc/{file}.own /etc/{file}" for file in OWN_FILES)
        gone = "/etc/libvirt/{hooks,qemu,storage,nwfilter,secrets} /var/lib/tt* /var/lib/share /var/lib/pvm"
        gone += " /var/lib/libvirt/{qemu,swtpm,network,dnsmasq} /var/log/tt* /var/log/libvirt/qemu /var/log/swtpm"
        script = f"""hostname host-{host}; {restore}; rm -rf {gone}
            cd /run; for f in *; do [ "$f" = ov ] || rm -rf "$f"; done
            mkdir -p /var/lib/tt /var/log/libvirt/qemu /run/lock
            iptables -F; iptables -t nat -F; iptables -t mangle -F
            for chain in INPUT OUTPUT FORWARD; do iptables -P $chain ACCEPT; done
            for l in $(ls /sys/class/net); do case $l in {KERNELS_LINKS}) ;; *) ip link del $l ;; esac; done; true"""
        sh([*self.inside(host), "bash", "-c", script])

    def is_clean(self) -> bool:
        """Whether a case left nothing that libvirt or the kernel would show to the next one."""
        for host in "ab":
            for what in (
                ["list", "--all", "--name"],
                ["net-list", "--all", "--name"],
                ["pool-list", "--all", "--name"],
                ["secret-list"],
            ):
                code, out, _ = self.virsh(host, *what)
                if code or out.strip():
                    return False
            listed = "ls /sys/class/net; ls /var/lib/tt 2>/dev/null; rm -rf /var/lib/tt/* /var/lib/ttn /var/lib/ttc /var/lib/ttu"
            links = ("br-", "own", "tap", "virbr", "vnet", "macvtap")
            if any(re.match("|".join(links), word) for word in self.exec(host, listed)[1].split()):
                return False
        return True
