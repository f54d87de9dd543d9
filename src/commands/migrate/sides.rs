//! The two ends of a migration: who they are, and whether there is anything to move.

use std::sync::Arc;

use super::wanted::Wanted;
use crate::commands::cloud;
use crate::commands::hosts::Hosts;
use crate::commands::{OrStop as _, Stop, past};
use crate::domain;
use crate::facts::HostRef;
use crate::facts::reference::check_uri;
use crate::journal;
use crate::libvirt::{self, DomainInfo, DomainXml, Failure, Hypervisor, HypervisorError, PauseReason, State};
use crate::migration::lookup::{self, LookupError};
use crate::migration::mark;
use crate::model::both::both;
use crate::model::identity::{self, Identity};
use crate::model::outcome::Outcome;
use crate::model::paste::quoted;

/// One end.
#[derive(Debug)]
pub(super) struct Side {
    /// The host.
    pub(super) host: HostRef,
    /// The word it was named by: it names it again for recovery.
    word: String,
    /// What to call it.
    pub(super) name: String,
    /// Its UUID, as its daemon says it.
    pub(super) uuid: String,
    /// Its daemon.
    pub(super) hypervisor: Arc<dyn Hypervisor>,
}

impl Side {
    /// For the journal.
    pub(super) fn as_host(&self) -> journal::Host {
        let name = if self.host == HostRef::Local { &self.name } else { &self.word };
        journal::Host { name: name.clone(), uri: self.hypervisor.uri().to_owned(), uuid: Some(self.uuid.clone()) }
    }
}

/// Both ends.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "there is one in a run")]
pub(super) enum Sides {
    /// Hosts that run.
    Live {
        /// Where the guest runs.
        source: Side,
        /// Where it goes.
        destination: Side,
        /// The guest.
        guest: DomainInfo,
        /// What it said of a migration when it was found.
        mark: mark::Found,
    },
    /// At least one saved snapshot: good for a plan only.
    Saved {
        /// Where the guest runs.
        source: HostRef,
        /// Where it would go.
        destination: HostRef,
    },
}

impl Sides {
    /// Takes leave of both daemons at the same time.
    pub(super) fn close(self) {
        if let Self::Live { source, destination, .. } = self {
            both(|| drop(source), || drop(destination));
        }
    }

    /// Whether devices matter to the plan: the guest holds some, or asks for some by the operator's or its flavor's word; also
    /// where that is not known.
    pub(super) fn need_devices(&self, wanted: &Wanted) -> bool {
        let Self::Live { source, guest, .. } = self else { return true };
        let without = |which| {
            let xml = source.hypervisor.xml(&guest.uuid, which).ok();
            xml.and_then(|xml| {
                let described = domain::read::read(&xml).ok()?;
                Some(described.hostdevs.is_empty() && described.nova.is_none())
            })
        };
        let asked = wanted.request.is_some() || wanted.stored.is_some();
        asked
            || without(DomainXml::Live) != Some(true)
            || guest.persistent && without(DomainXml::Inactive) != Some(true)
    }
}

/// Connects to both hosts and finds the guest. Snapshots need no connection.
pub(super) fn open(hosts: &Hosts, wanted: &Wanted) -> Result<Sides, Stop> {
    let (from, to) = (hosts.parse(&wanted.from)?, hosts.parse(&wanted.destination)?);
    if matches!(from, HostRef::Snapshot(_)) || matches!(to, HostRef::Snapshot(_)) {
        return Ok(Sides::Saved { source: from, destination: to });
    }
    let (destination, reached) = both(
        || connect(hosts, to, &wanted.destination)?.identified(),
        || {
            let source = connect(hosts, from, &wanted.from)?;
            let name = source.host.label();
            let (source, guest) = both(|| source.clone().identified(), || source.find(hosts, &name, &wanted.instance));
            Ok::<_, Stop>((source?, guest))
        },
    );
    let ((source, guest), destination) = (reached?, destination?);
    tell_apart(&source, &destination)?;
    let guest = guest?;
    let (there, (mark, job)) = both(
        || destination.hypervisor.domain(&guest.uuid),
        || both(|| mark::read(source.hypervisor.as_ref(), &guest.uuid), || source.hypervisor.job(&guest.uuid)),
    );
    let (job, mark) = (job.or_stop(Outcome::Unknown)?, mark.or_stop(Outcome::Unknown)?);
    if job.is_some() {
        return Err(Stop::refused(match &mark {
            mark::Found::Mark(mark) => {
                let (id, machine) = (&mark.id, &mark.machine);
                format!("migration {id} of {} is under way; on {machine}, pvm recover {id} follows it", guest.name)
            }
            mark::Found::None | mark::Found::Unreadable => format!("another job runs on {}", guest.name),
        }));
    }
    if let Some(there) = there.or_stop(Outcome::Unknown)?
        && there.state.is_active()
    {
        let message = format!("{} is {} on {} too: pvm makes no third copy", guest.name, there.state, destination.name);
        return Err(Stop::refused(message));
    }
    let is_named_by_nobody = destination.hypervisor.uri().contains(":///");
    let destination = if !wanted.options.direct && !matches!(source.host, HostRef::Local) && is_named_by_nobody {
        by_name(&source, destination, &guest)?
    } else {
        destination
    };
    Ok(Sides::Live { source, destination, guest, mark })
}

