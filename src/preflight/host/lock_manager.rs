//! A lock manager guards the disks.

use super::prelude::*;
use crate::snapshot::host::Host;

pub(super) const CHECK: Check = Check::new(
    Rule {
        code: "lock-manager",
        severity: Severity::Warning,
        summary: "nothing keeps a guest from writing to its disks from two hosts",
        page: "When the answer at switch-over is lost, a guest may run on both hosts. Only a lock manager (virtlockd, \
               sanlock) or the storage itself then keeps its disks whole.\n\nBy hand: grep lock_manager \
               /etc/libvirt/qemu.conf.\n\nRemedy: lock_manager = \"lockd\" in qemu.conf on both hosts.",
    },
    Run::Hosts(run),
);

fn run(hosts: Hosts<'_>) -> Vec<Verdict> {
    let word = |host: &Host| host.lock_manager.clone().unwrap_or_else(|| "unknown".to_owned());
    let (s, d) = (word(&hosts.source.host), word(&hosts.destination.host));
    let mut verdicts: Vec<Verdict> = [&hosts.source.host, &hosts.destination.host]
        .into_iter()
        .filter(|host| host.lock_manager.as_deref() == Some("none"))
        .map(|host| {
            Verdict::fail(format!("{} has no disk lock manager", name(host)))
                .remedy("lock_manager = \"lockd\" in qemu.conf")
        })
        .collect();
    if verdicts.is_empty() {
        verdicts.push(Verdict::pass());
    }
    verdicts.into_iter().map(|verdict| verdict.facts(&s, &d)).collect()
}
