"""Four VFs of one alias."""

from lablib.guest import Guest, Vf
from lablib.scenario import Scenario, Setup, only

SCENARIO = Scenario(
    guest=Guest(
        vfs=(
            Vf("01:10.0", slot=5),
            Vf("01:10.2", slot=6),
            Vf("01:10.4", slot=7),
            Vf("01:10.6", slot=8),
        ),
    ),
    destination=Setup(nova=only("02:10.0", "02:10.2", "02:10.4", "02:10.6")),
    moves={5: "02:10.0", 6: "02:10.2", 7: "02:10.4", 8: "02:10.6"},
    predict="compatible",
    happen="moved",
)
