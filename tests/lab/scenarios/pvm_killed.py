"""pvm is killed, then pvm recover finishes or undoes what it left."""

from collections.abc import Callable

from lablib import pvm
from lablib.guest import Guest, Vf
from lablib.runner import Row, finish, recover
from lablib.scenario import MIGRATABLE, PORT, Scenario, Setup, nova_conf
from lablib.stage import Stage


def killed(at: str) -> Callable[[Stage, Row], None]:
    """Killed at this event, on the host, as soon as it says so."""

    def play(stage: Stage, row: Row) -> None:
        stage.prepare()
        name = stage.scenario.guest.name
        said = pvm.migrate_struck(name, at, "self", "--bandwidth", "4MiB")
        recover(stage, row, said)
        finish(row, stage.happened())

    return play


def scenario(at: str, happen: str, core: bool = False) -> Scenario:
    """A guest with a VF that migrates and a port that is detached and re-attached."""
    return Scenario(
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
        predict="-",
        happen=happen,
        core=core,
        play=killed(at),
    )


SCENARIOS = {
    "in-claim": scenario("phase=claim", "stayed"),
    "in-recheck": scenario("phase=recheck", "stayed"),
    "in-detach": scenario("phase=detach", "stayed"),
    "in-perform": scenario("event=progress", "moved", core=True),
    "after-switch": scenario("event=switched", "moved"),
    "in-verify": scenario("phase=verify", "moved"),
    "in-attach": scenario("phase=attach", "moved"),
    "in-cleanup": scenario("phase=cleanup", "moved"),
}
