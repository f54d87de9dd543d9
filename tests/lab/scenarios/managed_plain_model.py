"""The VF's XML names plain vfio-pci, which counts for nothing until a host manages the VF."""

from lablib.guest import Guest, Vf
from lablib.runner import Row, finish
from lablib.scenario import PLAIN, Scenario, Setup, only
from lablib.stage import Stage


def libvirt_alone(stage: Stage, row: Row) -> None:
    """The trap that pvm's XML avoids: the destination's VF is bound to what the XML names."""
    stage.prepare()
    finish(row, stage.force())


def scenario(**differs) -> Scenario:
    """Not managed on the source, managed on the destination."""
    return Scenario(
        guest=Guest(vfs=(Vf("01:10.0", model=PLAIN),)),
        destination=Setup(nova=only("02:10.2", managed="yes")),
        moves={5: "02:10.2"},
        forced_managed="yes",
        **differs,
    )


SCENARIOS = {
    "": scenario(predict="compatible", happen="moved"),
    "libvirt-alone": scenario(
        predict="-", happen="stayed", rebound={"b": {"02:10.2": (PLAIN, None)}}, play=libvirt_alone
    ),
}
