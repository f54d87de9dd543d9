"""The lab's two hosts with a nova-compute in each, joined to the controller of `cloud`, in whose network this runs."""

import dataclasses
import json
import os
import subprocess
import sys
import time
from datetime import datetime, timezone
from pathlib import Path

import seed
from api import get, wait
from disk import MOUNTED, nova_disk
from lablib import hosts, pvm
from lablib.build import Artefacts, build
from lablib.hosts import HOST_A, HOSTS, Host
from lablib.scenario import Setup, nova_conf
from lablib.stage import both

CLOUD = Path(__file__).resolve().parent.parent / "nova-cloud/cloud"
CONTROLLER = "10.0.2.2"  # what the hosts call the machine that emulates them
START = f"""\
cd /
[ ! -e /run/nova-compute.pid ] || kill -KILL "$(cat /run/nova-compute.pid)"
PYTHONPATH={MOUNTED}/site HOME=/root setsid {MOUNTED}/bin/nova-compute --config-file /etc/nova/nova.conf \\
	</dev/null >>/var/log/nova-compute.log 2>&1 &
echo $! >/run/nova-compute.pid
"""
PREPARE = f"""\
mkdir -p {MOUNTED} /var/lib/nova/instances /var/lib/nova/lock /etc/openstack
mount -o ro /dev/vdb {MOUNTED}
echo {CONTROLLER} controller >>/etc/hosts
cat >/etc/openstack/clouds.yaml
"""
ACCESS = {
    "auth": {
        "auth_url": seed.KEYSTONE,
        "username": "admin",
        "password": "secret",
        "project_name": "admin",
        "user_domain_id": "default",
        "project_domain_id": "default",
    },
    "region_name": "RegionOne",
}
FIXED = {"name": "fixed", "vendor_id": "8086", "product_id": "10ca", "device_type": "type-VF"}
STARTS_WITHIN = 900  # on a quiet machine it is 60 s


def made() -> tuple[Artefacts, Artefacts]:
    """What both hosts are made of; built where it is missing."""
    return tuple(dataclasses.replace(one, disk=nova_disk(one.rootfs)) for one in build())


class Computes:
    """Both hosts with their computes."""

    def __init__(self, folder: str, binary: Path) -> None:
        """Starts both hosts, which end with this process."""
        self.folder = folder
        self.conf: dict[str, str] = {}  # what each compute was started with
        hosts.up(made(), lasting=False)
        access = json.dumps({"clouds": {"lab": ACCESS}}).encode()
        both(lambda host: host.ssh("sh", "-ec", PREPARE, data=access))
        pvm.install(binary)

    def nova_conf(self, host: Host, spec: dict[str, str]) -> str:
        """The configuration of a compute that offers these VFs."""
        # Both are slow: a minute is not enough for an answer.
        env = {"VENV": MOUNTED, "NETWORK": "192.168.77", "RESOURCES_INTERVAL": "-1"}
        command = [CLOUD, "conf", self.folder, host.role]
        done = subprocess.run(command, env=os.environ | env, capture_output=True, text=True, check=True)
        return done.stdout + nova_conf(spec) + f"alias = {json.dumps(FIXED)}\n"

    def prepare(self, drivers: dict[str, dict[str, object]], specs: dict[str, dict[str, str]]) -> None:
        """Brings both hosts into this state, without guests; computes that are configured otherwise are started anew."""
        confs = {host.role: self.nova_conf(host, specs[host.role]) for host in HOSTS}

        def bring(host: Host) -> None:
            setup = Setup(driver=drivers.get(host.role, {}), nova=confs[host.role])
            host.json("/lab/prepare", ask=setup.request())
            if self.conf.get(host.role) != confs[host.role]:
                started = time.time()
                host.ssh("sh", "-c", START)
                wait(lambda: heard(host, started), STARTS_WITHIN)
                self.conf[host.role] = confs[host.role]

        both(bring)
        seed.wait_computes(len(HOSTS))

    def logs(self) -> str:
        """The last lines of both computes, for whoever reads what went wrong."""
        ask = ("sh", "-c", "grep -E ' (ERROR|CRITICAL) ' /var/log/nova-compute.log | tail -n 5")
        return "\n".join(f"{host.name}: {host.ssh(*ask, check=False).stdout.decode()}" for host in HOSTS)


ALIVE = ("sh", "-c", "kill -0 $(cat /run/nova-compute.pid) || { tail -n 3 /var/log/nova-compute.log >&2; exit 1; }")


def heard(host: Host, started: float) -> bool:
    """Whether Nova has heard of this compute since it was started; it fails when it has ended."""
    time.sleep(2)
    host.ssh(*ALIVE)
    # What the one before it sent may come late.
    return last_heard(host) > started + 3


def last_heard(host: Host) -> float:
    """When Nova heard of this compute last."""
    services = get("/os-services?binary=nova-compute").get("services", [])
    found = [one["updated_at"] for one in services if one["host"] == host.name and one["updated_at"]]
    return max((datetime.fromisoformat(at).replace(tzinfo=timezone.utc).timestamp() for at in found), default=0.0)
