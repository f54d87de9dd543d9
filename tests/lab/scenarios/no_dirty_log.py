"""The source's device keeps no record of what it writes to memory."""

from lablib.guest import Guest, Vf
from lablib.scenario import Scenario, Setup, only

SCENARIO = Scenario(
    core=True,
    guest=Guest(vfs=(Vf("01:10.0"),)),
    source=Setup(driver={"dirty_log": False}),
    destination=Setup(nova=only("02:10.2")),
    moves={5: "02:10.2"},
    predict="incompatible",
    happen="stayed",
)
