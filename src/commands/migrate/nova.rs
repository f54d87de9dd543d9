//! A guest that Nova owns, where Nova can be reached: Nova is asked whether it would move it, then told to.

use std::path::Path;

use super::attempt::{Locked, Moving, lock, refuse_unfinished};
use super::follow::Follow;
use super::plan::Planned;
use super::signals::Signals;
use super::{announce, confirmed, judge, show, sides};
use crate::cli::migrate::Migrate;
use crate::commands::cloud::{self, find, open, several, stop};
use crate::commands::hosts::Hosts;
use crate::commands::recover::RealWorld;
use crate::commands::{Context, OrStop as _, Stop};
use crate::journal::{self, Journal, Lock, Managed, State, Store};
use crate::migration::ending::Ending;
use crate::migration::event::{Event, Phase, What};
use crate::migration::forward::Line;
use crate::migration::ground::Ground;
use crate::migration::nova;
use crate::model::both::both;
use crate::model::outcome::Outcome;
use crate::model::paste::quoted;
use crate::openstack::{Access, Compute, Hypervisor, Lack, Placement, Server, Session, Stage};
use crate::output::events::Events;
use crate::output::progress::Reporter;

/// The cloud by which this guest is moved; none where it is not Nova's, is to be moved without Nova, or where no cloud is
/// described.
pub(super) fn access(hosts: &Hosts, args: &Migrate, planned: &Planned) -> Result<Option<Access>, Stop> {
    let is_novas = planned.facts.domain().owner.as_deref() == Some("nova");
    if !is_novas || args.bypass_owner.is_some() || args.rehearse { Ok(None) } else { find(hosts) }
}

/// One run of the command for one guest of Nova.
pub(super) struct Run<'r> {
    pub(super) context: &'r Context,
    pub(super) args: &'r Migrate,
    pub(super) hosts: &'r Hosts,
    /// The source and the destination.
    pub(super) sides: [&'r sides::Side; 2],
}

/// A migration that Nova may be told of.
struct Ready {
    session: Session,
    managed: Managed,
    migration: journal::Plan,
    /// The guest's.
    locks: Vec<Lock>,
    store: Store,
}

