//! A spec that no device of the host falls under.

use super::Subject;
use crate::model::finding::Finding;
use crate::model::snapshot::{Device, Snapshot};
use crate::nova::config::View;

lint! {
    /// A device_spec matches no device of the host, or loses all of them to earlier ones.
    ///
    /// # Meaning
    /// Only with --host. The spec's ids or address fit no function of this host, or every one it fits falls under an
    /// earlier spec. A PF's address covers its VFs only if it is exact, sysfs calls it a PF, and product_id, if given,
    /// is the VFs' own.
    /// # Check by hand
    /// lspci -D -nn; pvm check-config --host HOST --trace ADDRESS
    /// # Fix
    /// Correct the ids or the address, or remove the spec.
    "spec-matches-nothing": Warning, run
}

fn run(subject: &Subject<'_>, found: &mut Vec<Finding>) {
    let Some(host) = subject.host else { return };
    let matched = subject.matched();
    for (i, spec) in subject.config.device_specs.iter().enumerate() {
        if matched.iter().any(|(_, winner)| *winner == Some(i)) {
            continue;
        }
        let fits = |device: &Device| {
            let parent = device.parent_addr.and_then(|address| host.device(address));
            subject.matcher.miss(i, &View::of(device, parent)).is_none()
        };
        let lost = matched
            .iter()
            .find(|(device, winner)| winner.is_some() && fits(device))
            .and_then(|(device, winner)| Some((device, (*winner)?)));
        found.push(match lost {
            Some((device, winner)) => {
                Finding::new(&RULE, "earlier device_specs take every device of this one on this host")
                    .at(spec.span(), "applies to no device")
                    .also(subject.config.device_specs[winner].span(), format!("applies to {}", device.address))
                    .remedy("put this one above the other, or remove it")
            }
            None => nothing(subject, host, i),
        });
    }
}

/// Why a spec matches nothing, as a trace of the devices would say it.
fn nothing(subject: &Subject<'_>, host: &Snapshot, index: usize) -> Finding {
    let spec = &subject.config.device_specs[index];
    let finding = Finding::new(&RULE, "this device_spec matches no device of this host");
    if let Some(name) = spec.devname.as_ref().and_then(|name| name.as_str()) {
        let interfaces = || host.devices.iter().filter_map(|device| device.netdev.as_deref());
        if !interfaces().any(|other| other == name) {
            let near: Vec<&str> = interfaces().filter(|other| other.starts_with(name)).take(4).collect();
            let there = if near.is_empty() { String::new() } else { format!("; there is {}", near.join(", ")) };
            return finding
                .at(spec.span(), format!("no interface {name} on this host{there}"))
                .remedy("compare it with: ip -br link");
        }
    }
    let has = |device: &Device| {
        (spec.vendor_id.is_any() || spec.vendor_id.id == device.vendor_id)
            && (spec.product_id.is_any() || spec.product_id.id == device.product_id)
    };
    let mut same = host.devices.iter().filter(|device| has(device)).peekable();
    if let Some(first) = same.peek().map(|device| device.address)
        && !(spec.vendor_id.is_any() && spec.product_id.is_any())
        && same.all(|device| device.address.domain > 0xffff)
    {
        return finding.at(spec.span(), format!("Nova skips {first}: its PCI domain is beyond ffff")).remedy(
            "no device_spec can name it; switch off the controller that opens the domain (Intel VMD) for this slot",
        );
    }
    finding.at(spec.span(), "no such device").remedy("compare it with: lspci -D -nn")
}
