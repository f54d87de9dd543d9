"""pvm is killed, then pvm recover finishes or undoes what it left."""

from collections.abc import Callable

from lablib import pvm
from lablib.mixed import mixed
from lablib.runner import Row, finish, recover
from lablib.scenario import Scenario
from lablib.stage import Stage


def killed(at: str, delay: int, word: str) -> Callable[[Stage, Row], None]:
    """Killed on its host, so many seconds after this event; what pvm recover then says."""

    def play(stage: Stage, row: Row) -> None:
        stage.prepare()
        name = stage.scenario.guest.name
        said = pvm.migrate_struck(name, at, delay, "--bandwidth", "4MiB")
        recover(stage, row, said, word=word)
        finish(row, stage.happened())

    return play


def scenario(at: str, happen: str, delay: int = 0, word: str = "recovered", **differs) -> Scenario:
    """With a port, so that every phase has work."""
    return mixed(predict="-", happen=happen, play=killed(at, delay, word), **differs)


SCENARIOS = {
    "in-claim": scenario("phase=claim", "stayed"),
    "in-recheck": scenario("phase=recheck", "stayed"),
    # pvm waits 30 s for this one to unplug its port; it may yet obey, so the record stays open.
    "in-detach-deaf": scenario(
        "phase=detach", "stayed", 8, "recover: left open", deaf=True, marked=True
    ),
    "in-perform": scenario("event=progress", "moved", core=True),
    "after-switch": scenario("event=switched", "moved"),
    "in-verify": scenario("phase=verify", "moved"),
    "in-attach": scenario("phase=attach", "moved"),
    "in-cleanup": scenario("phase=cleanup", "moved"),
}
