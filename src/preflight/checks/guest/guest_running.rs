//! The guest runs.

use super::prelude::*;

pub(super) const CHECK: Check = Check::new(
    Rule {
        code: "guest-running",
        severity: Severity::Error,
        summary: "the guest does not run",
        page: "Only a running or paused guest can migrate live. One that paused on an I/O error is refused by \
               libvirt.\n\nBy hand: virsh domstate DOMAIN --reason.\n\nRemedy: virsh start or resume it, or move the \
               definition of a guest that is shut off.",
    },
    Run::Instance(run),
)
.rechecked()
.never_ignored();

fn run(instance: &Instance<'_>) -> Vec<Verdict> {
    let state = instance.domain.state.as_str();
    vec![
        match state {
            "paused" if instance.domain.io_error => Verdict::fail("an I/O error of a disk has paused the guest")
                .remedy(format!(
                    "virsh domblkerror {name}; mend the disk, then virsh resume {name}",
                    name = instance.domain.name
                )),
            "running" | "paused" => Verdict::pass(),
            "" => Verdict::unknown("the state of the guest is not known"),
            other => Verdict::fail(format!("the guest is {other}")),
        }
        .facts(&state, &""),
    ]
}
