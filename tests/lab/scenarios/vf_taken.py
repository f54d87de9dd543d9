"""Another guest takes the planned VF at the last moment: pvm plans again without it."""

from lablib import pvm
from lablib.guest import Guest, Vf, full
from lablib.hosts import HOST_A, HOST_B
from lablib.mixed import mixed
from lablib.runner import Row, finish
from lablib.scenario import MIGRATABLE, MOVED, PORT, Setup, nova_conf
from lablib.stage import Stage, start

TAKER = Guest(name="taker", vfs=(Vf("01:10.2", slot=6),))


def take() -> None:
    """Starts a guest with the VF that the plan has chosen."""
    start(TAKER, HOST_B)


def interrupt(_: pvm.Process) -> None:
    """Ctrl-C."""
    HOST_A.ssh("pkill", "-INT", "-x", "pvm")


def ids(said: pvm.Said) -> list[str]:
    """Every attempt's, in order."""
    return list(dict.fromkeys(event["id"] for event in said.events if "id" in event))


def play(stage: Stage, row: Row) -> None:
    """libvirt refuses the VF; the port is plugged in again, and unplugged for the next attempt."""
    stage.prepare()
    row.predicted = pvm.preflight(stage.scenario.guest.name)["verdict"]
    said = pvm.migrate_held(stage.scenario.guest.name, "phase=detach", take)
    row.said = said.word
    row.expect("pvm said", said.word, MOVED)
    row.expect("attempts", len(ids(said)), 2)
    finish(row, stage.happened())


def play_stopped(stage: Stage, row: Row) -> None:
    """Ctrl-C in the second attempt ends that one, and undoes it."""
    stage.prepare()
    row.predicted = pvm.preflight(stage.scenario.guest.name)["verdict"]
    said = pvm.migrate_held(
        stage.scenario.guest.name,
        "phase=detach",
        take,
        "--bandwidth",
        "1MiB",
        then=(("phase=detach", lambda _: None), ("event=progress", interrupt)),
    )
    row.said = said.word
    row.expect("pvm said", said.word, "interrupted")
    row.expect("attempts", len(ids(said)), 2)
    row.expect("the result is of", said.events[-1]["id"], ids(said)[-1])
    finish(row, stage.happened())


def scenario(**differs):
    """Two VFs to choose from, and a port, so that pvm is held before libvirt is asked."""
    offers = [MIGRATABLE | {"address": full(address)} for address in ("01:10.2", "01:10.4")]
    return mixed(
        destination=Setup(nova=nova_conf(*offers, PORT | {"address": full("02:10.4")})),
        moves={5: "01:10.4", 6: "02:10.4"},
        predict="compatible",
        **differs,
    )


SCENARIOS = {
    "": scenario(happen="moved", play=play),
    "stopped": scenario(happen="stayed", play=play_stopped),
}
