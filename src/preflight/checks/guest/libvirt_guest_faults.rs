//! Faults of libvirt that depend on what the guest has.

use super::prelude::*;
use crate::model::known::Origin;

check! {
    /// A libvirt version has a fault that this guest meets when it moves.
    ///
    /// # Meaning
    /// A libvirt below 11.10 refuses guests with more than one thread per core that come in to QEMU 10.0 or newer ("guest
    /// CPU doesn't match specification: extra features: ht"). A libvirt below 12.5 does not record which of two
    /// incompatible virtio video devices a guest has: a destination whose QEMU offers the other one fails to load it. With
    /// TLS a fault of GnuTLS can crash the QEMU of the source in a long migration; libvirt 11.6 works around it.
    /// # Check by hand
    /// virsh -c URI version --daemon; virsh dumpxml DOMAIN, elements cpu/topology and video.
    /// # Fix
    /// Upgrade libvirt on the host named.
    "libvirt-guest-faults": Warning, Instance(run)
}

/// A fault of libvirt.
struct Fault {
    /// The first version without it.
    fixed: (u64, u64, u64),
    /// The hosts whose version counts; none when the guest does not meet the fault.
    concerns: fn(&Instance<'_>) -> &'static [Side],
    /// What happens.
    text: &'static str,
    #[cfg_attr(not(test), expect(dead_code, reason = "for who reads the table, and for its test"))]
    origin: Origin,
}

/// One of the two hosts.
#[derive(Clone, Copy)]
enum Side {
    Source,
    Destination,
}

const FAULTS: &[Fault] = &[
    Fault {
        fixed: (11, 10, 0),
        concerns: |on| {
            let threads = on.guest.cpu.threads.is_some_and(|threads| threads > 1);
            let x86 = matches!(on.guest.arch.as_deref(), None | Some("x86_64" | "i686"));
            let qemu = on.destination().qemu.as_deref().and_then(version) >= Some((10, 0, 0));
            if threads && x86 && qemu { &[Side::Destination] } else { &[] }
        },
        text: "can refuse a guest with several threads per core (\"extra features: ht\")",
        origin: Origin::new("libvirt NEWS.rst, 11.10.0", "libvirt 12.5.0, 2026-11-28"),
    },
    Fault {
        fixed: (12, 5, 0),
        concerns: |on| {
            // The same packages choose the same device.
            let (source, destination) = (on.source(), on.destination());
            let video = on.guest.models.contains(&("video".to_owned(), "virtio".to_owned()));
            let same = (&source.libvirt, &source.qemu) == (&destination.libvirt, &destination.qemu);
            if video && !same { &[Side::Source, Side::Destination] } else { &[] }
        },
        text: "does not record which virtio video device the guest has, and the destination may choose the other",
        origin: Origin::new("libvirt NEWS.rst, 12.5.0", "libvirt 12.5.0, 2026-11-28"),
    },
    Fault {
        fixed: (11, 6, 0),
        concerns: |on| {
            let forced = [on.source(), on.destination()].iter().any(|host| host.migration.tls_force == Some(true));
            if on.terms.tls || forced { &[Side::Source] } else { &[] }
        },
        text: "lets a fault of GnuTLS crash the guest's QEMU in a long migration with TLS",
        origin: Origin::new("libvirt NEWS.rst, 11.6.0", "libvirt 12.5.0, 2026-11-28"),
    },
];

fn run(instance: &Instance<'_>) -> Vec<Verdict> {
    let mut verdicts = Vec::new();
    for fault in FAULTS {
        for side in (fault.concerns)(instance) {
            let host = match side {
                Side::Source => instance.source(),
                Side::Destination => instance.destination(),
            };
            let Some(libvirt) = host.libvirt.as_deref() else { continue };
            if version(libvirt).is_some_and(|has| has < fault.fixed) {
                let (major, minor, _) = fault.fixed;
                verdicts.push(
                    Verdict::fail(format!("libvirt {libvirt} on {} {}", name(host), fault.text))
                        .remedy(format!("upgrade libvirt on {} to {major}.{minor}", name(host))),
                );
            }
        }
    }
    if verdicts.is_empty() {
        verdicts.push(Verdict::pass());
    }
    verdicts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_has_its_origin() {
        for fault in FAULTS {
            assert!(fault.origin.is_complete(), "{}", fault.text);
        }
    }
}
