"""Limits of time, and an orderly end when somebody else sets one."""

import ctypes
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from lablib.cache import LabError


@contextmanager
def within(seconds: int, what: str) -> Iterator[None]:
    """Fails what is not over after this time. For the main thread; limits do not nest."""

    def over(*_: object) -> None:
        raise LabError(f"{what} is not over after {seconds} s")

    before = signal.signal(signal.SIGALRM, over)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def end_in_order() -> None:
    """Makes SIGTERM and SIGHUP end the lab as Ctrl-C does: with what it started."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda got, _: sys.exit(128 + got))


def end_with_parent() -> None:
    """Makes the kernel send this process SIGTERM when the one that started it ends."""
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGTERM)