impl Run<'_> {
    /// Says what Nova would be told.
    pub(super) fn show(&self, access: Access, planned: &Planned) -> Result<(), Stop> {
        let session = open(access)?;
        let managed = self.managed(&session, planned)?;
        announce::announce_nova(self.context, self.args, planned, [&managed.source, &managed.destination]);
        Ok(())
    }

    /// Has Nova move it.
    pub(super) fn migrate(
        &self,
        directory: &Path,
        signals: &Signals,
        access: Access,
        planned: &Planned,
    ) -> Result<Outcome, Stop> {
        self.refuse_what_nova_decides()?;
        let ready = self.ready(directory, access, planned)?;
        let migration = &ready.migration;
        if !self.args.yes && !confirmed(self.context)? {
            return Err(Stop::refused("not confirmed"));
        }
        let mut journal = ready.store.create(migration.clone()).or_stop(Outcome::Unknown)?;
        let events = Events::show(Reporter::new(&self.context.printer));
        let before = ready.session.requests();
        let line = Line::new();
        let answer = Box::new(events.wish_to_stop(&migration.id, journal::now));
        signals.begin(&migration.id, false, line.sender(), answer);
        let ending = self.perform(&ready, &mut journal, &line, &|event| events.send(event));
        drop(ready.locks);
        signals.ended(ending.outcome);
        if self.context.printer.verbose > 0 {
            let message = format!("requests to OpenStack: {before} before, {} in all", ready.session.requests());
            let what = What::Note { message };
            events.send(Event { time: journal::now(), id: migration.id.clone(), phase: Phase::Done, what });
        }
        show::result(self.context, events, migration, &ending);
        Ok(ending.outcome)
    }

    /// Has Nova move it for another command, which asks no question. What the operator says of libvirt's way does not concern it.
    pub(super) fn carry_out(
        &self,
        directory: &Path,
        access: Access,
        planned: &Planned,
        follow: &dyn Follow,
    ) -> Result<(journal::Plan, Ending), Stop> {
        let ready = self.ready(directory, access, planned)?;
        let line = Line::new();
        follow.begin(&ready.migration, line.sender())?;
        let mut journal = ready.store.create(ready.migration.clone()).or_stop(Outcome::Unknown)?;
        let ending = self.perform(&ready, &mut journal, &line, &|event| follow.tell(event));
        Ok((ready.migration, ending))
    }

    /// Judges, asks Nova, says what is going to be done, and locks the guest.
    fn ready(&self, directory: &Path, access: Access, planned: &Planned) -> Result<Ready, Stop> {
        let plan = judge::judge(self.context, self.args, planned, true)?;
        let session = open(access)?;
        let managed = self.managed(&session, planned)?;
        announce::announce_nova(self.context, self.args, planned, [&managed.source, &managed.destination]);
        // Nova unplugs ports and plugs them in by itself.
        let migration = journal::Plan { nova: Some(managed.clone()), ports: Vec::new(), ..plan.clone() };
        // The devices are Nova's to give: only the guest is locked.
        let locks = match lock(directory, &journal::Plan { map: Vec::new(), ..migration.clone() })? {
            Locked::All(locks) => locks,
            Locked::Taken(device) => return Err(Stop::refused(format!("{device} is claimed by another pvm"))),
        };
        let store = Store::at(directory);
        refuse_unfinished(&store.list().or_stop(Outcome::Unknown)?, self.sides[0].hypervisor.as_ref(), &migration)?;
        Ok(Ready { session, managed, migration, locks, store })
    }

    fn perform(&self, ready: &Ready, journal: &mut Journal, line: &Line, tell: &dyn Fn(Event)) -> Ending {
        let world = RealWorld::new(self.context, self.hosts, ready.migration.clone());
        let mut world = Moving { world, tell };
        let state = State::begun(ready.migration.clone(), journal::now());
        let [source, destination] = self.sides;
        let mut ground = Ground::new(&mut world, journal, state)
            .connected(source.hypervisor.clone(), destination.hypervisor.clone());
        nova::migrate(&mut ground, &ready.managed, Compute::new(&ready.session), line)
    }

    /// Options that say how libvirt is to migrate: Nova does not ask.
    fn refuse_what_nova_decides(&self) -> Result<(), Stop> {
        let args = self.args;
        let given = [
            ("--bandwidth", args.bandwidth.is_some()),
            ("--switchover-bandwidth", args.switchover_bandwidth.is_some()),
            ("--max-downtime", args.max_downtime.is_some()),
            ("--direct", args.direct),
            ("--tls", args.tls),
            ("--parallel-connections", args.parallel_connections.is_some()),
            ("--copy-storage", !args.copy_storage.is_empty()),
            ("--replug", !args.replug.is_empty()),
            ("--plan", args.plan.is_some()),
        ];
        match given.iter().find(|(_, given)| *given) {
            Some((option, _)) => {
                Err(Stop::usage(format!("{option} does not go with a guest that Nova moves: Nova decides that")))
            }
            None => Ok(()),
        }
    }

    /// What Nova says before it is told to: the server is its own, idle, and where pvm sees it; the destination's service is up and
    /// Placement has room there.
    fn managed(&self, session: &Session, planned: &Planned) -> Result<Managed, Stop> {
        let nova = Compute::new(session);
        let (name, uuid) = (&planned.facts.domain().name, &planned.facts.domain().uuid);
        let [source, destination] = self.sides;
        let there = destination.hypervisor.hostname().or_stop(Outcome::Unknown)?;
        let ((server, hypervisors), (last, lacks)) = both(
            || both(|| nova.server(uuid), || nova.hypervisors()),
            || both(|| nova.last_migration(uuid), || Placement::new(session).lacks(uuid, &there)),
        );
        let server = server.map_err(|e| stop(&e))?.ok_or_else(|| {
            let cloud = session.access().label();
            Stop::refused(format!("Nova of {cloud} has no server {uuid} ({name}), or does not show it to this user"))
        })?;
        self.refuse_ambiguous(nova, &server)?;
        let hypervisors = hypervisors.map_err(|e| stop(&e))?;
        let from = service(&hypervisors, source)?;
        let to = service(&hypervisors, destination)?;
        usable(&server, name, from, to)?;
        let last = last.map_err(|e| stop(&e))?;
        if let Some(last) = last.as_ref().filter(|last| last.stage() == Stage::UnderWay && server.task_state.is_some())
        {
            let message = format!("Nova is migrating {name} already (migration {}, {})", last.id, last.status);
            return Err(Stop::refused(message));
        }
        match lacks {
            Ok(lacks) if lacks.is_empty() => {}
            Ok(lacks) => return Err(Stop::refused(no_room(name, &to.service.host, &lacks))),
            // Its scheduler asks again.
            Err(error) => {
                self.context.printer.note(&format!("Whether Nova's scheduler finds room is not known: {error}"));
            }
        }
        Ok(Managed {
            cloud: session.access().cloud.clone(),
            source: from.service.host.clone(),
            destination: to.service.host.clone(),
            before: last.map_or(0, |last| last.id),
        })
    }

    /// A name that means one guest on the source may mean another server elsewhere.
    fn refuse_ambiguous(&self, nova: Compute<'_>, server: &Server) -> Result<(), Stop> {
        let Some(wanted) = self.args.instance.as_deref() else { return Ok(()) };
        let is_exact = wanted.eq_ignore_ascii_case(&server.id) || server.domain.as_deref() == Some(wanted);
        if is_exact {
            return Ok(());
        }
        let named = nova.servers_named(wanted).map_err(|e| stop(&e))?;
        if named.len() < 2 {
            return Ok(());
        }
        Err(Stop::refused(several(wanted, &named)))
    }
}

