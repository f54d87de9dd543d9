//! What any live_migratable tag demands of the host.

use super::Subject;
use crate::model::finding::Finding;

lint! {
    /// A live_migratable tag, yes or no, requires libvirt 10.0.0 and QEMU 8.2.2.
    ///
    /// # Meaning
    /// nova-compute refuses to start on a host with an older libvirt or QEMU as soon as one device_spec has
    /// live_migratable, even no. The kernel needs variant drivers (5.16 or later) and migration protocol v2 (5.18 or
    /// later), which Nova does not check.
    /// # Check by hand
    /// virsh version, uname -r
    /// # Fix
    /// Upgrade, or remove the tag on older hosts.
    "live-migratable-versions": Error, run
}

fn run(subject: &Subject<'_>, found: &mut Vec<Finding>) {
    // Null counts for nothing. One note is enough for all specs.
    let first = subject
        .config
        .device_specs
        .iter()
        .find_map(|spec| spec.declared().truth().and(spec.node.get("live_migratable")));
    let Some(member) = first else { return };
    let old = |version: &Option<String>, least: [u32; 3]| {
        version.as_ref().and_then(|text| numbers(text)).is_some_and(|version| version < least)
    };
    let too_old = subject.host.is_some_and(|h| old(&h.host.libvirt, [10, 0, 0]) || old(&h.host.qemu, [8, 2, 2]));
    if !too_old {
        return;
    }
    found.push(
        Finding::new(&RULE, "live_migratable requires libvirt >= 10.0.0 and QEMU >= 8.2.2, whatever its value")
            .at(member.key.span.to(member.value.span), "this host is older")
            .note("nova-compute does not start here; the kernel needs variant drivers, 5.18 or later")
            .remedy("check with: virsh version")
            .nova(
                "InvalidConfiguration",
                "PCI device spec is configured for live_migratable but it's not supported by libvirt/QEMU",
            ),
    );
}

/// The three numbers of a version.
pub(super) fn numbers(text: &str) -> Option<[u32; 3]> {
    let mut parts = text.split(|c: char| !c.is_ascii_digit()).filter(|part| !part.is_empty());
    let mut next = || parts.next().and_then(|part| part.parse().ok());
    Some([next()?, next()?, next().unwrap_or(0)])
}
