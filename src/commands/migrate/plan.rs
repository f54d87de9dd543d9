//! The plan of a migration: two snapshots, preflight's report on them, and the order made of it.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::parameters;
use super::sides::{Side, Sides};
use crate::cli::Format;
use crate::cli::migrate::Migrate;
use crate::commands::hosts::{Hosts, pci_requests};
use crate::commands::{Context, OrStop as _, Stop, storage, way};
use crate::domain::element::{element, rewrite_element};
use crate::facts::{self, ErrorKind, GatherOptions, HostError};
use crate::journal;
use crate::libvirt::{DomainInfo, State};
use crate::migration::forward::{Options, Order};
use crate::model::device_move::{Action, DeviceMove, Instance};
use crate::model::outcome::Outcome;
use crate::model::pci::PciAddress;
use crate::model::snapshot::{Domain, Snapshot, Via};
use crate::output::diff::diff;
use crate::output::preflight as output;
use crate::output::text::printable;
use crate::plan::document::Plan;
use crate::plan::{Known, Planner, Wishes};
use crate::preflight::{self, Compatibility, InstanceReport, Question, Report, Terms};

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
    /// The plan as a document; none when there is no map.
    document: Option<Plan>,
}

impl Planned {
    /// The guest's part of the report.
    pub(super) fn instance(&self) -> &InstanceReport {
        &self.report.instances[0]
    }
}

/// What unfinished migrations keep, wherever it is.
pub(super) fn claims(journals: &[journal::Listed]) -> Vec<journal::Claim> {
    let states: Vec<_> = journals.iter().filter_map(journal::Listed::state).collect();
    journal::claims(&states)
}

/// The devices among them that are on the host with this UUID, or may be.
pub(super) fn claimed<'a>(
    claims: &'a [journal::Claim],
    uuid: Option<&'a str>,
) -> impl Iterator<Item = PciAddress> + 'a {
    claims.iter().filter(move |claim| claim.may_be_on(uuid)).map(|claim| claim.device)
}

