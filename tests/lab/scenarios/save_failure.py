"""The source's device fails to save its state once the guest is paused."""

from lablib.guest import Guest, Vf
from lablib.scenario import UNDONE, Scenario, Setup, only

SCENARIO = Scenario(
    core=True,
    guest=Guest(vfs=(Vf("01:10.0"),)),
    source=Setup(driver={"fault": "save"}),
    destination=Setup(nova=only("02:10.2")),
    moves={5: "02:10.2"},
    predict="compatible",
    say=UNDONE,
    happen="stayed",
)
