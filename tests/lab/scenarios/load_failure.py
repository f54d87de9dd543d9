"""The destination's device takes its state and fails to put it in place."""

from lablib.guest import Guest, Vf
from lablib.scenario import Scenario, Setup, only

SCENARIO = Scenario(
    core=True,
    guest=Guest(vfs=(Vf("01:10.0"),)),
    destination=Setup(nova=only("02:10.2"), driver={"fault": "load"}),
    moves={5: "02:10.2"},
    predict="compatible",
    say="moved, lost",
    happen="moved, state lost",
)
