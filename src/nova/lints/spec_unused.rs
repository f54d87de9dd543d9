//! A spec that no device of the host falls under.

use super::Subject;
use crate::nova::config::View;
use crate::text::Diagnostic;

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

fn run(subject: &Subject<'_>, found: &mut Vec<Diagnostic>) {
    let Some(host) = subject.host else { return };
    let matched = subject.matched();
    for (i, spec) in subject.config.device_specs.iter().enumerate() {
        if matched.iter().any(|(_, winner)| *winner == Some(i)) {
            continue;
        }
        let fits = |device: &crate::model::snapshot::Device| {
            let parent = device.parent_addr.and_then(|address| host.device(address));
            subject.matcher.miss(i, &View::of(device, parent)).is_none()
        };
        let lost = matched
            .iter()
            .find(|(device, winner)| winner.is_some() && fits(device))
            .and_then(|(device, winner)| Some((device, (*winner)?)));
        found.push(match lost {
            Some((device, winner)) => {
                Diagnostic::new(&RULE, "earlier device_specs take every device of this one on this host")
                    .at(spec.span(), "applies to no device")
                    .also(subject.config.device_specs[winner].span(), format!("applies to {}", device.address))
                    .remedy("put this one above the other, or remove it")
            }
            None => Diagnostic::new(&RULE, "this device_spec matches no device of this host")
                .at(spec.span(), "no such device")
                .remedy("compare it with: lspci -D -nn"),
        });
    }
}
