"""The mixed guest: one VF migrates with its state, one port is detached and re-attached."""

from lablib.guest import Guest, Vf
from lablib.scenario import MIGRATABLE, PORT, Scenario, Setup, nova_conf


def offers(migratable: str, ports: str) -> str:
    """A nova.conf with VFs to migrate to, and VFs for ports."""
    return nova_conf(MIGRATABLE | {"address": migratable}, PORT | {"address": ports})


SOURCE = offers("0000:01:10.*", "0000:02:10.*")
DESTINATION = offers("0000:01:10.2", "0000:02:10.4")


def mixed(deaf: bool = False, driver: dict[str, object] | None = None, **differs) -> Scenario:
    """A scenario with this guest; a deaf one does not acknowledge that its port is unplugged."""
    usual = {
        "guest": Guest(
            vfs=(Vf("01:10.0", slot=5), Vf("02:10.0", slot=6, interface=True, port=True)),
            deaf=deaf,
        ),
        "source": Setup(driver=driver or {}, nova=SOURCE),
        "destination": Setup(nova=DESTINATION),
        "moves": {5: "01:10.2", 6: "02:10.4"},
    }
    return Scenario(**usual | differs)