/// Reads both hosts and plans.
pub(super) fn make(
    hosts: &Hosts,
    sides: &Sides,
    args: &Migrate,
    saved: Option<&Plan>,
    claims: &[journal::Claim],
    taken: &BTreeSet<PciAddress>,
) -> Result<Planned, Stop> {
    let asked = match sides {
        Sides::Live { source, destination, .. } => [source.host.clone(), destination.host.clone()],
        Sides::Saved { source, destination } => [source.clone(), destination.clone()],
    };
    let daemons = match sides {
        Sides::Live { source, destination, .. } => [Some(&source.hypervisor), Some(&destination.hypervisor)],
        Sides::Saved { .. } => [None, None],
    };
    let over: Vec<_> = asked.iter().zip(daemons.map(|daemon| daemon.map(Box::as_ref))).collect();
    let gathering = GatherOptions { devices: sides.need_devices(args), ..hosts.options.clone() };
    let mut gathered = facts::gather_all_over(&over, &gathering).into_iter();
    let mut next = |side: Option<&Side>| match (gathered.next(), side) {
        (Some(Ok(snapshot)), _) => Ok(snapshot),
        (Some(Err(error)), Some(side)) if error.kind() == ErrorKind::Unknown => Ok(by_libvirt(side, &error)),
        (Some(Err(error)), _) => Err(Stop::from(error)),
        (None, _) => unreachable!("two hosts were asked"),
    };
    let (source, mut destination, wanted) = match sides {
        Sides::Live { source, destination, guest } => {
            (next(Some(source))?, next(Some(destination))?, guest.uuid.as_str())
        }
        Sides::Saved { .. } => (next(None)?, next(None)?, args.instance.as_str()),
    };
    let excluded: BTreeSet<_> =
        claimed(claims, destination.host.uuid.as_deref()).chain(taken.iter().copied()).collect();
    let at = source.find_domain(wanted).map_err(Stop::unknown)?;
    facts::remote::paths::add(&mut destination, &asked[1], &hosts.options, [&source.domains[at]]);
    let stored = args.pci_requests.as_deref().map(pci_requests).transpose()?;
    let (mut options, downtime) = match saved {
        Some(plan) => parameters::of(plan)?,
        None => parameters::chosen(args, &hosts.options.settings.defaults)?,
    };
    parameters::known_by(&options, &source, &destination)?;
    let named = match saved {
        Some(_) => options.copy_disks.keys().cloned().collect(),
        None => args.copy_storage.clone(),
    };
    let copies = storage::ask([&asked[0], &asked[1]], &hosts.options, &source.domains[at], &named)?;
    options.copy_disks = copies.iter().map(|(disk, copied)| (disk.clone(), copied.path.clone())).collect();
    let question = Question {
        domains: Some(vec![at]),
        wishes: Wishes { request: args.request.as_deref(), ports: &args.port, stored: stored.as_deref() },
        excluded: excluded.clone(),
        terms: Terms {
            no_detach: args.no_detach,
            downtime,
            bandwidth: options.bandwidth,
            switchover_bandwidth: options.switchover_bandwidth,
            copies,
        },
        all: false,
    };
    let report = preflight::run(&source, &destination, &question);
    let domain = source.domains[at].clone();
    let Some(before) = domain.xml.clone() else {
        return Err(Stop::unknown(format!("the XML of {} is not known", domain.name)));
    };
    let map = match saved {
        Some(plan) => {
            still_holds(plan, &source, &destination, &domain, &excluded)?;
            &plan.map
        }
        None => &report.instances[0].map,
    };
    // The planner leaves the map empty when there is none; a guest without host devices needs none.
    let complete = map.len() == domain.hostdevs.iter().filter(|d| d.source.is_some()).count();
    if !complete {
        return Ok(Planned { report, domain, before, after: None, order: None, document: None });
    }
    let limit = report.instances[0].downtime_limit.as_ref();
    options.max_downtime = options.max_downtime.or(limit.and_then(|limit| limit.ms).map(Duration::from_millis));
    let document = Plan::of(&source, &destination, &domain, map).map_err(|e| refused(&e))?;
    let document = Plan {
        id: journal::new_id(&domain.uuid),
        created_at: journal::now().to_string(),
        source: args.from.clone(),
        destination: args.destination.clone(),
        requests: args.request.iter().cloned().collect(),
        flags: flags(&domain, &options),
        parameters: options.parameters(),
        reasons: limit.map(|limit| ("max_downtime_ms".to_owned(), limit.why.clone())).into_iter().collect(),
        ..document
    }
    .sealed();
    let order = match sides {
        Sides::Live { source: from, destination: to, guest } => {
            let planner = Planner::new(&source, &destination, &excluded);
            let places = |port| {
                let held = source.device(port);
                held.map_or_else(Vec::new, |held| planner.port_places(held, &mut Known::default()))
            };
            let ports = ports(&domain, &before, map, places)?;
            Some(order(&document, from, to, guest, ports, options))
        }
        Sides::Saved { .. } => None,
    };
    let after = document.destination_xml.clone();
    Ok(Planned { report, domain, before, after, order, document: Some(document) })
}

/// Reads a saved plan.
pub(super) fn read(path: &Path) -> Result<Plan, Stop> {
    #[expect(clippy::disallowed_methods, reason = "the operator named this file")]
    let text =
        std::fs::read_to_string(path).map_err(|e| Stop::unknown(format!("cannot read {}: {e}", path.display())))?;
    Plan::parse(&text).map_err(|e| Stop::refused(format!("{}: {e}", path.display())))
}

/// Whether pvm is to hold both connections.
pub(super) fn is_direct(plan: &Plan) -> bool {
    Options::of(&plan.parameters).is_some_and(|options| options.direct)
}

