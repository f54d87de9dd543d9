"""A host loses power, comes back without its guests, and pvm recover settles what is open."""

from collections.abc import Callable

from lablib import faults, hosts, pvm
from lablib.hosts import HOST_A, HOST_B, Host
from lablib.mixed import mixed
from lablib.runner import Row, finish, recover
from lablib.scenario import Scenario
from lablib.stage import Stage


def killed(victim: Host, at: str) -> Callable[[Stage, Row], None]:
    """Killed at this event; pvm runs on the other one."""

    def play(stage: Stage, row: Row) -> None:
        stage.prepare()
        name = stage.scenario.guest.name
        options = stage.scenario.options
        on = HOST_A
        if victim == HOST_A:
            on, options = HOST_B, (*options, "--from", HOST_A.name)
        try:
            said = pvm.migrate_watched(name, at, lambda: hosts.kill(victim), *options, on=on)
        finally:
            if victim.pid() is None:
                faults.revive(victim)
        stage.note(said.stderr)
        if stage.scenario.happen == "nowhere":
            row.said = said.word
            if said.exit_code != 0:  # it may have come to its end just before the power went
                row.expect("pvm recover", pvm.recover(on).word, "recover: undecided")
        else:
            recover(stage, row, said, on)
        finish(row, stage.happened())

    return play


def scenario(victim: Host, at: str, happen: str, slow_ms: int = 0) -> Scenario:
    """Slow enough for the power to go in time."""
    return mixed(
        driver={"slow_ms": slow_ms},
        options=("--bandwidth", "1MiB"),
        predict="-",
        happen=happen,
        play=killed(victim, at),
    )


SCENARIOS = {
    "destination-in-claim": scenario(HOST_B, "phase=claim", "stayed"),
    "destination-in-detach": scenario(HOST_B, "phase=detach", "stayed"),
    "destination-in-perform": scenario(HOST_B, "phase=perform", "stayed"),
    "destination-in-switch-over": scenario(HOST_B, "event=switched", "stayed", slow_ms=4000),
    "destination-in-verify": scenario(HOST_B, "phase=verify", "nowhere"),
    "source-in-perform": scenario(HOST_A, "phase=perform", "nowhere"),
    "source-in-switch-over": scenario(HOST_A, "event=switched", "nowhere", slow_ms=4000),
    "source-in-verify": scenario(HOST_A, "phase=verify", "moved"),
}
