"""The VF is not managed on the source, and managed on the destination by its device_spec."""

from lablib.guest import Guest, Vf
from lablib.scenario import MOVED, NETDEV, VARIANT, Scenario, Setup, only


def scenario(driver: str, *options: str, **differs) -> Scenario:
    """Bound to this on the destination before libvirt takes it."""
    return Scenario(
        guest=Guest(vfs=(Vf("01:10.0"),)),
        destination=Setup(vfs={"02:10.2": driver}, nova=only("02:10.2", managed="yes")),
        moves={5: "02:10.2"},
        rebound={"b": {"02:10.2": VARIANT}},
        happen="moved",
        options=options,
        **differs,
    )


SCENARIOS = {
    "bound": scenario(VARIANT, predict="compatible"),
    "net-driver": scenario(
        NETDEV,
        "--allow",
        "all",
        withheld="what a device can do that has no VFIO driver yet",
        predict="unknown",
        say=MOVED,
    ),
}
