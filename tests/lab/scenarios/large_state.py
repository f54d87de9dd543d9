"""A device whose state of 32 MiB takes longer than the usual downtime limit."""

from lablib.guest import Guest, Vf
from lablib.scenario import UNDONE, Scenario, Setup, only


def scenario(*options: str, **differs) -> Scenario:
    """libvirt alone would never end this one: QEMU waits for the state to fit the limit."""
    return Scenario(
        guest=Guest(vfs=(Vf("01:10.0"),)),
        source=Setup(driver={"ballast_kib": 32768}),
        destination=Setup(nova=only("02:10.2")),
        moves={5: "02:10.2"},
        predict="compatible",
        options=options,
        forced=False,
        **differs,
    )


SCENARIOS = {
    "": scenario("--max-downtime", "60s", happen="moved"),
    "limited": scenario(
        "--max-downtime",
        "100ms",
        "--timeout",
        "25s",
        say=UNDONE,
        happen="stayed",
    ),
}
