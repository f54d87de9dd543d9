"""VFs that libvirt binds by itself, from the network driver and from nothing."""

from lablib.guest import Guest, Vf
from lablib.scenario import MOVED, NETDEV, VARIANT, Scenario, Setup, only


def scenario(destination_driver: str | None, *options: str, **differs) -> Scenario:
    """Bound to what it is on the destination before libvirt takes it."""
    return Scenario(
        guest=Guest(vfs=(Vf("01:10.0", managed=True),)),
        source=Setup(vfs={"01:10.0": NETDEV}),
        destination=Setup(vfs={"02:10.2": destination_driver}, nova=only("02:10.2")),
        moves={5: "02:10.2"},
        rebound={"b": {"02:10.2": VARIANT}},
        withheld="what a device can do that has no VFIO driver yet",
        predict="unknown",
        happen="moved",
        options=options,
        **differs,
    )


ACCEPT = ("--allow", "all")

SCENARIOS = {
    "net-driver": scenario(NETDEV),
    "net-driver-accepted": scenario(NETDEV, *ACCEPT, say=MOVED),
    "no-driver": scenario(None),
    "no-driver-accepted": scenario(None, *ACCEPT, say=MOVED),
}
