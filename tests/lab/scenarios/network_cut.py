"""The network between the hosts is cut until pvm ends, then pvm recover settles what is open."""

from collections.abc import Callable

from lablib import faults, pvm
from lablib.mixed import mixed
from lablib.runner import Row, finish, recover
from lablib.scenario import Scenario
from lablib.stage import Stage


def cut(at: str) -> Callable[[Stage, Row], None]:
    """Cut at this event."""

    def play(stage: Stage, row: Row) -> None:
        stage.prepare()
        name = stage.scenario.guest.name
        try:
            said = pvm.migrate_watched(name, at, faults.cut, *stage.scenario.options)
        finally:
            faults.join()
        stage.note(said.stderr)
        recover(stage, row, said)
        finish(row, stage.happened())

    return play


def scenario(at: str, happen: str, slow_ms: int = 0) -> Scenario:
    """Sending memory and saving the state are slow enough for the cut to come in time; with a
    port, so that every phase has work."""
    return mixed(
        driver={"slow_ms": slow_ms},
        options=("--bandwidth", "1MiB") if at == "phase=perform" else (),
        predict="-",
        happen=happen,
        play=cut(at),
        waits=True,
    )


SCENARIOS = {
    "in-claim": scenario("phase=claim", "stayed"),
    "in-recheck": scenario("phase=recheck", "stayed"),
    "in-detach": scenario("phase=detach", "stayed"),
    "in-perform": scenario("phase=perform", "stayed"),
    "in-switch-over": scenario("event=switched", "stayed", slow_ms=4000),
    "in-verify": scenario("phase=verify", "moved"),
    "in-attach": scenario("phase=attach", "moved"),
    "in-cleanup": scenario("phase=cleanup", "moved"),
}
