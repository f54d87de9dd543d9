//! Asks one host for the guest, in the terms of the decision table.

use super::answer::{Job, Seen, Silence};
use super::mark::{self, Found};
use crate::domain::read;
use crate::journal::checksum;
use crate::libvirt::{DomainInfo, DomainXml, Failure, Hypervisor, HypervisorError, State};
use crate::model::pci::PciAddress;

/// What the host says about the guest with this UUID. Anything short of a complete answer is no answer.
pub(crate) fn look(host: &dyn Hypervisor, uuid: &str) -> Seen {
    match present(host, uuid) {
        Ok(Some(seen)) => seen,
        Ok(None) => Seen::Absent,
        // It went away between two questions. The next look will see it gone.
        Err(e) if e.failure == Failure::Absent => {
            Seen::Unreachable(Silence { why: "the guest changed while it was asked for".into(), daemon_answers: true })
        }
        Err(e) => Seen::Unreachable(e.into()),
    }
}

fn present(host: &dyn Hypervisor, uuid: &str) -> Result<Option<Seen>, HypervisorError> {
    let Some(DomainInfo { state, id, .. }) = host.domain(uuid)? else { return Ok(None) };
    let (mut job, mut incoming, mut lock) = (Job::None, false, None);
    if state.is_active() {
        lock = match mark::read(host, uuid)? {
            Found::None => None,
            Found::Mark(mark) => Some(mark.id),
            // Somebody's, and not this build's.
            Found::Unreadable => Some(String::new()),
        };
        match host.job(uuid) {
            Ok(None) => {}
            Ok(Some(running)) => {
                job = if running.is_outgoing() { Job::Out } else { Job::Other };
                incoming = running.is_incoming();
            }
            // "Migration statistics are available only on the source host": this is the other one.
            Err(e) if e.failure == Failure::Unsupported => {
                job = Job::Other;
                incoming = matches!(state, State::Paused(_));
            }
            Err(e) => return Err(e),
        }
    }
    let which = if state.is_active() { DomainXml::Live } else { DomainXml::Inactive };
    let devices = devices(&host.xml(uuid, which)?, uuid)?;
    Ok(Some(Seen::Present { state, id, job, incoming, lock, devices }))
}

/// The checksum of the guest's definition there: what is recorded of it, and compared before it is removed.
pub(crate) fn definition(host: &dyn Hypervisor, uuid: &str) -> Result<String, HypervisorError> {
    host.xml(uuid, DomainXml::Inactive).map(|xml| checksum(xml.as_bytes()))
}

/// Host addresses of the PCI devices in a definition.
fn devices(xml: &str, uuid: &str) -> Result<Vec<PciAddress>, HypervisorError> {
    let described = read::read(xml).map_err(|e| HypervisorError {
        doing: format!("cannot read the definition of {uuid}"),
        message: e.to_string(),
        failure: Failure::Other,
    })?;
    Ok(described.hostdevs.iter().filter_map(|device| device.source).collect())
}
