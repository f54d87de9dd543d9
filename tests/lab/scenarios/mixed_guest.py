"""A guest with one migratable VF and one port, which is detached and re-attached."""

from lablib.guest import Guest, Vf
from lablib.scenario import MIGRATABLE, PORT, Scenario, Setup, nova_conf

SCENARIO = Scenario(
    core=True,
    guest=Guest(
        vfs=(Vf("01:10.0", slot=5), Vf("02:10.0", slot=6, interface=True, port=True)),
    ),
    source=Setup(
        nova=nova_conf(
            MIGRATABLE | {"address": "0000:01:10.*"}, PORT | {"address": "0000:02:10.*"}
        ),
    ),
    destination=Setup(
        nova=nova_conf(
            MIGRATABLE | {"address": "0000:01:10.2"}, PORT | {"address": "0000:02:10.4"}
        ),
    ),
    moves={5: "01:10.2", 6: "02:10.4"},
    predict="compatible",
    happen="moved",
    forced=False,
)
