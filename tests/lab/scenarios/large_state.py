"""A device whose state takes longer than the usual downtime limit."""

from lablib import pvm
from lablib.guest import Guest, Vf
from lablib.runner import Row, finish
from lablib.scenario import MOVED, UNDONE, Scenario, Setup, only
from lablib.stage import Stage


def scenario(*options: str, ballast_kib: int = 32768, **differs) -> Scenario:
    """libvirt alone would never end this one: QEMU waits for the state to fit the limit."""
    usual = {"predict": "compatible", "options": options, "forced": False}
    return Scenario(
        guest=Guest(vfs=(Vf("01:10.0"),)),
        source=Setup(driver={"ballast_kib": ballast_kib}),
        destination=Setup(nova=only("02:10.2")),
        moves={5: "02:10.2"},
        **usual | differs,
    )


def raised(stage: Stage, row: Row) -> None:
    """Told nothing, pvm raises the limit itself once there is no progress."""
    stage.prepare()
    said = pvm.migrate(stage.scenario.guest.name, *stage.scenario.options)
    row.said = said.word
    row.expect("pvm said", said.word, MOVED)
    notes = [event["message"] for event in said.events if event["event"] == "note"]
    row.expect("raised", any("the limit of the pause is raised" in n for n in notes), True)
    finish(row, stage.happened())


SCENARIOS = {
    "": scenario("--max-downtime", "60s", happen="moved"),
    "raised": scenario(
        "--bandwidth",
        "1MiB",
        ballast_kib=1024,
        predict="-",
        happen="moved",
        play=raised,
        waits=True,
    ),
    "limited": scenario(
        "--max-downtime",
        "100ms",
        "--timeout",
        "25s",
        say=UNDONE,
        happen="stayed",
    ),
}
