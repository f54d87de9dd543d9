"""pvm connects to both hosts itself, and carries libvirt's words between them."""

from lablib.guest import Guest, Vf
from lablib.scenario import Scenario, Setup, only

SCENARIO = Scenario(
    guest=Guest(vfs=(Vf("01:10.0"),), persistent=True),
    destination=Setup(nova=only("02:10.2")),
    moves={5: "02:10.2"},
    options=("--direct",),
    predict="compatible",
    happen="moved",
)
