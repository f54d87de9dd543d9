"""The guest's VFs through iommufd: QEMU names them by their aliases, having no address."""

from lablib import pvm
from lablib.guest import Guest, Vf, full
from lablib.hosts import HOST_A
from lablib.mixed import DESTINATION, SOURCE
from lablib.runner import Row
from lablib.scenario import NEW, PLAIN, UNDONE, Scenario, Setup, only
from lablib.stage import Stage

ONE = {"guest": Guest(vfs=(Vf("01:10.0", iommufd=True),)), "moves": {5: "02:10.2"}}
TWO = {
    "guest": Guest(vfs=(Vf("01:10.0", iommufd=True), Vf("02:10.0", slot=6, iommufd=True))),
    "moves": {5: "01:10.2", 6: "02:10.2"},
}
DOMAIN = {"guest": Guest(vfs=(Vf("01:10.0"),), iommufd=True), "moves": {5: "02:10.2"}}
PORT = {
    "guest": Guest(
        vfs=(
            Vf("01:10.0", iommufd=True),
            Vf("02:10.0", slot=6, interface=True, port=True, iommufd=True),
        )
    ),
    "source": Setup(nova=SOURCE),
    "destination": Setup(nova=DESTINATION),
    "moves": {5: "01:10.2", 6: "02:10.4"},
    "forced": False,
}


def probe(stage: Stage, row: Row) -> None:
    """The inventory has only the guests' QEMUs to ask, and they name each device by its alias."""
    stage.prepare()
    found = pvm.document(HOST_A, "inventory", "--probe", "passive")
    supported = {d["address"]: d["migration"]["supported"] for d in found["devices"]}
    row.expect("plain vfio-pci", supported[full("01:10.0")], "no")
    row.expect("the variant driver", supported[full("02:10.0")], "yes")
    row.happened = "facts right" if row.agrees() else "facts wrong"


def scenario(of: dict, predict: str = "compatible", **differs) -> Scenario:
    """A guest with iommufd; the destination offers what the moves name."""
    offered = Setup(nova=only(*of["moves"].values()), driver=differs.pop("there", {}))
    usual = {"destination": offered, "needs": NEW, "predict": predict, "happen": "moved"}
    return Scenario(**usual | of | differs)


def fault(name: str, **differs) -> Scenario:
    """The source's device fails in this way."""
    return scenario(ONE, source=Setup(driver={"fault": name}), **differs)


SCENARIOS = {
    "": scenario(ONE, core=True),
    "domain": scenario(DOMAIN),
    "two": scenario(TWO),
    "port": scenario(PORT),
    "load-failure": scenario(
        ONE, there={"fault": "load"}, say="moved, lost", happen="moved, state lost", core=True
    ),
    "save-failure": fault("save", say="stayed, lost", happen="stayed, state lost"),
    "read-failure": fault("read", say=UNDONE, happen="stayed"),
    "no-dirty-log": scenario(
        ONE,
        "incompatible",
        source=Setup(driver={"dirty_log": False}),
        codes=("qemu-blocked", "dirty-tracking"),
        happen="stayed",
    ),
    "plain-vfio-pci": scenario(
        ONE,
        "incompatible",
        source=Setup(vfs={"01:10.0": PLAIN}),
        codes=("qemu-blocked", "probed-migratable"),
        happen="stayed",
    ),
    "probe": scenario(
        ONE,
        "-",
        guest=Guest(vfs=(Vf("01:10.0", iommufd=True),)),
        source=Setup(
            vfs={"01:10.0": PLAIN},
            debugfs=False,
            guests=(Guest(name="other", vfs=(Vf("02:10.0", iommufd=True),)),),
        ),
        happen="facts right",
        play=probe,
    ),
}
