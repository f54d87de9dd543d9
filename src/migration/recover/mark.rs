//! Reads, sets and removes the mark of a migration in a guest.

use crate::journal::mark::{Mark, NAMESPACE, PREFIX};
use crate::libvirt::{Failure, Hypervisor, HypervisorError, Result};

/// What a guest says about a migration of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// Nothing.
    None,
    /// This.
    Mark(Box<Mark>),
    /// A mark that this build cannot read.
    Unreadable,
}

/// Reads the mark of a running guest. A guest that is not there or does not run has none.
pub fn read(host: &dyn Hypervisor, uuid: &str) -> Result<Found> {
    match host.metadata(uuid, NAMESPACE) {
        Ok(Some(text)) => Ok(Mark::parse(&text).map_or(Found::Unreadable, |mark| Found::Mark(Box::new(mark)))),
        Ok(None) | Err(HypervisorError { failure: Failure::Absent, .. }) => Ok(Found::None),
        // Only a running guest has live metadata; whether it runs need not be asked before each look.
        Err(e) => match host.domain(uuid)? {
            Some(guest) if guest.state.is_active() => Err(e),
            Some(_) | None => Ok(Found::None),
        },
    }
}

/// Sets it, in place of one that is there.
pub fn set(host: &dyn Hypervisor, uuid: &str, mark: &Mark) -> Result<()> {
    host.set_metadata(uuid, PREFIX, NAMESPACE, Some(&mark.element()))
}

/// Removes it if it is this migration's.
pub fn remove(host: &dyn Hypervisor, uuid: &str, id: &str) -> Result<()> {
    match read(host, uuid)? {
        Found::Mark(mark) if mark.id == id => host.set_metadata(uuid, PREFIX, NAMESPACE, None),
        Found::Mark(_) | Found::None | Found::Unreadable => Ok(()),
    }
}

/// What keeps the guest from being migrated: the mark of a migration that `is_own` does not know.
pub fn obstacle(host: &dyn Hypervisor, uuid: &str, is_own: impl Fn(&str) -> bool) -> Result<Option<String>> {
    Ok(match read(host, uuid)? {
        Found::None => None,
        Found::Mark(mark) if is_own(&mark.id) => None,
        Found::Mark(mark) => Some(format!(
            "is marked by migration {} from {} to {}, which pvm on {} began and has not ended: pvm recover {0} there",
            mark.id, mark.source.name, mark.destination.name, mark.machine
        )),
        Found::Unreadable => Some("carries the mark of a migration that this pvm cannot read".to_owned()),
    })
}
