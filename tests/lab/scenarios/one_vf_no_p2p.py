"""One VF of a device without P2P."""

from lablib.guest import Guest, Vf
from lablib.scenario import Scenario, Setup, only

SCENARIO = Scenario(
    guest=Guest(vfs=(Vf("01:10.0"),)),
    source=Setup(driver={"p2p": False}),
    destination=Setup(nova=only("02:10.2"), driver={"p2p": False}),
    moves={5: "02:10.2"},
    predict="compatible",
    happen="moved",
)
