"""The destination's device keeps no record of what it writes to memory: good for the way there."""

from lablib.guest import Guest, Vf
from lablib.scenario import Scenario, Setup, only

SCENARIO = Scenario(
    guest=Guest(vfs=(Vf("01:10.0"),)),
    destination=Setup(nova=only("02:10.2"), driver={"dirty_log": False}),
    moves={5: "02:10.2"},
    predict="compatible",
    happen="moved",
)
