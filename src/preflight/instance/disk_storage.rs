//! The disks are on shared storage.

use super::prelude::*;

pub(super) const CHECK: Check = Check::new(
    Rule {
        code: "disk-storage",
        severity: Severity::Error,
        summary: "whether a disk is on shared storage is not known",
        page: "A migration moves memory and devices; disks must be reachable from both hosts, or be copied. libvirt \
               looks at the file system of each path before it starts.\n\nBy hand: findmnt -T PATH on both \
               hosts.\n\nRemedy: put the disk on shared storage, or pvm migrate --copy-storage DISK.",
    },
    Run::Instance(run),
)
.rechecked();

fn run(instance: &Instance<'_>) -> Vec<Verdict> {
    let mut verdicts = Vec::new();
    for disk in &instance.guest.disks {
        let Some(source) = disk.source.as_deref() else { continue };
        let removable = disk.readonly || matches!(disk.device.as_str(), "cdrom" | "floppy");
        if disk.transient {
            verdicts.push(Verdict::fail(format!("the disk {} is transient", disk.target)));
        } else if disk.kind != "network" && !removable && !instance.terms.copies.contains_key(&disk.target) {
            verdicts.push(
                Verdict::unknown(format!("whether {source} of disk {} is on shared storage is not known", disk.target))
                    .remedy(format!(
                        "findmnt -T {source} on both hosts; pvm migrate --copy-storage {} copies it",
                        disk.target
                    )),
            );
        }
    }
    if verdicts.is_empty() {
        verdicts.push(Verdict::pass());
    }
    verdicts
}
