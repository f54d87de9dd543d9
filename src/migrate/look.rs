//! What one host says about a guest, for the decision table.

use crate::domain::read;
use crate::hypervisor::{DomainXml, Hypervisor, HypervisorError};
use crate::recover::{Job, Seen};

/// Asks a daemon about the guest. A daemon that does not answer every question did not answer.
pub fn look(host: &dyn Hypervisor, uuid: &str) -> Seen {
    seen(host, uuid).unwrap_or_else(|e| Seen::Unreachable(e.to_string()))
}

fn seen(host: &dyn Hypervisor, uuid: &str) -> Result<Seen, HypervisorError> {
    let Some(info) = host.domain(uuid)? else { return Ok(Seen::Absent) };
    let active = info.state.is_active();
    let job = if active { host.job(uuid)? } else { None };
    let xml = host.xml(uuid, if active { DomainXml::Live } else { DomainXml::Inactive })?;
    // libvirt's own XML reads; if it ever does not, no device is seen, and none is taken for the planned one.
    let devices = read::read(&xml).map(|domain| domain.hostdevs.iter().filter_map(|d| d.source).collect());
    Ok(Seen::Present {
        state: info.state,
        id: info.id,
        incoming: job.as_ref().is_some_and(crate::hypervisor::Job::is_incoming),
        job: match job {
            None => Job::None,
            Some(job) if job.is_outgoing() => Job::Out,
            Some(_) => Job::Other,
        },
        devices: devices.unwrap_or_default(),
    })
}
