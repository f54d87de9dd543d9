//! The plan of a migration: the facts of both hosts, preflight's report on them, the plan sealed, and what is journalled of it.

use std::collections::BTreeSet;
use std::time::Duration;

use super::facts::{Facts, gather};
use super::parameters;
use super::sides::Sides;
use super::unchanged;
use super::wanted::Wanted;
use crate::commands::Stop;
use crate::commands::drain::cordon;
use crate::commands::hosts::Hosts;
use crate::commands::learned::learned;
use crate::domain::XmlError;
use crate::domain::element::{element, rewrite_element};
use crate::domain::guest;
use crate::journal::{self, Drains};
use crate::libvirt::{DomainInfo, State};
use crate::model::device_move::Action;
use crate::model::options::Options;
use crate::model::pauses;
use crate::model::pci::PciAddress;
use crate::model::policy::{By, Policies, Ruled};
use crate::model::snapshot::Domain;
use crate::plan::document::Plan;
use crate::plan::{Known, Planner};
use crate::preflight::{self, Downtime, InstanceReport, Question, Report, Terms};

/// A plan and what it rests on.
#[derive(Debug)]
pub(super) struct Planned {
    /// What both hosts say.
    pub(super) facts: Facts,
    /// Preflight's report on this guest with the devices of the plan.
    pub(super) report: Report,
    /// The plan; none when there is no map.
    pub(super) plan: Option<Plan>,
    /// What libvirt would be told; none when there is no plan, or when a host is only a snapshot.
    pub(super) migration: Option<journal::Plan>,
}

impl Planned {
    /// The guest's part of the report.
    pub(super) fn instance(&self) -> &InstanceReport {
        &self.report.instances[0]
    }
}

/// Reads both hosts and plans, without the devices that are claimed or were taken meanwhile. A saved plan is planned again
/// with its own map, and must come out the same.
pub(super) fn make(
    hosts: &Hosts,
    sides: &Sides,
    wanted: &Wanted,
    claims: &[journal::Claim],
    taken: &BTreeSet<PciAddress>,
    drains: &Drains,
) -> Result<Planned, Stop> {
    let mut facts = gather(hosts, sides, wanted)?.without(claims, taken);
    cordon::note(Some(drains), &mut facts.destination.host);
    if let Some(saved) = &wanted.saved {
        unchanged::facts_hold(saved, wanted, &facts)?;
    }
    let guest = facts.domain();
    let is_held = |port: &&PciAddress| guest.hostdevs.iter().any(|held| held.source == Some(**port));
    if let Some(port) = wanted.ports.iter().find(|port| !is_held(port)) {
        return Err(Stop::unknown(format!("--replug: {} has no host device {port}", guest.name)));
    }
    let policies = hosts.options.settings.policies();
    let (options, downtime, limited_by) = ruled(&facts, wanted, &policies);
    let report = judge(&facts, wanted, downtime, policies);
    let plan = seal(&facts, &report.instances[0], wanted, &options, limited_by)?;
    if let (Some(saved), Some(plan)) = (&wanted.saved, &plan) {
        unchanged::is_made_again(saved, plan)?;
    }
    let migration = plan.as_ref().map(|plan| migration(sides, &facts, plan)).transpose()?.flatten();
    Ok(Planned { facts, report, plan, migration })
}

/// The options with the limit of the pause that a policy of this guest sets, and who sets it.
fn ruled(facts: &Facts, wanted: &Wanted, policies: &Policies) -> (Options, Downtime, Option<String>) {
    // One that cannot be read is unknown to the check.
    let own = guest::read(facts.xml()).unwrap_or_default().policy;
    match policies.max_pause(wanted.options.max_pause, facts.domain(), &own) {
        Some(Ruled { value, by }) if by != By::Operator => {
            let (options, downtime) = parameters::paused_at_most(value, wanted.options.clone(), wanted.downtime);
            (options, downtime, Some(by.words("--max-pause")))
        }
        _ => (wanted.options.clone(), wanted.downtime, None),
    }
}

fn judge(facts: &Facts, wanted: &Wanted, downtime: Downtime, policies: Policies) -> Report {
    let terms = Terms {
        no_detach: wanted.no_detach,
        bypass_owner: wanted.bypass_owner,
        copies: facts.copies.clone(),
        pauses: learned(),
        ..parameters::terms(&wanted.options, downtime, policies)
    };
    let (domains, wishes, excluded) = (Some(vec![facts.guest]), wanted.wishes(), facts.excluded.clone());
    preflight::run(
        &facts.source,
        &facts.destination,
        &Question { domains, wishes, excluded, terms, ..Question::default() },
    )
}

