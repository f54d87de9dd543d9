"""Two VFs of two PFs, whose addresses are swapped on the way."""

from lablib.guest import Guest, Vf
from lablib.scenario import Scenario, Setup, only

SCENARIO = Scenario(
    core=True,
    rehearsed=True,
    guest=Guest(vfs=(Vf("02:10.0", slot=5), Vf("01:10.0", slot=6))),
    destination=Setup(nova=only("01:10.0", "02:10.0")),
    moves={5: "01:10.0", 6: "02:10.0"},
    predict="compatible",
    happen="moved",
)
