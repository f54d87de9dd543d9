"""The source's device has new initial data half-way (Linux 7.3, QEMU 11.1): it goes before the pause."""

from lablib.guest import Guest, Vf
from lablib.scenario import Scenario, Setup, only

SCENARIO = Scenario(
    guest=Guest(vfs=(Vf("01:10.0"),)),
    source=Setup(driver={"reinit": True}),
    destination=Setup(nova=only("02:10.2")),
    moves={5: "02:10.2"},
    predict="compatible",
    happen="moved",
)
