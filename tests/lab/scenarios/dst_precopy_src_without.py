"""The destination's device offers PRE_COPY, the source's does not: who asks whom decides.

Up to machine type 11.0 the destination waits for initial data that never comes, and libvirt never
ends; from 11.1 on the source asks by itself."""

from lablib.guest import Guest, Vf
from lablib.scenario import NEW, Scenario, Setup, only


def scenario(machine: str = "pc", **differs) -> Scenario:
    """A guest of this machine type."""
    usual = {"predict": "incompatible", "codes": ("migration-flags",), "happen": "hung, stayed"}
    return Scenario(
        guest=Guest(vfs=(Vf("01:10.0"),), machine=machine),
        source=Setup(driver={"precopy": False}),
        destination=Setup(nova=only("02:10.2")),
        moves={5: "02:10.2"},
        **usual | differs,
    )


SCENARIOS = {
    "": scenario(
        core=True,
        on={"trixie": {"predict": "compatible", "codes": (), "happen": "moved"}},
    ),
    "machine-11-0": scenario("pc-i440fx-11.0", needs=NEW),
}
