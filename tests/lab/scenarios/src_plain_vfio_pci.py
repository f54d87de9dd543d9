"""The guest's VF is bound to plain vfio-pci."""

from lablib.guest import Guest, Vf
from lablib.scenario import PLAIN, Scenario, Setup, only

SCENARIO = Scenario(
    guest=Guest(vfs=(Vf("01:10.0"),)),
    source=Setup(vfs={"01:10.0": PLAIN}),
    destination=Setup(nova=only("02:10.2")),
    moves={5: "02:10.2"},
    predict="incompatible",
    happen="stayed",
)
