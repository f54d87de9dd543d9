//! Nova's filters keep the device from the request, or not.

use super::prelude::*;

check! {
    /// Nova's filters keep the device from the request.
    ///
    /// # Meaning
    /// The device is in none of the pools that Nova lets the request use: another type than the alias says, a PF or
    /// vDPA device that was not asked for, one managed by a remote host, or another tag.
    /// # Check by hand
    /// pvm check-config --request ALIAS:N on the destination.
    /// # Fix
    /// Change the alias or the device_spec; instances keep the request of their boot until they are resized.
    "nova-filter": Error, Device(run)
}

fn run(device: &DevicePair<'_>) -> Vec<Verdict> {
    vec![if device.held.missed == Some("nova-filter") {
        Verdict::fail(format!("Nova's filters keep the device from the request: {}", device.pair.destination.address))
            .remedy(
                "change the alias or the device_spec; instances keep the request of their boot until they are resized.",
            )
    } else {
        Verdict::pass()
    }]
}
