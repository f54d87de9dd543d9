//! `pvm verify`.

use serde::Serialize;

use super::cloud;
use super::hosts::Hosts;
use super::{Context, OrStop as _, Stop};
use crate::cli::verify::{Since, Verify};
use crate::domain::owners::Owner;
use crate::domain::read;
use crate::facts::remote::evidence;
use crate::journal::{Lock, State, Store, Subject, index, now, state_directory};
use crate::libvirt::{self, DomainXml, Hypervisor};
use crate::migration::lookup;
use crate::migration::nova::behind;
use crate::model::format::Format;
use crate::model::outcome::Outcome;
use crate::model::pci::PciAddress;
use crate::model::snapshot::{HostdevKind, Unknown};
use crate::model::time::Timestamp;
use crate::openstack::{Compute, Session};
use crate::output::text::printable;
use crate::proof::evidence::Asked;
use crate::proof::{self, Question, Verdict, arrived};

#[derive(Debug, Serialize)]
struct Document<'a> {
    schema: &'static str,
    instance: &'a str,
    uuid: &'a str,
    host: &'a str,
    since: Timestamp,
    devices: Vec<PciAddress>,
    vfio_bytes: Option<u64>,
    #[serde(flatten)]
    verdict: &'a Verdict,
    /// What Nova has wrong of a guest that it owns; absent where it was not asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    nova: Option<&'a Nova>,
}

/// What Nova was found to have of the guest.
#[derive(Debug, Serialize)]
struct Nova {
    wrong: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unknown: Vec<Unknown>,
}

/// Runs the command.
pub(crate) fn run(context: &Context, args: &Verify) -> Result<Outcome, Stop> {
    let hosts = Hosts::new(context)?;
    let host = hosts.parse(&args.host)?;
    let Some(uri) = host.libvirt_uri(&context.local_uri()?) else {
        return Err(Stop::usage(format!("{} is a snapshot: its logs cannot be read", args.host)));
    };
    let label = host.label();
    let hypervisor = libvirt::open(&uri).map_err(|e| Stop::unknown(format!("cannot reach {label}")).because(e))?;
    let guest = lookup::find(hypervisor.as_ref(), &label, &args.instance).map_err(|e| super::past::not_found(&e))?;
    if !guest.state.is_active() {
        return Err(Stop::refused(format!("{} does not run on {label}: it is {}", guest.name, guest.state)));
    }
    if let Some(id) = under_way(&guest.uuid) {
        return Err(Stop::unknown(format!(
            "{} is still being migrated ({id}); verify when that has ended",
            guest.name
        )));
    }
    if hypervisor.job(&guest.uuid).or_stop(Outcome::Unknown)?.is_some() {
        let name = &guest.name;
        return Err(Stop::unknown(format!(
            "a job runs on {name} on {label}, such as its migration; verify when it has ended"
        )));
    }
    let xml = hypervisor.xml(&guest.uuid, DomainXml::Live).or_stop(Outcome::Unknown)?;
    let described =
        read::read(&xml).map_err(|e| Stop::unknown(format!("the definition of {}", guest.name)).because(e))?;
    let devices: Vec<proof::Device> = described
        .hostdevs
        .iter()
        .filter(|d| d.kind != HostdevKind::Mdev)
        .filter_map(|d| Some(proof::Device { address: d.source?, alias: d.alias.clone() }))
        .collect();
    let is_novas = Owner::of_definition(&xml).is_some_and(|owner| owner.word == "nova");
    let session = match cloud::find(&hosts)?.filter(|_| is_novas) {
        Some(access) => Some(cloud::open(access)?),
        None => None,
    };
    let by_nova = |session| begun_by_nova(session, &guest.uuid);
    let since = begun(args.since, &guest.uuid).or_else(|| session.as_ref().and_then(by_nova)).ok_or_else(|| {
        Stop::usage(format!("no pvm of this machine has moved {}: say --since when the migration began", guest.name))
    })?;
    let vfio_bytes = args
        .sent
        .or_else(|| hypervisor.completed_job(&guest.uuid).ok()??.get("vfio_data_transferred"))
        .or_else(|| recorded(&guest.uuid, since)?.vfio_bytes);
    let host_uuid = hypervisor.host_uuid().ok();
    let about = Asked { host_uuid: host_uuid.as_deref(), domain: &guest.name, domain_uuid: &guest.uuid };
    let received = evidence::ask(&host, &hosts.options, &about, since, now);
    // It has been seen running, so the logs are later than that.
    let question = Question { devices: &devices, since, running: received.asked, vfio_bytes };
    let verdict = arrived(&received, &question);
    let nova = session.as_ref().map(|session| ask_nova(session, &guest.uuid, hypervisor.as_ref())).transpose()?;
    if context.printer.format == Format::Table {
        let mut text = format!("{}\n", printable(&format!("{} on {label}: {verdict}", guest.name)));
        for line in nova.iter().flat_map(Nova::lines) {
            text = format!("{text}  {}\n", printable(&line));
        }
        context.printer.lines(&text).or_stop(Outcome::Unknown)?;
    } else {
        context
            .printer
            .document(&Document {
                schema: "pvm.verify/1",
                instance: &guest.name,
                uuid: &guest.uuid,
                host: &label,
                since,
                devices: devices.iter().map(|device| device.address).collect(),
                vfio_bytes,
                verdict: &verdict,
                nova: nova.as_ref(),
            })
            .or_stop(Outcome::Unknown)?;
    }
    let (is_wrong, is_unknown) =
        nova.as_ref().map_or((false, false), |nova| (!nova.wrong.is_empty(), !nova.unknown.is_empty()));
    Ok(match verdict {
        Verdict::Verified | Verdict::NothingToProve | Verdict::NotVerified { .. } if is_wrong => Outcome::Incomplete,
        Verdict::Verified | Verdict::NothingToProve if is_unknown => Outcome::Unknown,
        Verdict::Verified | Verdict::NothingToProve => Outcome::Fine,
        Verdict::Lost { .. } => Outcome::Incomplete,
        Verdict::NotVerified { .. } => Outcome::Unknown,
    })
}

