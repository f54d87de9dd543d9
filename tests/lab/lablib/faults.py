"""What is done to the hosts from outside while a migration is under way."""

import threading
from collections.abc import Callable

from lablib import hosts
from lablib.hosts import HOSTS, Host


def cut() -> None:
    """No packet passes between the hosts any more; neither end notices."""
    for host in HOSTS:
        host.qmp("set_link", name="peer-nic", up=False)


def join() -> None:
    """Packets pass again."""
    for host in HOSTS:
        host.qmp("set_link", name="peer-nic", up=True)


def cut_for(seconds: float) -> Callable[[], None]:
    """Cuts, and joins again by itself: longer than libvirt's patience, not for ever."""

    def strike() -> None:
        cut()
        threading.Timer(seconds, join).start()

    return strike


def revive(host: Host) -> None:
    """Starts a host that was killed; it has forgotten everything."""
    hosts.launch(host)
    hosts.wait_ready(host)
