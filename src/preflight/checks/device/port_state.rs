//! A port moves with its state only when both specs let it.

use super::prelude::*;
use crate::model::snapshot::{Declared, Host};
use crate::plan::Role;

check! {
    /// Only one host lets the port move with its state.
    ///
    /// # Meaning
    /// When the device_spec of both hosts says live_migratable: yes and physical_network, a port migrates with its
    /// state. When only one does, it is detached before and attached afterwards, which the guest sees; with --no-replug
    /// such a port is an error.
    /// # Check by hand
    /// pvm check-config on both hosts.
    /// # Fix
    /// Add the missing tag to the other host's device_spec.
    "port-state": Warning, Device(run)
}

fn run(device: &DevicePair<'_>) -> Vec<Verdict> {
    if device.held.role != Role::Port {
        return Vec::new();
    }
    let lets = |device: &Device| device.declared == Declared::Yes && device.tags.physical_network.is_some();
    let (s, d) = (lets(device.pair.source), lets(device.pair.destination));
    if device.instance.terms.no_detach && !device.held.port_migrates {
        let why = match (s, d) {
            (true, true) => format!("{} cannot take over its state", device.pair.destination.address),
            (true, false) => lacks(device.pair.destination, device.instance.destination()),
            (false, true) => lacks(device.pair.source, device.instance.source()),
            (false, false) => "no host's device_spec lets it move with its state".to_owned(),
        };
        let sentence = format!("{why}: the port would have to be unplugged, which --no-replug forbids");
        return vec![Verdict::fail(sentence).weighing(Severity::Error).remedy("leave --no-replug out")];
    }
    if s == d {
        return vec![Verdict::pass()];
    }
    let (guilty, host) = if s {
        (device.pair.destination, device.instance.destination())
    } else {
        (device.pair.source, device.instance.source())
    };
    vec![Verdict::fail(format!("{}: the port is detached and attached", lacks(guilty, host))).remedy(format!(
        "add {} to the device_spec of {}",
        missing_tag(guilty),
        name(host)
    ))]
}

fn missing_tag(device: &Device) -> &'static str {
    if device.declared == Declared::Yes { "physical_network" } else { "live_migratable" }
}

fn lacks(device: &Device, host: &Host) -> String {
    format!("{} on {} lacks {}", device.address, name(host), missing_tag(device))
}
