//! The plan of a migration: two snapshots, preflight's report on them, and the order made of it.

use std::collections::BTreeSet;

use serde::Serialize;

use super::sides::{Side, Sides};
use crate::cli::Format;
use crate::cli::migrate::Migrate;
use crate::commands::hosts::{Hosts, stop};
use crate::commands::{Context, Stop};
use crate::domain::element::{element, rewrite_element};
use crate::domain::rewrite::{Mapping, rewrite};
use crate::host::{self, ErrorKind, HostError};
use crate::hypervisor::{DomainInfo, State};
use crate::journal::{self, Store};
use crate::migrate::{Options, Order};
use crate::outcome::Outcome;
use crate::output::diff::diff;
use crate::output::preflight as output;
use crate::pci::PciAddress;
use crate::plan::map::{rewriting, rewriting_with_ports};
use crate::plan::{Action, MapEntry, Wishes};
use crate::preflight::{self, Compatibility, InstanceReport, Question, Report};
use crate::snapshot::{Domain, Snapshot, Via};

/// A plan and what it rests on.
#[derive(Debug)]
pub(super) struct Planned {
    /// Preflight's report on this guest.
    pub(super) report: Report,
    /// The guest as the source's snapshot has it.
    pub(super) domain: Domain,
    /// Its XML as it is, without secrets.
    before: String,
    /// Its XML as it would be on the destination; none when there is no map.
    after: Option<String>,
    /// What libvirt would be told; none when there is no map, or when a host is only a snapshot.
    pub(super) order: Option<Order>,
    id: String,
}

impl Planned {
    /// The guest's part of the report.
    pub(super) fn instance(&self) -> &InstanceReport {
        &self.report.instances[0]
    }
}

/// Devices of the destination that unfinished migrations keep.
pub(super) fn claimed(store: &Store, destination: &str) -> anyhow::Result<BTreeSet<PciAddress>> {
    let listed = store.list()?;
    let states: Vec<_> = listed.iter().filter_map(journal::Listed::state).collect();
    let claims = journal::claims(&states);
    Ok(claims.into_iter().filter(|claim| claim.host == destination).map(|claim| claim.device).collect())
}

/// Reads both hosts and plans.
pub(super) fn make(
    hosts: &Hosts,
    sides: &Sides,
    args: &Migrate,
    excluded: &BTreeSet<PciAddress>,
) -> anyhow::Result<Planned> {
    let asked = match sides {
        Sides::Live { source, destination, .. } => [source.host.clone(), destination.host.clone()],
        Sides::Saved { source, destination } => [source.clone(), destination.clone()],
    };
    let mut gathered = host::gather_all(&asked, &hosts.options).into_iter();
    let mut next = |side: Option<&Side>| match (gathered.next(), side) {
        (Some(Ok(snapshot)), _) => Ok(snapshot),
        (Some(Err(error)), Some(side)) if error.kind() == ErrorKind::Unknown => Ok(by_libvirt(side, &error)),
        (Some(Err(error)), _) => Err(stop(error)),
        (None, _) => unreachable!("two hosts were asked"),
    };
    let (source, destination, wanted) = match sides {
        Sides::Live { source, destination, guest } => {
            (next(Some(source))?, next(Some(destination))?, guest.uuid.as_str())
        }
        Sides::Saved { .. } => (next(None)?, next(None)?, args.instance.as_str()),
    };
    let at = source.find_domain(wanted).map_err(Stop::unknown)?;
    let question = Question {
        domains: Some(vec![at]),
        wishes: Wishes { request: args.request.as_deref(), ports: &args.port, ..Wishes::default() },
        excluded: excluded.clone(),
        all: false,
    };
    let report = preflight::run(&source, &destination, &question);
    let domain = source.domains[at].clone();
    let Some(before) = domain.xml.clone() else {
        return Err(Stop::unknown(format!("the XML of {} is not known", domain.name)).into());
    };
    let map = &report.instances[0].map;
    // The planner leaves the map empty when there is none; a guest without host devices needs none.
    let complete = map.len() == domain.hostdevs.iter().filter(|d| d.source.is_some()).count();
    let after =
        if complete { Some(rewrite(&before, &rewriting_with_ports(map)).map_err(|e| refused(&e))?) } else { None };
    let id = journal::new_id(&domain.uuid);
    let order = match sides {
        Sides::Live { source, destination, guest } if complete => {
            Some(order(&id, source, destination, guest, &domain, &before, map, args, hosts)?)
        }
        Sides::Live { .. } | Sides::Saved { .. } => None,
    };
    Ok(Planned { report, domain, before, after, order, id })
}

fn refused(error: &crate::domain::XmlError) -> Stop {
    Stop::refused(error.to_string())
}

/// What libvirt alone knows of a host whose own pvm did not answer: the rest is unknown, and preflight says so.
fn by_libvirt(side: &Side, error: &HostError) -> Snapshot {
    let schema = crate::snapshot::SCHEMA.to_owned();
    let mut snapshot = Snapshot { schema, via: Via::Libvirt, ..Snapshot::default() };
    snapshot.host.name.clone_from(&side.name);
    host::libvirt::add(&mut snapshot, side.hypervisor.as_ref());
    snapshot.unknown.push(crate::snapshot::Unknown::new("devices", error.to_string()));
    snapshot
}

