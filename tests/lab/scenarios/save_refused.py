"""The source's device will not begin to save its state."""

from lablib.guest import Guest, Vf
from lablib.scenario import UNDONE, Scenario, Setup, only

SCENARIO = Scenario(
    guest=Guest(vfs=(Vf("01:10.0"),)),
    source=Setup(driver={"fault": "refuse"}),
    destination=Setup(nova=only("02:10.2")),
    moves={5: "02:10.2"},
    predict="compatible",
    say=UNDONE,
    happen="stayed",
)
