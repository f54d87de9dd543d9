"""Pairs of hosts side by side, each with a process of its own that plays on it."""

import multiprocessing
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

from lablib.cache import LabError, use_pair
from lablib.limits import end_with_parent
from lablib.runner import Row, run_one
from lablib.scenario import Scenario

# A scenario may hold functions, which cannot be sent to another process; a forked one has them.
FORK = multiprocessing.get_context("fork")


@dataclass(frozen=True)
class Session:
    """What is played, and how."""

    scenarios: list[Scenario]
    with_pvm: bool
    hosts: Callable[[], AbstractContextManager[None]]  # a pair of hosts, ready to play on

    def play_on(self, number: int, link: Connection) -> None:
        """A pair's process: plays the scenarios whose places in the list it is sent."""
        end_with_parent()
        use_pair(number)
        try:
            with self.hosts():
                link.send(None)
                while (place := link.recv()) is not None:
                    row = run_one(self.scenarios[place], self.with_pvm)
                    link.send((place, vars(row) | {"scenario": None}))
        except LabError as error:
            link.send(error)
        except KeyboardInterrupt:
            pass  # whoever sends them got it, too


@dataclass(frozen=True)
class Pair:
    """One pair's process, and the line to it."""

    process: BaseProcess
    link: Connection


@contextmanager
def pairs_of(session: Session, count: int) -> Iterator[list[Pair]]:
    """The pairs' processes; none of them outlasts this."""
    pairs: list[Pair] = []
    try:
        for number in range(count):
            ours, theirs = FORK.Pipe()
            process = FORK.Process(target=session.play_on, args=(number, theirs))
            process.start()
            theirs.close()
            pairs.append(Pair(process, ours))
        yield pairs
    except BaseException:
        for pair in pairs:
            pair.process.terminate()
        raise
    finally:
        for pair in pairs:
            pair.process.join()


def hear(pair: Pair) -> tuple[int, dict] | None:
    """What a pair's process says: a row that is over, or that it is ready for the first."""
    try:
        said = pair.link.recv()
    except EOFError:
        raise LabError("the process of a pair of hosts has ended") from None
    if isinstance(said, LabError):
        raise said
    return said


def play_all(session: Session, count: int, limit: int, tell: Callable[[Row], None]) -> list[Row]:
    """Plays every scenario, each on the next of the pairs that is free, none after `limit`
    seconds. Every row is told when it is over; they are given in the scenarios' order.

    A scenario that mostly waits for a dead peer costs no processor time: the last pair leaves
    those to the others as long as there is something else."""
    started = time.monotonic()
    scenarios = session.scenarios
    left = deque(sorted(range(len(scenarios)), key=lambda place: not scenarios[place].waits))
    rows = [Row(s, problems=[f"not played: {limit // 60} min are over"]) for s in scenarios]
    with pairs_of(session, count) as pairs:
        busy = {pair.link: pair for pair in pairs}
        while busy:
            for link in wait(list(busy)):
                pair = busy[link]
                if said := hear(pair):
                    place, told = said
                    rows[place] = Row(**told | {"scenario": scenarios[place]})
                    tell(rows[place])
                if not left or time.monotonic() - started > limit:
                    link.send(None)
                    del busy[link]
                else:
                    link.send(left.pop() if pair is pairs[-1] else left.popleft())
    return rows