/// The plan with the map of the report; none where that has no map.
fn seal(
    facts: &Facts,
    judged: &InstanceReport,
    wanted: &Wanted,
    options: &Options,
    limited_by: Option<String>,
) -> Result<Option<Plan>, Stop> {
    let domain = facts.domain();
    // The planner leaves the map empty when there is none; a guest without host devices needs none.
    if judged.map.len() != domain.hostdevs.iter().filter(|d| d.source.is_some()).count() {
        return Ok(None);
    }
    let limit = judged.downtime_limit.as_ref();
    let options = Options {
        max_downtime: options.max_downtime.or(limit.and_then(|limit| limit.ms).map(Duration::from_millis)),
        copy_disks: facts.copies.iter().map(|(disk, copied)| (disk.clone(), copied.path.clone())).collect(),
        ..options.clone()
    };
    let reasons = limit.map(|limit| ("max_downtime_ms".to_owned(), limit.why.clone())).into_iter();
    let reasons = reasons.chain(limited_by.map(|by| (parameters::MAX_PAUSE.to_owned(), by)));
    let plan = Plan::of(&facts.source, &facts.destination, domain, &judged.map).map_err(|e| refused(&e))?;
    let plan = Plan {
        id: journal::new_id(&domain.uuid),
        created_at: journal::now().to_string(),
        source: wanted.from.clone(),
        destination: wanted.destination.clone(),
        requests: wanted.request.iter().cloned().collect(),
        pci_requests: wanted.stored.clone(),
        ports: wanted.ports.clone(),
        flags: flags(domain, &options),
        parameters: options,
        reasons: reasons.collect(),
        ..plan
    };
    Ok(Some(plan.sealed()))
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

/// The plan in the terms of two connections; none without them.
fn migration(sides: &Sides, facts: &Facts, plan: &Plan) -> Result<Option<journal::Plan>, Stop> {
    let Sides::Live { source, destination, guest, .. } = sides else { return Ok(None) };
    let DomainInfo { persistent, autostart, state, .. } = guest;
    Ok(Some(journal::Plan {
        id: plan.id.clone(),
        pvm_version: env!("CARGO_PKG_VERSION").to_owned(),
        machine: journal::machine(),
        instance: plan.instance.clone(),
        source: source.as_host(),
        source_label: source.name.clone(),
        destination: destination.as_host(),
        destination_uri: destination.hypervisor.uri().to_owned(),
        migrate_uri: destination.host.migrate_uri().map(str::to_owned),
        map: plan.map.clone(),
        kind: Some(kind(facts, plan)),
        ports: ports(facts, plan)?,
        undefine_source: *persistent,
        persist_destination: *persistent,
        autostart: *autostart,
        paused: matches!(state, State::Paused(_)),
        rehearsal: false,
        direct: plan.parameters.direct,
        parameters: plan.parameters.clone(),
        nova: None,
    }))
}

/// What its pause is compared with.
fn kind(facts: &Facts, plan: &Plan) -> String {
    let moved = plan.map.iter().filter(|moved| moved.moves_state());
    pauses::kind(moved.filter_map(|moved| facts.source.device(moved.source)), plan.parameters.tls)
}

/// What is needed to unplug the ports and to plug them in again, on either host.
fn ports(facts: &Facts, plan: &Plan) -> Result<Vec<journal::Port>, Stop> {
    let (domain, xml) = (facts.domain(), facts.xml());
    if plan.detach.is_empty() {
        return Ok(Vec::new());
    }
    let planner = Planner::new(&facts.source, &facts.destination, &facts.excluded);
    let taken = |device: &PciAddress| plan.map.iter().any(|moved| moved.destination == *device);
    let mut ports = Vec::new();
    for moved in plan.map.iter().filter(|moved| moved.action == Action::Reattach) {
        let Some(source_xml) = element(xml, moved.source).map_err(|e| refused(&e))? else {
            return Err(Stop::refused(format!("port {} is not in the XML of {}", moved.source, domain.name)));
        };
        let destination_xml = rewrite_element(&source_xml, moved).map_err(|e| refused(&e))?;
        let inactive = domain.inactive_xml.as_deref().filter(|_| domain.persistent);
        let held = facts.source.device(moved.source);
        let places = held.map_or_else(Vec::new, |held| planner.port_places(held, &mut Known::default()));
        ports.push(journal::Port {
            source: moved.source,
            alias: domain.hostdevs.iter().find(|d| d.source == Some(moved.source)).and_then(|d| d.alias.clone()),
            source_xml,
            destination_xml,
            persistent: inactive.is_some_and(|xml| matches!(element(xml, moved.source), Ok(Some(_)))),
            planned: Some(moved.destination),
            alternatives: places.into_iter().filter(|device| !taken(device)).collect(),
        });
    }
    Ok(ports)
}

fn refused(error: &XmlError) -> Stop {
    Stop::refused(error.to_string())
}
