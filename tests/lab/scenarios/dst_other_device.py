"""The destination's VF is another kind of device, on the same variant driver."""

from lablib.guest import Guest, Vf
from lablib.scenario import OTHER_DEVICE, Scenario, Setup, nova_conf

SCENARIO = Scenario(
    guest=Guest(vfs=(Vf("01:10.0"),)),
    destination=Setup(
        nova=nova_conf(
            {
                "vendor_id": "1b36",
                "product_id": "0010",
                "address": "0000:03:00.1",
                "live_migratable": "yes",
            },
        ),
    ),
    moves={5: OTHER_DEVICE},
    predict="incompatible",
    happen="stayed",
)
