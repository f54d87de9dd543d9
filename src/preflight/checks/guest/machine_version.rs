//! What an old machine type lacks.

use super::prelude::*;

check! {
    /// The machine type is older than what the device's state would like.
    ///
    /// # Meaning
    /// Machine types up to 9.2 send device state over one connection only (no multifd), those up to 9.0 also compare
    /// vendor-specific capabilities byte for byte. On ARM, device state over several connections (--parallel) needs a
    /// machine type of 10.1 (older ones load it before what it depends on). RHEL and CentOS have switched multifd off for
    /// VFIO (RHEL-126573), whatever the machine type.
    /// # Check by hand
    /// virsh dumpxml DOMAIN, os/type machine.
    /// # Fix
    /// A machine type of 10.0 at the next start of the guest.
    "machine-version": Info, Instance(run)
}

fn run(instance: &Instance<'_>) -> Vec<Verdict> {
    if !instance.has_vfio() {
        return Vec::new();
    }
    let Some(machine) = instance.guest.machine.as_deref() else { return Vec::new() };
    // The QEMU of RHEL and its rebuilds has multifd switched off for VFIO since November 2025.
    let enterprise =
        [instance.source(), instance.destination()].into_iter().find(|host| host.enterprise_linux().is_some());
    // Machine types of distributions have numbers of their own.
    let of = machine.rsplit('-').next().and_then(version);
    let Some(of) = of.or(enterprise.map(|_| (u64::MAX, 0, 0))) else { return Vec::new() };
    let verdict = if of <= (9, 0, u64::MAX) {
        Verdict::fail(format!(
            "{machine}: vendor-specific capabilities must be equal, device state takes one connection"
        ))
    } else if of < (10, 0, 0) {
        Verdict::fail(format!("{machine}: device state takes one connection"))
    } else if of < (10, 1, 0) && instance.guest.arch.as_deref() == Some("aarch64") {
        let parallel = instance.terms.parallel.is_some_and(|connections| connections > 1);
        Verdict::fail(format!("{machine}: on ARM device state over several connections is loaded too early"))
            .weighing(if parallel { Severity::Warning } else { Severity::Info })
            .remedy("one connection (no --parallel), or a machine type of 10.1 at the next start of the guest")
    } else if let Some(host) = enterprise {
        Verdict::fail(format!(
            "the QEMU of {} sends device state over one connection, even with --parallel",
            name(host)
        ))
    } else {
        Verdict::pass()
    };
    vec![verdict]
}
