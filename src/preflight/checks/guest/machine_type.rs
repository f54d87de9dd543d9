//! The destination knows the machine type.

use super::prelude::*;

check! {
    /// The destination does not know the machine type.
    ///
    /// # Meaning
    /// The guest continues on exactly the machine type it was started with; older QEMU does not know newer ones, newer
    /// QEMU drops very old ones.
    /// # Check by hand
    /// virsh -c URI capabilities, elements machine.
    /// # Fix
    /// A QEMU on the destination that has it; or restart the guest with an older type.
    "machine-type": Error, Instance(run), rechecked
}

fn run(instance: &Instance<'_>) -> Vec<Verdict> {
    let Some(machine) = instance.guest.machine.as_deref() else { return Vec::new() };
    let Some(known) = &instance.destination().machine_types else {
        return vec![missing(instance.destination(), "machine_types", "its machine types")];
    };
    vec![
        if known.iter().any(|known| known == machine) {
            Verdict::pass()
        } else {
            Verdict::fail(format!("{} does not know the machine type {machine}", name(instance.destination())))
        }
        .facts(&machine, &""),
    ]
}
