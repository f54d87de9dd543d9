"""From a to b and back again, each time to another address."""

from lablib import pvm
from lablib.guest import Guest, Vf
from lablib.hosts import HOST_A, HOST_B
from lablib.runner import Row, expect_predicted, finish
from lablib.scenario import MOVED, Scenario, Setup, only
from lablib.stage import Stage


def play(stage: Stage, row: Row) -> None:
    """pvm runs where the guest is."""
    stage.prepare()
    guest = stage.scenario.guest
    there = pvm.migrate(guest.name)
    row.expect("there", there.word, MOVED)
    row.expect("there", stage.happened({5: "02:10.2"}).word, "moved")

    report = pvm.preflight(guest.name, HOST_B, HOST_A)
    row.predicted = report["verdict"]
    expect_predicted(row, report)
    back = pvm.migrate(guest.name, source=HOST_B, destination=HOST_A)
    row.said = back.word
    row.expect("back", back.word, MOVED)
    stage.home = "b"
    finish(row, stage.happened({5: "01:10.0"}))


SCENARIO = Scenario(
    guest=Guest(vfs=(Vf("01:10.4"),)),
    source=Setup(nova=only("01:10.0", "01:10.4")),
    destination=Setup(nova=only("02:10.2")),
    predict="compatible",
    happen="moved",
    play=play,
)
