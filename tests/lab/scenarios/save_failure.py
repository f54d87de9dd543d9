"""The source's device fails to save its state once the guest is paused.

QEMU resets the device before the guest goes on: it stays, its device state does not.
"""

from lablib.guest import Guest, Vf
from lablib.scenario import Scenario, Setup, only

SCENARIO = Scenario(
    core=True,
    guest=Guest(vfs=(Vf("01:10.0"),)),
    source=Setup(driver={"fault": "save"}),
    destination=Setup(nova=only("02:10.2")),
    moves={5: "02:10.2"},
    predict="compatible",
    say="stayed, lost",
    happen="stayed, state lost",
)