impl Nova {
    fn lines(&self) -> impl Iterator<Item = String> {
        self.wrong.iter().cloned().chain(self.unknown.iter().map(|unknown| unknown.why.clone()))
    }
}

/// What Nova has wrong of the guest, which runs on this host.
fn ask_nova(session: &Session, uuid: &str, host: &dyn Hypervisor) -> Result<Nova, Stop> {
    let nova = Compute::new(session);
    let name = host.hostname().or_stop(Outcome::Unknown)?;
    let hypervisors = nova.hypervisors().map_err(|error| cloud::stop(&error))?;
    let known = hypervisors.iter().find(|one| one.hypervisor_hostname == name);
    let service = known.map_or(name.as_str(), |one| &one.service.host);
    let (wrong, unknown) = behind(nova, uuid, service).map_err(|error| cloud::stop(&error))?;
    Ok(Nova { wrong, unknown: unknown.into_iter().map(|why| Unknown::new("left over", why)).collect() })
}

/// When Nova's last migration of the guest began, which may have gone by another machine's pvm or none.
fn begun_by_nova(session: &Session, uuid: &str) -> Option<Timestamp> {
    Compute::new(session).last_migration(uuid).ok().flatten()?.begun()
}

/// When the migration in question began.
fn begun(since: Option<Since>, uuid: &str) -> Option<Timestamp> {
    match since {
        Some(Since::At(at)) => Some(at),
        Some(Since::Ago(ago)) => Some(now().plus(-i64::try_from(ago.as_millis()).ok()?)),
        None => recorded(uuid, Timestamp(i64::MIN))?.perform.map(|(at, _)| at),
    }
}

/// The migration of the guest that a pvm of this machine is at work on.
fn under_way(uuid: &str) -> Option<String> {
    let directory = state_directory().ok()?;
    let listed = Store::at(&directory).list().ok()?;
    let of_guest = listed.iter().filter(|journal| !journal.is_closed());
    let id =
        of_guest.filter_map(|journal| Some((journal, journal.state()?))).find(|(_, s)| s.plan.instance.uuid == uuid);
    let (journal, _) = id.filter(|_| Lock::is_held(&directory, &Subject::Guest(uuid.to_owned())))?;
    Some(journal.id.clone())
}

/// The journal of the last migration of the guest that pvm made since then.
fn recorded(uuid: &str, since: Timestamp) -> Option<State> {
    let store = Store::at(state_directory().ok()?);
    let index = index::read(&store).ok()?;
    let may_be_of_it = |past: &index::Past<'_>| past.known.is_none_or(|known| known.uuid == uuid);
    let mut read = index.newest_first().filter(may_be_of_it).filter_map(|past| store.listed(past.id).state());
    read.find(|s| s.plan.instance.uuid == uuid && s.touched >= since)
}
