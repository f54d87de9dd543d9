"""The destination's VF is in use by another guest."""

from lablib.guest import Guest, Vf
from lablib.scenario import Scenario, Setup, only

SCENARIO = Scenario(
    core=True,
    guest=Guest(vfs=(Vf("01:10.0"),)),
    destination=Setup(
        nova=only("02:10.0"),
        guests=(Guest(name="other", vfs=(Vf("02:10.0"),)),),
    ),
    moves={5: "02:10.0"},
    predict="incompatible",
    happen="stayed",
)
