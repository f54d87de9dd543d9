//! Which guest an operator means.

use crate::domain::read;
use crate::libvirt::{DomainInfo, DomainXml, Hypervisor, HypervisorError};

/// Why no guest was found.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LookupError {
    /// The host knows none.
    #[error("{host} has no guest {wanted:?}")]
    Absent {
        /// The host.
        host: String,
        /// What was asked for.
        wanted: String,
    },
    /// Several guests have this display name.
    #[error("{host} has several guests with the display name {wanted:?}: {}", found.join(", "))]
    Ambiguous {
        /// The host.
        host: String,
        /// What was asked for.
        wanted: String,
        /// Their libvirt names.
        found: Vec<String>,
    },
    /// The daemon did not answer.
    #[error(transparent)]
    Hypervisor(#[from] HypervisorError),
}

/// The guest with this name, UUID or (if only one has it) Nova display name.
pub(crate) fn find(host: &dyn Hypervisor, label: &str, wanted: &str) -> Result<DomainInfo, LookupError> {
    if let Some(found) = host.domain_by_name(wanted)? {
        return Ok(found);
    }
    if is_uuid(wanted)
        && let Some(found) = host.domain(wanted)?
    {
        return Ok(found);
    }
    let mut named = Vec::new();
    for domain in host.domains()? {
        // A guest that has gone in between, or whose XML is no XML, is not the one.
        let Ok(xml) = host.xml(&domain.uuid, DomainXml::Inactive) else { continue };
        let display_name = read::read(&xml).ok().and_then(|described| described.nova?.name);
        if display_name.as_deref() == Some(wanted) {
            named.push(domain);
        }
    }
    let (host, wanted) = (label.to_owned(), wanted.to_owned());
    match named.len() {
        1 => Ok(named.remove(0)),
        0 => Err(LookupError::Absent { host, wanted }),
        _ => Err(LookupError::Ambiguous { host, wanted, found: named.into_iter().map(|d| d.name).collect() }),
    }
}

fn is_uuid(text: &str) -> bool {
    let digits = text.bytes().filter(u8::is_ascii_hexdigit).count();
    digits == 32 && text.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-')
}
