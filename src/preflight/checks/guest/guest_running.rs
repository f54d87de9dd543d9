//! The guest runs.

use super::prelude::*;

check! {
    /// The guest does not run.
    ///
    /// # Meaning
    /// Only a running or paused guest can migrate live. One that paused on an I/O error is refused by libvirt.
    /// # Check by hand
    /// virsh domstate DOMAIN --reason.
    /// # Fix
    /// virsh start or resume it, or move the definition of a guest that is shut off.
    "guest-running": Error, Instance(run), rechecked, never_ignored
}

fn run(instance: &Instance<'_>) -> Vec<Verdict> {
    let state = instance.domain.state.as_str();
    vec![
        match state {
            "paused" if instance.domain.io_error => Verdict::fail("an I/O error of a disk has paused the guest")
                .remedy(format!(
                    "virsh domblkerror {name}; fix the disk, then virsh resume {name}",
                    name = quoted(&instance.domain.name)
                )),
            "running" | "paused" => Verdict::pass(),
            "" => Verdict::unknown("the state of the guest is not known"),
            other => Verdict::fail(format!("the guest is {other}")),
        }
        .facts(&state, &""),
    ]
}
