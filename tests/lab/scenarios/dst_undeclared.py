"""The destination's VF could be migrated to, but is not declared live_migratable."""

from lablib.guest import Guest, Vf
from lablib.scenario import Scenario, Setup, only

SCENARIO = Scenario(
    core=True,
    guest=Guest(vfs=(Vf("01:10.0"),)),
    destination=Setup(nova=only("02:10.2", live_migratable="no")),
    moves={5: "02:10.2"},
    predict="incompatible",
    forced=False,
    happen="not tried",
)
