"""The VF is managed on the source, not on the destination, whose VF is bound beforehand."""

from lablib.guest import Guest, Vf
from lablib.scenario import Scenario, Setup, only

SCENARIO = Scenario(
    guest=Guest(vfs=(Vf("01:10.0", managed=True),)),
    destination=Setup(nova=only("02:10.2", managed="no")),
    moves={5: "02:10.2"},
    predict="compatible",
    happen="moved",
    forced_managed="no",
)