#[expect(clippy::too_many_arguments, reason = "everything a plan rests on comes together here once")]
fn order(
    id: &str,
    source: &Side,
    destination: &Side,
    guest: &DomainInfo,
    domain: &Domain,
    xml: &str,
    map: &[MapEntry],
    args: &Migrate,
    hosts: &Hosts,
) -> anyhow::Result<Order> {
    let defaults = &hosts.options.settings.defaults;
    Ok(Order {
        id: id.to_owned(),
        instance: journal::Instance { name: guest.name.clone(), uuid: guest.uuid.clone() },
        source: source.as_host(),
        source_label: source.name.clone(),
        destination: destination.as_host(),
        destination_uri: destination.hypervisor.uri().to_owned(),
        migrate_uri: destination.host.migrate_uri().map(str::to_owned),
        map: map.iter().map(as_move).collect(),
        mapping: rewriting(map),
        persistent_mapping: rewriting_with_ports(map),
        ports: ports(domain, xml, map)?,
        persistent: guest.persistent,
        autostart: guest.autostart,
        paused: matches!(guest.state, State::Paused(_)),
        options: Options {
            max_downtime: args.max_downtime,
            bandwidth: args.bandwidth,
            timeout: args.timeout,
            tls: args.tls || defaults.tls,
            parallel: args.parallel.or(Some(defaults.parallel).filter(|n| *n > 0)),
            require_proof: args.require_proof,
        },
    })
}

fn as_move(entry: &MapEntry) -> journal::Move {
    journal::Move {
        source: entry.source,
        destination: entry.destination,
        guest_address: entry.guest_address,
        action: match entry.action {
            Action::Migrate => journal::Action::Migrate,
            Action::Reattach => journal::Action::Reattach,
        },
    }
}

/// What is needed to unplug the ports and to plug them in again, on either host.
fn ports(domain: &Domain, xml: &str, map: &[MapEntry]) -> anyhow::Result<Vec<journal::Port>> {
    let mut ports = Vec::new();
    for entry in map.iter().filter(|entry| entry.action == Action::Reattach) {
        let Some(source_xml) = element(xml, entry.source).map_err(|e| refused(&e))? else {
            return Err(Stop::refused(format!("port {} is not in the XML of {}", entry.source, domain.name)).into());
        };
        let alone =
            Mapping { changes: rewriting_with_ports(std::slice::from_ref(entry)).changes, ..Mapping::default() };
        let destination_xml = rewrite_element(&source_xml, &alone).map_err(|e| refused(&e))?;
        let inactive = domain.inactive_xml.as_deref().filter(|_| domain.persistent);
        let persistent = inactive.is_some_and(|xml| matches!(element(xml, entry.source), Ok(Some(_))));
        let alias = domain.hostdevs.iter().find(|d| d.source == Some(entry.source)).and_then(|d| d.alias.clone());
        ports.push(journal::Port { source: entry.source, alias, source_xml, destination_xml, persistent });
    }
    Ok(ports)
}

/// `pvm.plan/1`.
#[derive(Debug, Serialize)]
struct PlanDocument<'a> {
    schema: &'static str,
    id: &'a str,
    instance: journal::Instance,
    source: &'a str,
    destination: &'a str,
    verdict: Compatibility,
    map: &'a [MapEntry],
    flags: Vec<&'static str>,
    detach: Vec<PciAddress>,
    destination_xml: Option<&'a str>,
}

fn flags(planned: &Planned, args: &Migrate) -> Vec<&'static str> {
    let mut flags = vec!["live", "peer2peer", "abort-on-error"];
    if planned.domain.persistent {
        flags.extend(["persist-dest", "undefine-source"]);
    }
    if args.tls {
        flags.push("tls");
    }
    if args.parallel.is_some() {
        flags.push("parallel");
    }
    flags
}

/// Prints the plan as the result.
pub(super) fn show(context: &Context, args: &Migrate, planned: &Planned) -> anyhow::Result<Outcome> {
    if context.global.output == Format::Table {
        output::print(&context.printer, std::slice::from_ref(&planned.report))?;
        let mut text = format!("Flags: {}.\n", flags(planned, args).join(", "));
        if let (true, Some(after)) = (args.diff, &planned.after) {
            let lines = diff(&planned.before, after);
            text.push_str(if lines.is_empty() { "The XML stays as it is.\n" } else { &lines });
        }
        context.printer.result(&text)?;
    } else {
        let map = planned.instance().map.as_slice();
        let ports = map.iter().filter(|entry| entry.action == Action::Reattach);
        context.printer.document(&PlanDocument {
            schema: "pvm.plan/1",
            id: &planned.id,
            instance: journal::Instance { name: planned.domain.name.clone(), uuid: planned.domain.uuid.clone() },
            source: &planned.report.source,
            destination: &planned.report.destination,
            verdict: planned.instance().verdict,
            map,
            flags: flags(planned, args),
            detach: ports.map(|entry| entry.source).collect(),
            destination_xml: planned.after.as_deref(),
        })?;
    }
    Ok(match planned.instance().verdict {
        Compatibility::Warnings if args.strict => Outcome::Findings,
        Compatibility::Compatible | Compatibility::Warnings => Outcome::Fine,
        Compatibility::Unknown => Outcome::Unknown,
        Compatibility::Incompatible => Outcome::Findings,
    })
}

/// Says on stderr what is going to be done.
pub(super) fn announce(context: &Context, args: &Migrate, planned: &Planned) {
    if args.diff
        && let Some(after) = &planned.after
    {
        context.printer.note(diff(&planned.before, after).trim_end());
    }
    let Some(order) = &planned.order else { return };
    let mut text = format!("{} moves from {} to {}", order.instance.name, order.source_label, order.destination.name);
    for moved in &order.map {
        let how = match moved.action {
            journal::Action::Migrate => "with its state",
            journal::Action::Reattach => "a port: unplugged before, plugged in afterwards, without network meanwhile",
        };
        text = format!("{text}\n  {} -> {}  {how}", moved.source, moved.destination);
    }
    context.printer.note(&text);
}
