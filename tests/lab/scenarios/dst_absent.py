"""The destination has no such VF."""

from lablib.guest import Guest, Vf
from lablib.scenario import Scenario, Setup, only

SCENARIO = Scenario(
    guest=Guest(vfs=(Vf("01:10.0"),)),
    destination=Setup(nova=only("04:10.0")),
    moves={5: "04:10.0"},
    predict="incompatible",
    happen="stayed",
)
