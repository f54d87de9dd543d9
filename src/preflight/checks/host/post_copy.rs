//! Settings of Nova that VFIO devices do not bear.

use super::prelude::*;

check! {
    /// Nova is set to post-copy or tunnelled migration.
    ///
    /// # Meaning
    /// QEMU refuses post-copy with VFIO devices when the migration starts, and tunnelling takes away the return path.
    /// Nova does not check either. pvm never uses them; a migration by Nova would fail.
    /// # Check by hand
    /// grep -E "live_migration_(permit_post_copy|tunnelled)" /etc/nova/nova.conf.
    /// # Fix
    /// live_migration_permit_post_copy = false and live_migration_tunnelled = false in [libvirt] of hosts with such
    /// devices.
    "post-copy": Warning, VfioHosts(run)
}

fn run(hosts: Hosts<'_>) -> Vec<Verdict> {
    let mut verdicts = Vec::new();
    for snapshot in [hosts.source, hosts.destination] {
        for option in ["live_migration_permit_post_copy", "live_migration_tunnelled"] {
            let on = snapshot.config.options.get(option).is_some_and(|o| o.value == true || o.value == "true");
            if on {
                verdicts.push(
                    Verdict::fail(format!("{option} is true on {}: Nova's migrations fail", name(&snapshot.host)))
                        .remedy(format!("[libvirt] {option} = false")),
                );
            }
        }
    }
    if verdicts.is_empty() {
        verdicts.push(Verdict::pass());
    }
    verdicts
}
