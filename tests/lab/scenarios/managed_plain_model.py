"""A managed VF whose XML names plain vfio-pci: libvirt binds the destination's VF to that."""

from lablib.guest import Guest, Vf
from lablib.scenario import PLAIN, Scenario, Setup, only

SCENARIO = Scenario(
    guest=Guest(vfs=(Vf("01:10.0", model=PLAIN),)),
    destination=Setup(nova=only("02:10.2", managed="yes")),
    moves={5: "02:10.2"},
    predict="incompatible",
    happen="stayed",
    forced_managed="yes",
)
