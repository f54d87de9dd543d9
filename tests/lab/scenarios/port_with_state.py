"""A port whose VFs are declared live_migratable on both hosts moves with its state."""

from lablib.guest import Guest, Vf
from lablib.scenario import MIGRATABLE, Scenario, Setup, nova_conf, only

SCENARIO = Scenario(
    core=True,
    guest=Guest(vfs=(Vf("01:10.0", interface=True),)),
    source=Setup(nova=nova_conf(MIGRATABLE | {"physical_network": "physnet1"})),
    destination=Setup(nova=only("02:10.2", physical_network="physnet1")),
    moves={5: "02:10.2"},
    predict="compatible",
    happen="moved",
)
