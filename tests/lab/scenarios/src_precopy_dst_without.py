"""The source's device offers PRE_COPY, the destination's does not."""

from lablib.guest import Guest, Vf
from lablib.scenario import Scenario, Setup, only

SCENARIO = Scenario(
    guest=Guest(vfs=(Vf("01:10.0"),)),
    destination=Setup(nova=only("02:10.2"), driver={"precopy": False}),
    moves={5: "02:10.2"},
    predict="incompatible",
    happen="stayed",
)
