"""Two VFs, none of which offers PRE_COPY."""

from lablib.guest import Guest, Vf
from lablib.scenario import Scenario, Setup, only

SCENARIO = Scenario(
    rehearsed=True,
    guest=Guest(vfs=(Vf("02:10.0", slot=5), Vf("01:10.0", slot=6))),
    source=Setup(driver={"precopy": False}),
    destination=Setup(nova=only("01:10.0", "02:10.0"), driver={"precopy": False}),
    moves={5: "01:10.0", 6: "02:10.0"},
    predict="compatible",
    happen="moved",
)
