"""Another guest takes the VF that was planned for a port: it gets one of the same network."""

from lablib import pvm
from lablib.guest import Guest, Vf, full
from lablib.hosts import HOST_B
from lablib.mixed import mixed
from lablib.runner import Row, finish
from lablib.scenario import MIGRATABLE, MOVED, PORT, Setup, nova_conf
from lablib.stage import Stage, start

TAKER = Guest(name="taker", vfs=(Vf("02:10.4", slot=6, interface=True),))
PORTS = [PORT | {"address": full(address)} for address in ("02:10.4", "02:10.6")]


def take() -> None:
    """Starts a guest with the VF that the plan has chosen."""
    start(TAKER, HOST_B)


def play(stage: Stage, row: Row) -> None:
    """The saving of the device leaves the other guest time to start."""
    stage.prepare()
    row.predicted = pvm.preflight(stage.scenario.guest.name)["verdict"]
    said = pvm.migrate_watched(stage.scenario.guest.name, "phase=perform", take)
    row.said = said.word
    row.expect("pvm said", said.word, MOVED)
    finish(row, stage.happened())


SCENARIO = mixed(
    driver={"slow_ms": 15000},
    destination=Setup(nova=nova_conf(MIGRATABLE | {"address": full("01:10.2")}, *PORTS)),
    moves={5: "01:10.2", 6: "02:10.6"},
    predict="compatible",
    happen="moved",
    play=play,
)
