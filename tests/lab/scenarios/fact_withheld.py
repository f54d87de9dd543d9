"""What the destination's device can do is kept from pvm: it says unknown, and is right to."""

from lablib.guest import Guest, Vf
from lablib.scenario import MOVED, Scenario, Setup, only

ACCEPT = ("--allow", "all")


def no_debugfs(*options: str, **differs) -> Scenario:
    """Without debugfs nothing tells, short of opening it, what a free device can do."""
    return Scenario(
        guest=Guest(vfs=(Vf("01:10.0"),)),
        destination=Setup(nova=only("02:10.2"), debugfs=False),
        moves={5: "02:10.2"},
        withheld="whether the destination's device can migrate",
        predict="unknown",
        happen="moved",
        options=options,
        **differs,
    )


def no_pvm(*options: str, **differs) -> Scenario:
    """libvirt over there knows the devices, not what they are declared as nor what they can do."""
    return Scenario(
        guest=Guest(vfs=(Vf("01:10.4"),)),
        destination=Setup(pvm=False),
        moves={5: "01:10.0"},
        withheld="everything of the destination that libvirt does not know",
        predict="unknown",
        happen="moved",
        options=options,
        **differs,
    )


SCENARIOS = {
    "no-debugfs": no_debugfs(),
    "no-debugfs-accepted": no_debugfs(*ACCEPT, say=MOVED),
    "no-pvm": no_pvm(),
    "no-pvm-accepted": no_pvm(*ACCEPT, say="moved, not verified"),
}
