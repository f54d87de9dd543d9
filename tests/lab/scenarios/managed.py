"""VFs that libvirt binds by itself, from the network driver and from nothing."""

from lablib.guest import Guest, Vf
from lablib.scenario import NETDEV, Scenario, Setup, only


def scenario(destination_driver: str | None) -> Scenario:
    """Bound to what it is on the destination before libvirt takes it."""
    return Scenario(
        guest=Guest(vfs=(Vf("01:10.0", managed=True),)),
        source=Setup(vfs={"01:10.0": NETDEV}),
        destination=Setup(vfs={"02:10.2": destination_driver}, nova=only("02:10.2")),
        moves={5: "02:10.2"},
        predict="compatible",
        happen="moved",
    )


SCENARIOS = {"net-driver": scenario(NETDEV), "no-driver": scenario(None)}
