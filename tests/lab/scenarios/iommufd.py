"""The guest's VFs through iommufd (libvirt 12.1): QEMU names them by their aliases."""

from lablib.guest import Guest, Vf
from lablib.scenario import PLAIN, Scenario, Setup, only

ONE = {"guest": Guest(vfs=(Vf("01:10.0", iommufd=True),)), "moves": {5: "02:10.2"}}
TWO = {
    "guest": Guest(vfs=(Vf("01:10.0", iommufd=True), Vf("02:10.0", slot=6, iommufd=True))),
    "moves": {5: "01:10.0", 6: "02:10.0"},
}
DOMAIN = {"guest": Guest(vfs=(Vf("01:10.0"),), iommufd=True), "moves": {5: "02:10.2"}}


def scenario(of: dict, predict: str = "compatible", **differs) -> Scenario:
    """A guest with iommufd; the destination offers what the moves name."""
    driver = differs.pop("there", {})
    offered = Setup(nova=only(*of["moves"].values()), driver=driver)
    return Scenario(**of, destination=offered, predict=predict, **differs)


SCENARIOS = {
    "": scenario(ONE, happen="moved"),
    "domain": scenario(DOMAIN, happen="moved"),
    "two": scenario(TWO, happen="moved"),
    "load-failure": scenario(
        ONE, there={"fault": "load"}, say="moved, lost", happen="moved, state lost"
    ),
    "save-failure": scenario(
        ONE,
        source=Setup(driver={"fault": "save"}),
        say="stayed, lost",
        happen="stayed, state lost",
    ),
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
}
