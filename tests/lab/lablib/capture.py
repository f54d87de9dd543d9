"""Captures both hosts in a state with one of everything, as fixtures for the fast tests."""

import io
import tarfile
from pathlib import Path

from lablib.cache import LabError
from lablib.guest import Guest, Vf
from lablib.hosts import HOSTS
from lablib.scenario import MIGRATABLE, NETDEV, PLAIN, Scenario, Setup, nova_conf
from lablib.stage import Stage, both

# Of the VFs of host-a, one is in use by a guest, two are bound to other drivers, one to none.
STATE = Scenario(
    guest=Guest(vfs=(Vf("01:10.0"),)),
    source=Setup(
        vfs={"01:10.4": PLAIN, "01:10.6": None, "02:10.0": NETDEV},
        nova=nova_conf(
            MIGRATABLE | {"address": "0000:01:10.*"},
            {
                "vendor_id": "8086",
                "product_id": "10ca",
                "address": "0000:02:10.*",
                "physical_network": "physnet1",
            },
        ),
    ),
    predict="compatible",
    happen="moved",
)


def capture(folder: Path) -> None:
    """Writes one folder per host."""
    if folder.exists() and any(folder.iterdir()):
        raise LabError(f"{folder} is not empty")
    Stage(STATE).prepare()
    archives = both(lambda host: host.ssh("/lab/capture", timeout=300).stdout)
    for host in HOSTS:
        place = folder / host.name
        place.mkdir(parents=True)
        with tarfile.open(fileobj=io.BytesIO(archives[host.role])) as archive:
            archive.extractall(place)
        count = sum(1 for _ in place.rglob("*"))
        print(f"lab: {place}: {count} entries")
