"""The source's device has new initial data half-way, which is sent before the pause."""

from lablib.guest import Guest, Vf
from lablib.scenario import NEW, Scenario, Setup, only

SCENARIO = Scenario(
    guest=Guest(vfs=(Vf("01:10.0"),)),
    source=Setup(driver={"reinit": True}),
    destination=Setup(nova=only("02:10.2")),
    moves={5: "02:10.2"},
    needs=NEW,
    predict="compatible",
    happen="moved",
)
