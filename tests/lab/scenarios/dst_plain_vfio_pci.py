"""The destination's VF is bound to plain vfio-pci."""

from lablib.guest import Guest, Vf
from lablib.scenario import PLAIN, Scenario, Setup, only

SCENARIO = Scenario(
    core=True,
    guest=Guest(vfs=(Vf("01:10.0"),)),
    destination=Setup(vfs={"01:10.4": PLAIN}, nova=only("01:10.4")),
    moves={5: "01:10.4"},
    predict="incompatible",
    happen="stayed",
)