/// This machine as the source's daemon can reach it: by its host name, and in the way that the source is reached.
fn by_name(source: &Side, destination: Side, guest: &DomainInfo) -> Result<Side, Stop> {
    let scheme = source.hypervisor.uri().split("://").next().unwrap_or_default().to_owned();
    let full = destination.hypervisor.hostname().or_stop(Outcome::Unknown)?;
    let short = full.split('.').next().unwrap_or_default();
    for name in [full.as_str(), short] {
        let uri = format!("{scheme}://{name}/system");
        if check_uri(&uri).is_err() {
            continue;
        }
        let Ok(hypervisor) = libvirt::open(&uri) else { continue };
        if hypervisor.host_uuid().is_ok_and(|uuid| uuid == destination.uuid) {
            return Ok(Side { hypervisor: Arc::from(hypervisor), ..destination });
        }
    }
    let (name, uri) = (&guest.name, destination.hypervisor.uri());
    Err(Stop::refused(format!(
        "{} cannot reach {full} under {uri}, and no daemon answers here as {scheme}://{full}/system; give a URI under which \
         it can, or: pvm migrate {} local --from {} --direct",
        source.name,
        quoted(name),
        quoted(&source.word)
    )))
}

/// Two hosts that cannot be told apart are not migrated between: every later "does not know the guest" could be the other's.
fn tell_apart(source: &Side, destination: &Side) -> Result<(), Stop> {
    let (from, to) = (&source.name, &destination.name);
    match identity::compare(Some(&source.uuid), Some(&destination.uuid)) {
        Identity::Other => Ok(()),
        Identity::Same => Err(Stop::refused(format!(
            "{from} and {to} are the same host, or two hosts with the same UUID {}: then set host_uuid in libvirtd.conf \
             (or virtqemud.conf) of one and restart its daemon",
            source.uuid
        ))),
        Identity::Unknown => {
            let placeholder = [source, destination].into_iter().find(|side| !identity::identifies(&side.uuid));
            let side = placeholder.unwrap_or(source);
            Err(Stop::refused(format!(
                "{} has the placeholder {} as its UUID, so it cannot be told apart from other hosts: set host_uuid in \
                 libvirtd.conf (or virtqemud.conf) and restart its daemon",
                side.name, side.uuid
            )))
        }
    }
}

/// A host whose daemon was reached.
#[derive(Debug, Clone)]
struct Reached {
    host: HostRef,
    word: String,
    hypervisor: Arc<dyn Hypervisor>,
}

fn connect(hosts: &Hosts, host: HostRef, word: &str) -> Result<Reached, Stop> {
    let local = hosts.options.connect.as_deref().unwrap_or("qemu:///system");
    let uri = host.libvirt_uri(local).expect("only a snapshot has no libvirt, and none comes here");
    // The journal will name it, and recovery opens no other kind.
    check_uri(&uri).map_err(|e| Stop::refused(e.to_string()))?;
    let hypervisor = Arc::from(libvirt::open(&uri).map_err(|e| unreached(word, &e))?);
    Ok(Reached { host, word: word.to_owned(), hypervisor })
}

impl Reached {
    /// The host's UUID tells it under every name.
    fn identified(self) -> Result<Side, Stop> {
        let (name, uuid) = (self.host.label(), self.hypervisor.host_uuid().or_stop(Outcome::Unknown)?);
        Ok(Side { host: self.host, word: self.word, name, uuid, hypervisor: self.hypervisor })
    }

    fn find(&self, hosts: &Hosts, name: &str, wanted: &str) -> Result<DomainInfo, Stop> {
        let look = |wanted: &str| lookup::find(self.hypervisor.as_ref(), name, wanted);
        let guest = match look(wanted) {
            // Its definition has the name that it was booted with.
            Err(error @ LookupError::Absent { .. }) => match cloud::uuid_of(hosts, wanted)? {
                Some(uuid) => look(&uuid),
                None => Err(error),
            },
            found => found,
        };
        let guest = guest.map_err(|e| past::not_found(&e))?;
        match guest.state {
            State::Running(_) | State::Paused(PauseReason::User) => Ok(guest),
            state => Err(Stop::refused(format!("{} on {name} is {state}: only a running guest migrates", guest.name))),
        }
    }
}

fn unreached(word: &str, error: &HypervisorError) -> Stop {
    match error.failure {
        Failure::NotInstalled => Stop::unknown(error.to_string()),
        // A host that was named by its URI is in the sentence already.
        _ if word.contains("://") => Stop::unknown(error.to_string()),
        _ => Stop::unknown(format!("{word}: {error}")),
    }
}
