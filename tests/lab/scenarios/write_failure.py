"""The destination's device does not accept the state."""

from lablib.guest import Guest, Vf
from lablib.scenario import UNDONE, Scenario, Setup, only

SCENARIO = Scenario(
    guest=Guest(vfs=(Vf("01:10.0"),)),
    destination=Setup(nova=only("02:10.2"), driver={"fault": "write"}),
    moves={5: "02:10.2"},
    predict="compatible",
    say=UNDONE,
    happen="stayed",
)
