"""The saved state cannot be read out of the source's device to the end."""

from lablib.guest import Guest, Vf
from lablib.scenario import UNDONE, Scenario, Setup, only

SCENARIO = Scenario(
    guest=Guest(vfs=(Vf("01:10.0"),)),
    source=Setup(driver={"fault": "read"}),
    destination=Setup(nova=only("02:10.2")),
    moves={5: "02:10.2"},
    predict="compatible",
    say=UNDONE,
    happen="stayed",
)
