"""Two VFs of one PF, each to the next address: the second takes what the first had."""

from lablib.guest import Guest, Vf
from lablib.scenario import Scenario, Setup, only

SCENARIO = Scenario(
    guest=Guest(vfs=(Vf("01:10.0", slot=5), Vf("01:10.2", slot=6))),
    destination=Setup(nova=only("01:10.2", "01:10.4")),
    moves={5: "01:10.2", 6: "01:10.4"},
    predict="compatible",
    happen="moved",
)
