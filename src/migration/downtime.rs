//! The limit of the pause: QEMU keeps the one that a migration was given, after it as well.

use crate::libvirt::{Hypervisor, Result};

/// Gives the guest the limit back that it had before, in milliseconds. `None`: it could not be read, and was not changed.
pub(crate) fn restore(host: &dyn Hypervisor, uuid: &str, before: Option<u64>) -> Result<()> {
    match before {
        Some(before) if host.max_downtime(uuid)? != before => host.set_max_downtime(uuid, before),
        Some(_) | None => Ok(()),
    }
}
