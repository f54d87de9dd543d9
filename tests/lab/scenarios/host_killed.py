"""A host loses power, comes back without its guests, and pvm recover settles what is open."""

from collections.abc import Callable

from lablib import faults, hosts, pvm
from lablib.guest import Guest, Vf
from lablib.hosts import HOST_A, HOST_B, Host
from lablib.runner import Row, finish, recover
from lablib.scenario import Scenario, Setup, only
from lablib.stage import Stage


def killed(victim: Host, at: str) -> Callable[[Stage, Row], None]:
    """Killed at this event; pvm runs on the other one."""

    def play(stage: Stage, row: Row) -> None:
        stage.prepare()
        name = stage.scenario.guest.name
        options = stage.scenario.options
        on, to = HOST_A, HOST_B.name
        if victim == HOST_A:
            on, to, options = HOST_B, "local", (*options, "--from", HOST_A.name)
        try:
            said = pvm.migrate_watched(name, at, lambda: hosts.kill(victim), *options, on=on, to=to)
        finally:
            if victim.pid() is None:
                faults.revive(victim)
        stage.note(said.stderr)
        if stage.scenario.happen == "nowhere":
            row.said = said.word
            row.expect("pvm recover", pvm.recover(on).word, "recover: undecided")
        else:
            recover(stage, row, said, on)
        finish(row, stage.happened())

    return play


def scenario(victim: Host, at: str, happen: str, slow_ms: int = 0) -> Scenario:
    """Slow enough for the power to go in time."""
    return Scenario(
        guest=Guest(vfs=(Vf("01:10.0"),)),
        source=Setup(driver={"slow_ms": slow_ms}),
        destination=Setup(nova=only("02:10.2")),
        moves={5: "02:10.2"},
        options=("--bandwidth", "1MiB"),
        predict="-",
        happen=happen,
        play=killed(victim, at),
    )


SCENARIOS = {
    "destination-in-perform": scenario(HOST_B, "phase=perform", "stayed"),
    "destination-in-switch-over": scenario(HOST_B, "event=switched", "stayed", slow_ms=4000),
    "source-in-perform": scenario(HOST_A, "phase=perform", "nowhere"),
    "source-in-verify": scenario(HOST_A, "phase=verify", "moved"),
}
