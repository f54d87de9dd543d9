"""The destination's device offers PRE_COPY, the source's does not: libvirt never ends."""

from lablib.guest import Guest, Vf
from lablib.scenario import Scenario, Setup, only

SCENARIO = Scenario(
    core=True,
    guest=Guest(vfs=(Vf("01:10.0"),)),
    source=Setup(driver={"precopy": False}),
    destination=Setup(nova=only("02:10.2")),
    moves={5: "02:10.2"},
    predict="incompatible",
    happen="hung, stayed",
)
