"""The first free VF of the destination belongs to a guest that is switched off."""

from lablib.guest import Guest, Vf
from lablib.scenario import Scenario, Setup, only

SCENARIO = Scenario(
    guest=Guest(vfs=(Vf("01:10.0"),)),
    destination=Setup(
        nova=only("01:10.0", "01:10.2"),
        guests=(Guest(name="sleeper", vfs=(Vf("01:10.0"),), persistent=True, started=False),),
    ),
    moves={5: "01:10.2"},
    predict="compatible",
    happen="moved",
)
