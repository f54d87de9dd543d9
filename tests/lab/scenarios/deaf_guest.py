"""A guest that does not answer when its port is to be detached.

It may yet obey: pvm keeps the record open instead of taking the request for undone.
"""

from lablib.guest import Guest, Vf
from lablib.scenario import MIGRATABLE, PORT, Scenario, Setup, nova_conf

SCENARIO = Scenario(
    guest=Guest(
        vfs=(Vf("01:10.0", slot=5), Vf("02:10.0", slot=6, interface=True, port=True)),
        deaf=True,
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
    say="stayed, not looked at",
    happen="stayed",
    forced=False,
)
