"""A host loses power, comes back without its guests, and pvm recover settles what is open."""

from collections.abc import Callable

from lablib import faults, hosts, pvm
from lablib.hosts import HOST_A, HOST_B, Host
from lablib.mixed import mixed
from lablib.runner import Row, finish, recover
from lablib.scenario import Scenario
from lablib.stage import Stage


def killed(victim: Host, at: str, word: str) -> Callable[[Stage, Row], None]:
    """Killed at this event; pvm runs on the other one, and says this word in the end."""

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
        # It may have come to its end just before the power went.
        recover(stage, row, said, on, word if said.exit_code else "recovered")
        finish(row, stage.happened())

    return play


def scenario(
    victim: Host, at: str, happen: str, slow_ms: int = 0, word: str = "recovered"
) -> Scenario:
    """Sending memory and saving the state are slow enough for the power to go in time."""
    return mixed(
        driver={"slow_ms": slow_ms},
        options=("--bandwidth", "1MiB") if at == "phase=perform" else (),
        predict="-",
        happen=happen,
        play=killed(victim, at, word),
        waits=True,
    )


def lost(victim: Host, at: str, slow_ms: int = 0) -> Scenario:
    """The only host that had the guest loses it: somebody has to decide what becomes of it."""
    return scenario(victim, at, "nowhere", slow_ms, "recover: undecided")


SCENARIOS = {
    "destination-in-claim": scenario(HOST_B, "phase=claim", "stayed"),
    "destination-in-recheck": scenario(HOST_B, "phase=recheck", "stayed"),
    "destination-in-detach": scenario(HOST_B, "phase=detach", "stayed"),
    "destination-in-perform": scenario(HOST_B, "phase=perform", "stayed"),
    "destination-in-switch-over": scenario(HOST_B, "event=switched", "stayed", slow_ms=4000),
    "destination-in-verify": lost(HOST_B, "phase=verify"),
    "destination-in-attach": lost(HOST_B, "phase=attach"),
    # The move was over but for what is left over, and that is gone as well.
    "destination-in-cleanup": scenario(HOST_B, "phase=cleanup", "nowhere"),
    # Nothing had been touched: there is nothing to undo, and pvm says that the guest runs no more.
    "source-in-claim": scenario(HOST_A, "phase=claim", "nowhere"),
    "source-in-recheck": scenario(HOST_A, "phase=recheck", "nowhere"),
    # The guest's lock is looked at before it is asked for its port.
    "source-in-detach": scenario(HOST_A, "phase=detach", "nowhere"),
    "source-in-perform": lost(HOST_A, "phase=perform"),
    "source-in-switch-over": lost(HOST_A, "event=switched", slow_ms=4000),
    "source-in-verify": scenario(HOST_A, "phase=verify", "moved"),
    "source-in-attach": scenario(HOST_A, "phase=attach", "moved"),
    "source-in-cleanup": scenario(HOST_A, "phase=cleanup", "moved"),
}
