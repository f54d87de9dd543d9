"""The destination's VF is bound to its network driver."""

from lablib.guest import Guest, Vf
from lablib.scenario import NETDEV, Scenario, Setup, only

SCENARIO = Scenario(
    guest=Guest(vfs=(Vf("01:10.0"),)),
    destination=Setup(vfs={"01:10.4": NETDEV}, nova=only("01:10.4")),
    moves={5: "01:10.4"},
    predict="incompatible",
    happen="stayed",
)
