"""One VF moves to a VF with another address."""

from lablib.guest import Guest, Vf
from lablib.scenario import Scenario, Setup, only

SCENARIO = Scenario(
    core=True,
    rehearsed=True,
    guest=Guest(vfs=(Vf("01:10.0"),)),
    destination=Setup(nova=only("02:10.2")),
    moves={5: "02:10.2"},
    predict="compatible",
    happen="moved",
)
