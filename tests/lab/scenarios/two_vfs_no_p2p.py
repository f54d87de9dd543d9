"""Two VFs of devices without P2P."""

from lablib.guest import Guest, Vf
from lablib.scenario import Scenario, Setup, only

SCENARIO = Scenario(
    guest=Guest(vfs=(Vf("01:10.0", slot=5), Vf("02:10.0", slot=6))),
    source=Setup(driver={"p2p": False}),
    destination=Setup(nova=only("01:10.2", "02:10.2"), driver={"p2p": False}),
    moves={5: "01:10.2", 6: "02:10.2"},
    predict="incompatible",
    happen="stayed",
)
