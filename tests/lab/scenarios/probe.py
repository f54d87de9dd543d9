"""What pvm says a device can do, against what its driver was told to offer."""

from collections.abc import Callable

from lablib import pvm
from lablib.guest import Guest, Vf, full
from lablib.hosts import HOST_A
from lablib.runner import Row
from lablib.scenario import PLAIN, Scenario, Setup
from lablib.stage import Stage

USED, FREE, NOT_MIGRATABLE = full("01:10.0"), full("01:10.2"), full("01:10.4")
CDEVS, CONTAINER, HIDDEN = "/dev/vfio/devices", "/dev/vfio/vfio", "/dev/vfio/hidden"


def offered(driver: dict[str, object]) -> set[str]:
    """The flags that a device of this driver must report."""
    flags = {"stop-copy"}
    if driver.get("p2p", True):
        flags.add("p2p")
    if driver.get("precopy", True):
        flags.add("pre-copy")
    return flags


def compare(row: Row, device: dict, driver: dict[str, object], known: set[str]) -> None:
    """A wrong fact is a problem; an unknown one where it could have been known."""
    address, migration = device["address"], device["migration"]
    supported, flags = migration["supported"], migration["flags"]
    if "supported" in known or supported is not None:
        row.expect(f"{address} supported", supported, "yes")
    if "flags" in known or flags:
        row.expect(f"{address} flags", set(flags or []), offered(driver))
    if "flags" in known:
        logs = migration["dirty_tracking"] == "device"
        row.expect(f"{address} tracks what it dirties", logs, driver.get("dirty_log", True))


def probing(how: str, driver: dict[str, object], hide: str | None) -> Callable:
    """Asks in this way, with one of the kernel's interfaces out of reach."""

    def play(stage: Stage, row: Row) -> None:
        stage.prepare()
        if hide:
            HOST_A.ssh("mv", hide, HIDDEN)
        try:
            found = pvm.document(HOST_A, "inventory", "--probe", how)
        finally:
            if hide:
                HOST_A.ssh("mv", HIDDEN, hide)
        devices = {d["address"]: d for d in found["devices"]}
        # debugfs tells without touching the device; an active probe leaves one in use alone
        told = {"supported", "flags"} if stage.scenario.source.debugfs else set()
        compare(row, devices[USED], driver, told)
        compare(
            row,
            devices[FREE],
            driver,
            told | ({"supported", "flags"} if how == "active" else set()),
        )
        plain = devices[NOT_MIGRATABLE]["migration"]["supported"]
        row.expect(f"{NOT_MIGRATABLE} supported", plain, "no")
        used_by = [user["name"] for user in devices[USED]["used_by"] or []]
        row.expect(f"{USED} used by", used_by, [stage.scenario.guest.name])
        row.expect("the guest", stage.happened().word, "stayed")
        row.happened = "facts right" if row.agrees() else "facts wrong"

    return play


def scenario(how: str, hide: str | None = None, debugfs: bool = True, **driver: object) -> Scenario:
    """One way to ask, of devices with these parameters."""
    return Scenario(
        guest=Guest(vfs=(Vf("01:10.0"),)),
        source=Setup(vfs={"01:10.4": PLAIN}, driver=driver, debugfs=debugfs),
        predict="-",
        happen="facts right",
        play=probing(how, driver, hide),
    )


SCENARIOS = {
    "active": scenario("active"),
    "active-by-group": scenario("active", hide=CDEVS, debugfs=False),
    "active-by-cdev": scenario("active", hide=CONTAINER, debugfs=False),
    "active-stop-copy-only": scenario("active", precopy=False, p2p=False),
    "active-no-dirty-log": scenario("active", dirty_log=False),
    "active-no-debugfs": scenario("active", debugfs=False),
    "active-stop-copy-no-debugfs": scenario("active", debugfs=False, precopy=False, p2p=False),
    "active-no-log-no-debugfs": scenario("active", debugfs=False, dirty_log=False),
    "passive": scenario("passive"),
    "passive-stop-copy-only": scenario("passive", precopy=False, p2p=False),
    "passive-no-dirty-log": scenario("passive", dirty_log=False),
    "passive-no-debugfs": scenario("passive", debugfs=False),
}