/// Writes the plan, private and at once.
pub(super) fn save(path: &Path, planned: &Planned) -> Result<(), Stop> {
    let Some(document) = &planned.document else {
        return Err(Stop::refused(format!("{} has no device map: there is no plan to save", planned.domain.name)));
    };
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}", std::process::id()));
    let beside = PathBuf::from(name);
    let write = || -> std::io::Result<()> {
        let mut options = std::fs::OpenOptions::new();
        let mut file = options.write(true).create_new(true).mode(0o600).open(&beside)?;
        file.write_all(serde_json::to_string_pretty(document)?.as_bytes())?;
        file.write_all(b"\n")?;
        file.sync_all()?;
        std::fs::rename(&beside, path)
    };
    write().map_err(|e| {
        // Where nothing could be written there is nothing to remove.
        let _ = std::fs::remove_file(&beside);
        Stop::unknown(format!("cannot write {}: {e}", path.display()))
    })
}

/// Refuses a plan of another guest, or one whose facts are otherwise now, and says which.
fn still_holds(
    plan: &Plan,
    source: &Snapshot,
    destination: &Snapshot,
    domain: &Domain,
    excluded: &BTreeSet<PciAddress>,
) -> Result<(), Stop> {
    if plan.instance.uuid != domain.uuid {
        return Err(Stop::refused(format!("the plan is for {}, not for {}", plan.instance.name, domain.name)));
    }
    let mut changed: Vec<_> = plan
        .changes(source, destination)
        .into_iter()
        .map(|changed| format!("{} was {}, is {}", changed.fact, changed.was, changed.is))
        .collect();
    let claimed = plan.map.iter().map(|entry| entry.destination).filter(|device| excluded.contains(device));
    changed.extend(claimed.map(|device| format!("destination {device} is claimed by another migration")));
    if changed.is_empty() {
        return Ok(());
    }
    Err(Stop::refused(format!("the plan of {} no longer holds: {}", plan.instance.name, changed.join("; "))))
}

fn refused(error: &crate::domain::XmlError) -> Stop {
    Stop::refused(error.to_string())
}

/// What libvirt alone knows of a host whose own pvm did not answer: the rest is unknown, and preflight says so.
fn by_libvirt(side: &Side, error: &HostError) -> Snapshot {
    let schema = crate::model::snapshot::SCHEMA.to_owned();
    let mut snapshot = Snapshot { schema, via: Via::Libvirt, ..Snapshot::default() };
    snapshot.host.name.clone_from(&side.name);
    facts::libvirt::add(&mut snapshot, side.hypervisor.as_ref());
    snapshot.unknown.push(crate::model::snapshot::Unknown::new("devices", error.to_string()));
    snapshot
}

fn order(
    plan: &Plan,
    source: &Side,
    destination: &Side,
    guest: &DomainInfo,
    ports: Vec<journal::Port>,
    options: Options,
) -> Order {
    Order {
        id: plan.id.clone(),
        machine: journal::machine(),
        known_marks: Vec::new(),
        instance: Instance { name: guest.name.clone(), uuid: guest.uuid.clone() },
        source: source.as_host(),
        source_label: source.name.clone(),
        destination: destination.as_host(),
        destination_uri: destination.hypervisor.uri().to_owned(),
        migrate_uri: destination.host.migrate_uri().map(str::to_owned),
        map: plan.map.clone(),
        ports,
        persistent: guest.persistent,
        autostart: guest.autostart,
        paused: matches!(guest.state, State::Paused(_)),
        options,
    }
}

/// What is needed to unplug the ports and to plug them in again, on either host.
fn ports(
    domain: &Domain,
    xml: &str,
    map: &[DeviceMove],
    places: impl Fn(PciAddress) -> Vec<PciAddress>,
) -> Result<Vec<journal::Port>, Stop> {
    let mut ports = Vec::new();
    for entry in map.iter().filter(|entry| entry.action == Action::Reattach) {
        let Some(source_xml) = element(xml, entry.source).map_err(|e| refused(&e))? else {
            return Err(Stop::refused(format!("port {} is not in the XML of {}", entry.source, domain.name)));
        };
        let destination_xml = rewrite_element(&source_xml, entry).map_err(|e| refused(&e))?;
        let inactive = domain.inactive_xml.as_deref().filter(|_| domain.persistent);
        let persistent = inactive.is_some_and(|xml| matches!(element(xml, entry.source), Ok(Some(_))));
        let alias = domain.hostdevs.iter().find(|d| d.source == Some(entry.source)).and_then(|d| d.alias.clone());
        let taken = |device: &PciAddress| map.iter().any(|moved| moved.destination == *device);
        let alternatives = places(entry.source).into_iter().filter(|device| !taken(device)).collect();
        let planned = Some(entry.destination);
        ports.push(journal::Port {
            source: entry.source,
            alias,
            source_xml,
            destination_xml,
            persistent,
            planned,
            alternatives,
        });
    }
    Ok(ports)
}

