"""What is done to the hosts from outside while a migration is under way."""

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


def revive(host: Host) -> None:
    """Starts a host that was killed; it has forgotten everything."""
    hosts.launch(host)
    hosts.wait_ready(host)