/// The compute service of a host, by the name that libvirt has for it.
fn service<'h>(hypervisors: &'h [Hypervisor], side: &sides::Side) -> Result<&'h Hypervisor, Stop> {
    let name = side.hypervisor.hostname().or_stop(Outcome::Unknown)?;
    cloud::of_hypervisor(hypervisors, &name).ok_or_else(|| {
        let all: Vec<&str> = hypervisors.iter().map(|one| one.hypervisor_hostname.as_str()).collect();
        Stop::refused(format!("Nova has no compute host {name}; it has: {}", all.join(", ")))
    })
}

/// What the scheduler would only call "No valid host was found".
fn no_room(name: &str, host: &str, lacks: &[Lack]) -> String {
    let lack = |lack: &Lack| format!("{} {} free of the {} that it needs", lack.free, lack.class, lack.needed);
    let all: Vec<String> = lacks.iter().map(lack).collect();
    format!("Nova's scheduler would find no valid host for {name}: Placement has on {host} {}", all.join(", "))
}

/// Whether Nova would take the request.
fn usable(server: &Server, name: &str, from: &Hypervisor, to: &Hypervisor) -> Result<(), Stop> {
    let here = &from.service.host;
    if let Some(host) = server.host.as_deref().filter(|host| host != here) {
        return Err(Stop::refused(format!("{name} runs on {here}, but Nova says that it is on {host}")));
    }
    if let Some(task) = &server.task_state {
        return Err(Stop::refused(format!("Nova is busy with {name} (task_state {task})")));
    }
    match server.status.as_str() {
        "ACTIVE" | "PAUSED" => {}
        "ERROR" => {
            return Err(Stop::refused(format!(
                "Nova shows {name} in ERROR and does not migrate it, although it runs on {here}; once you know why, reset that: \
                 openstack server set --state active {}",
                quoted(&server.id)
            )));
        }
        status => return Err(Stop::refused(format!("{name} is {status}: Nova migrates it only when it is ACTIVE"))),
    }
    for one in [from, to] {
        if one.state != "up" {
            let host = &one.service.host;
            return Err(Stop::refused(format!("Nova's compute service on {host} is {}", one.state)));
        }
    }
    if to.status != "enabled" {
        let reason = to.service.disabled_reason.as_deref().map_or(String::new(), |why| format!(" ({why})"));
        return Err(Stop::refused(format!("Nova's compute service on {} is {}{reason}", to.service.host, to.status)));
    }
    Ok(())
}