fn flags(domain: &Domain, options: &Options) -> Vec<String> {
    let way = if options.direct { "direct" } else { "peer2peer" };
    let mut flags = vec!["live", way, "abort-on-error"];
    if domain.persistent {
        flags.extend(["persist-dest", "undefine-source"]);
    }
    if options.tls {
        flags.push("tls");
    }
    if options.parallel.is_some() {
        flags.push("parallel");
    }
    if !options.copy_disks.is_empty() {
        flags.push("non-shared-disk");
    }
    flags.into_iter().map(str::to_owned).collect()
}

/// Prints the plan as the result.
pub(super) fn show(context: &Context, args: &Migrate, planned: &Planned) -> Result<Outcome, Stop> {
    if context.global.output == Format::Table {
        output::print(&context.printer, std::slice::from_ref(&planned.report)).or_stop(Outcome::Unknown)?;
        if let Some(document) = &planned.document {
            let mut text = format!("Flags: {}.\n", document.flags.join(", "));
            for line in parameters::lines(document) {
                text = format!("{text}{}\n", printable(&line));
            }
            if let Some(line) = peer_to_peer(planned) {
                text = format!("{text}{}.\n", printable(&line));
            }
            if let (true, Some(after)) = (args.diff, &planned.after) {
                let lines = diff(&planned.before, after);
                text.push_str(if lines.is_empty() { "The XML stays as it is.\n" } else { &lines });
            }
            context.printer.result(&text).or_stop(Outcome::Unknown)?;
        }
    } else if let Some(document) = &planned.document {
        context.printer.document(document).or_stop(Outcome::Unknown)?;
    } else {
        // Without a map there is no plan; the report says why.
        output::print(&context.printer, std::slice::from_ref(&planned.report)).or_stop(Outcome::Unknown)?;
    }
    Ok(match planned.instance().verdict {
        Compatibility::Warnings if args.strict => Outcome::Findings,
        Compatibility::Compatible | Compatibility::Warnings => Outcome::Fine,
        Compatibility::Unknown => Outcome::Unknown,
        Compatibility::Incompatible => Outcome::Findings,
    })
}

/// What is known of the way, when the daemons are to talk to each other.
fn peer_to_peer(planned: &Planned) -> Option<String> {
    let order = planned.order.as_ref().filter(|order| !order.options.direct)?;
    let to = &order.destination;
    Some(way::peer_to_peer(&order.source.name, &to.name, &to.uri).words(&order.source_label, &to.uri))
}

/// Says on stderr what is going to be done.
pub(super) fn announce(context: &Context, args: &Migrate, planned: &Planned) {
    if args.diff
        && let Some(after) = &planned.after
    {
        context.printer.note(diff(&planned.before, after).trim_end());
    }
    let Some(order) = &planned.order else { return };
    let head = format!("{} moves from {} to {}", order.instance.name, order.source_label, order.destination.name);
    let mut text = printable(&head).into_owned();
    for moved in &order.map {
        let how = match moved.action {
            Action::Migrate => "with its state",
            Action::Reattach => "a port: unplugged before, plugged in afterwards, without network meanwhile",
        };
        text = format!("{text}\n  {} -> {}  {how}", moved.source, moved.destination);
    }
    for line in planned.document.iter().flat_map(parameters::lines) {
        text = format!("{text}\n  {}", printable(&line));
    }
    context.printer.note(&text);
}
