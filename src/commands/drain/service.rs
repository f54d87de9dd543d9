//! Nova's compute service on a host that is drained: its scheduler puts no servers there until the drain is taken back.

use crate::commands::cloud::{self, of_hypervisor};
use crate::commands::hosts::Hosts;
use crate::commands::{Context, OrStop as _, Stop};
use crate::journal::{ComputeService, DrainRecord, Drains};
use crate::model::outcome::Outcome;
use crate::model::paste::quoted;
use crate::model::snapshot::{Snapshot, host};
use crate::openstack::{Compute, Session};
use crate::output::text::printable;
use crate::preflight::Owned;

/// What becomes of guests that somebody else owns: Nova moves its own where the operator described a cloud.
pub(super) fn owned(hosts: &Hosts) -> Result<Owned, Stop> {
    Ok(if cloud::find(hosts)?.is_some() { Owned::ByNova } else { Owned::Stay })
}

/// Takes down in each destination's facts whether Nova would put servers there.
pub(super) fn note(hosts: &Hosts, destinations: &mut [Snapshot]) -> Result<(), Stop> {
    let Some(access) = cloud::find(hosts)? else { return Ok(()) };
    let session = cloud::open(access)?;
    let all = Compute::new(&session).hypervisors().map_err(|error| cloud::stop(&error))?;
    for one in destinations {
        let found = of_hypervisor(&all, hostname(one));
        one.host.compute_service = Some(found.map_or_else(Default::default, |found| host::ComputeService {
            host: Some(found.service.host.clone()),
            is_up: found.state == "up",
            disabled: (found.status != "enabled").then(|| found.service.disabled_reason.clone().unwrap_or_default()),
        }));
    }
    Ok(())
}

/// The name that libvirt has for a host, by which Nova knows it too.
fn hostname(of: &Snapshot) -> &str {
    of.host.migration.hostname.as_deref().unwrap_or(&of.host.name)
}

/// A service that is to be disabled, as the record says.
pub(super) struct Disabling {
    session: Session,
    service: ComputeService,
    /// With which reason.
    reason: String,
}

impl Disabling {
    /// Looks for the service on the host and takes down in the record, which is not written yet, what is going to be done. None:
    /// nothing has to be done.
    pub(super) fn of(
        context: &Context,
        hosts: &Hosts,
        host: &Snapshot,
        record: &mut DrainRecord,
    ) -> Result<Option<Self>, Stop> {
        let Some(access) = cloud::find(hosts)? else { return Ok(None) };
        let asked = cloud::open(access).and_then(|session| {
            let all = Compute::new(&session).hypervisors().map_err(|error| cloud::stop(&error))?;
            Ok((session, all))
        });
        let (session, all) = match asked {
            Ok(asked) => asked,
            // A cloud that is described may be another one, where no guest here is Nova's.
            Err(stop) if host.domains.iter().all(|domain| domain.owner.as_deref() != Some("nova")) => {
                let name = printable(&host.host.name).into_owned();
                let why = stop.sentence();
                context.printer.note(&format!("Whether Nova has a compute service on {name} is not known: {why}"));
                return Ok(None);
            }
            Err(stop) => return Err(stop),
        };
        let Some(found) = of_hypervisor(&all, hostname(host)) else { return Ok(None) };
        let (cloud, id) = (session.access().cloud.clone(), found.service.id.clone());
        // An earlier pvm of this drain may have disabled it.
        let before = record.service.take().and_then(|service| service.reason);
        let is_enabled = found.status == "enabled";
        let is_ours = found.service.disabled_reason.is_some() && found.service.disabled_reason == before;
        let reason = format!("pvm drain {}", record.id);
        let service = ComputeService {
            cloud,
            id,
            host: found.service.host.clone(),
            reason: (is_enabled || is_ours).then(|| reason.clone()),
        };
        record.service = Some(service.clone());
        let host = printable(&service.host).into_owned();
        if !is_enabled {
            let why = found.service.disabled_reason.as_deref().unwrap_or("no reason given");
            context.printer.note(&format!("Nova's compute service on {host} is disabled already ({})", printable(why)));
            return Ok(None);
        }
        context.printer.note(&format!("Nova's compute service on {host} is disabled first, until --uncordon"));
        Ok(Some(Self { session, service, reason }))
    }

    /// Disables it, which the record on disk says already.
    pub(super) fn disable(&self, drains: &Drains, record: &mut DrainRecord) -> Result<(), Stop> {
        let Err(error) = Compute::new(&self.session).set_service(&self.service.id, Some(&self.reason)) else {
            return Ok(());
        };
        if error.may_have_acted() {
            let word = quoted(&record.host.name);
            let message =
                format!("{error}; whether it is disabled is not known: pvm drain {word} --uncordon sets it back");
            return Err(Stop::new(Outcome::Incomplete, message));
        }
        // Nothing was changed: the host is no more cordoned than before.
        (record.is_cordoned, record.is_over) = (false, true);
        drains.write(record).or_stop(Outcome::Incomplete)?;
        Err(cloud::stop(&error))
    }
}

/// Enables the service again that a drain disabled, unless somebody did or gave another reason meanwhile. What the operator has to
/// do himself is said, and is the outcome.
pub(super) fn enable(context: &Context, record: &DrainRecord) -> Result<Outcome, Stop> {
    let Some(ComputeService { cloud, id, host, reason: Some(reason) }) = &record.service else {
        return Ok(Outcome::Fine);
    };
    let name = printable(host).into_owned();
    let Some(access) = cloud::find_again(context, &Hosts::new(context)?, cloud.as_deref())? else {
        let command = format!("openstack compute service set --enable {} nova-compute", quoted(host));
        context.printer.complain(&format!(
            "pvm: Nova's compute service on {name} is left disabled, since no cloud is described; to enable it: {command}"
        ));
        return Ok(Outcome::Incomplete);
    };
    let session = cloud::open(access)?;
    let nova = Compute::new(&session);
    let all = nova.hypervisors().map_err(|error| cloud::stop(&error))?;
    let Some(found) = all.iter().find(|one| one.service.id == *id) else {
        context.printer.note(&format!("Nova has no compute service {id} ({name}) any more"));
        return Ok(Outcome::Fine);
    };
    match (found.status.as_str(), found.service.disabled_reason.as_deref()) {
        ("enabled", _) => context.printer.note(&format!("Nova's compute service on {name} was enabled meanwhile")),
        (_, now) if now == Some(reason) => {
            nova.set_service(id, None).map_err(|error| cloud::stop(&error))?;
            context.printer.note(&format!("Nova's compute service on {name} is enabled again"));
        }
        (_, now) => {
            let now = printable(now.unwrap_or("no reason given")).into_owned();
            context.printer.note(&format!("Nova's compute service on {name} stays disabled by somebody else: {now}"));
        }
    }
    Ok(Outcome::Fine)
}
