"""A device that says it has its state and has not: only the guest can tell."""

from lablib.guest import Guest, Vf
from lablib.runner import Row, finish
from lablib.scenario import Scenario, Setup, only
from lablib.stage import Stage


def play(stage: Stage, row: Row) -> None:
    """No host sees this loss, so pvm is not asked: it is the lab that has to see it."""
    stage.prepare()
    finish(row, stage.force())


SCENARIO = Scenario(
    core=True,
    guest=Guest(vfs=(Vf("01:10.0"),)),
    destination=Setup(nova=only("02:10.2"), driver={"fault": "lose"}),
    moves={5: "02:10.2"},
    predict="compatible",
    happen="moved, state lost",
    play=play,
)
