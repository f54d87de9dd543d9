//! What checks mean for a guest that Nova moves.

use super::terms::{Owned, Terms};
use super::verdict::Row;
use crate::model::snapshot::Domain;

/// What Nova checks itself before it migrates.
pub(crate) const CHECKED_BY_NOVA: &[&str] = &["nova-stored-request"];

/// What says how libvirt would be told to migrate, or who else could: Nova has its own way.
pub(crate) const NOT_NOVAS: &[&str] = &["guest-owner", "peer-to-peer", "migration-address"];

/// Whether Nova is told to move this guest.
pub(super) fn moves(terms: &Terms, domain: &Domain) -> bool {
    terms.owned == Owned::ByNova && domain.owner.as_deref() == Some("nova")
}

/// Leaves out what is not Nova's business, and marks what Nova looks at again.
pub(super) fn weigh(rows: &mut Vec<Row>) {
    rows.retain(|row| !NOT_NOVAS.contains(&&*row.finding.code));
    for row in rows.iter_mut().filter(|row| CHECKED_BY_NOVA.contains(&&*row.finding.code)) {
        row.rechecked = true;
    }
}
