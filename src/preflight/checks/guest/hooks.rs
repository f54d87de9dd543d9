//! No hook of the destination may refuse the guest.

use super::prelude::*;
use crate::model::snapshot::host::PathKind;

check! {
    /// libvirt on the destination runs a hook, which may refuse the guest.
    ///
    /// # Meaning
    /// libvirt runs /etc/libvirt/hooks/qemu, and what is in qemu.d, when a guest arrives: with "migrate", "prepare",
    /// "start" and "started". A hook that fails refuses the guest; one that prints XML changes it. What it will do is known
    /// only when it was tried, which is before the guest is paused.
    /// # Check by hand
    /// Read the hook. virsh dumpxml --migratable GUEST | /etc/libvirt/hooks/qemu GUEST migrate begin -, on the destination.
    /// # Fix
    /// pvm preflight SRC DST --instance GUEST --rehearse tries it.
    "hooks": Error, Instance(run), rechecked
}

const HOOKS: [&str; 2] = ["/etc/libvirt/hooks/qemu", "/etc/libvirt/hooks/qemu.d"];

fn run(instance: &Instance<'_>) -> Vec<Verdict> {
    let host = instance.destination();
    let runs = |hook: &str| match host.paths.get(hook) {
        // libvirt leaves out what is not executable.
        Some(PathKind::File) => host.path_details.get(hook).is_none_or(|details| details.executable),
        Some(PathKind::Directory) => true,
        _ => false,
    };
    let (guest, from) = (quoted(&instance.domain.name), quoted(&instance.source().name));
    // A snapshot by itself does not have them either: pvm asks for the paths of a guest.
    let rehearsal = format!("pvm preflight {from} {} --instance {guest} --rehearse", quoted(&host.name));
    let Some(hook) = HOOKS.into_iter().find(|hook| runs(hook)) else {
        let is_known = HOOKS.iter().all(|hook| host.paths.contains_key(*hook));
        let unknown = || missing(host, "paths", "its hooks").remedy(rehearsal);
        return vec![if is_known { Verdict::pass() } else { unknown() }];
    };
    vec![Verdict::unknown(format!("{} runs {hook}, which may refuse the guest", name(host))).remedy(rehearsal)]
}
