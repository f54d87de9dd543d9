"""The stopped device takes longer to save itself than the guest may be paused."""

from lablib.guest import Guest, Vf
from lablib.scenario import Scenario, Setup, only

SCENARIO = Scenario(
    guest=Guest(vfs=(Vf("01:10.0"),)),
    source=Setup(driver={"slow_ms": 3000}),
    destination=Setup(nova=only("02:10.2")),
    moves={5: "02:10.2"},
    predict="compatible",
    happen="moved",
)
