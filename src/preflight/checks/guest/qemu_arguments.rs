//! What reaches QEMU past libvirt can migrate.

use super::prelude::*;

check! {
    /// The guest has QEMU arguments that name devices of the host, or whose effect on a migration is not known.
    ///
    /// # Meaning
    /// <qemu:commandline>, -set and <qemu:override> travel unchanged: QEMU on the destination opens the same address, which
    /// there is another device, perhaps one that the host or another guest uses. libvirt neither detaches nor reserves such a
    /// device, and pvm does not rewrite it. Other arguments may keep a guest from starting on the destination or from
    /// migrating; pvm knows which ones do for some of them only.
    /// # Check by hand
    /// virsh dumpxml DOMAIN, element qemu:commandline.
    /// # Fix
    /// Give the device as <hostdev> (since libvirt 12.1 with <driver iommufd='yes'/>), and start the guest anew.
    "qemu-arguments": Error, Instance(run)
}

fn run(instance: &Instance<'_>) -> Vec<Verdict> {
    let arguments = &instance.guest.arguments;
    let mut verdicts: Vec<_> = arguments
        .host_devices
        .iter()
        .map(|(argument, _)| {
            Verdict::fail(format!("{argument} names a device of the host, and travels unchanged"))
                .remedy("give the device as <hostdev>, and start the guest anew")
        })
        .collect();
    if !arguments.unknown.is_empty() {
        verdicts.push(
            Verdict::fail(format!("QEMU arguments that pvm does not know: {}", arguments.unknown.join(", ")))
                .weighing(Severity::Warning),
        );
    }
    if verdicts.is_empty() {
        verdicts.push(Verdict::pass());
    }
    verdicts
}
