"""Neither device offers PRE_COPY."""

from lablib.guest import Guest, Vf
from lablib.scenario import Scenario, Setup, only

SCENARIO = Scenario(
    rehearsed=True,
    guest=Guest(vfs=(Vf("01:10.0"),)),
    source=Setup(driver={"precopy": False}),
    destination=Setup(nova=only("02:10.2"), driver={"precopy": False}),
    moves={5: "02:10.2"},
    predict="compatible",
    happen="moved",
)
