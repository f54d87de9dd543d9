//! Runs every check on two snapshots and makes the report.

use std::collections::BTreeSet;

use super::check::{Check, Run};
use super::checks::checks;
use super::context::{DevicePair, Hosts, Instance, Namesakes};
use super::report::{InstanceReport, Report, SCHEMA};
use super::terms::Terms;
use super::verdict::{self, CheckResult, Compatibility, Row, Verdict};
use super::{by_nova, capacity, estimate};
use crate::domain::guest::Guest;
use crate::model::finding::Finding;
use crate::model::pci::PciAddress;
use crate::model::snapshot::{Domain, Snapshot, Unknown, Via};
use crate::plan::codes::PHYSICAL_FUNCTION;
use crate::plan::pair::Pair;
use crate::plan::{InstancePlan, Known, Planner, Wishes};

/// What is asked of preflight.
#[derive(Debug, Clone, Default)]
pub struct Question<'a> {
    /// Guests by index in the source's list; none named: every one with a PCI or mediated host device.
    pub domains: Option<Vec<usize>>,
    /// What the operator says about them.
    pub wishes: Wishes<'a>,
    /// Devices of the destination not to be taken.
    pub excluded: BTreeSet<PciAddress>,
    /// What the operator asks of the migration itself.
    pub terms: Terms,
    /// Keep passed checks.
    pub all: bool,
}

/// Answers for two hosts.
pub fn run(source: &Snapshot, destination: &Snapshot, question: &Question<'_>) -> Report {
    let planner = Planner::new(source, destination, &question.excluded);
    let mut known = Known::default();
    let hosts = Hosts { source, destination };
    let chosen = guests(source, question.domains.as_deref());
    let plans: Vec<InstancePlan<'_>> =
        chosen.iter().map(|domain| planner.plan(domain, &question.wishes, &mut known)).collect();
    let vfio = plans.iter().any(|plan| !plan.held.is_empty());
    let (host_rows, vfio_rows) = host_rows(hosts, vfio);
    let there = Namesakes::new(destination);
    let mut instances: Vec<InstanceReport> = plans
        .iter()
        .map(|plan| {
            let vfio = if plan.held.is_empty() { &[][..] } else { &vfio_rows };
            instance_report(hosts, plan, &there, [&host_rows, vfio], question)
        })
        .collect();
    instances.sort_by(|a, b| (&a.name, &a.uuid).cmp(&(&b.name, &b.uuid)));
    let mut checks = host_rows;
    checks.extend(vfio_rows);
    // Guests that nobody could list may be any.
    let unlisted = question.domains.is_none().then(|| source.why_unknown("domains")).flatten();
    let verdict = instances.iter().map(|i| i.verdict).max().unwrap_or_else(|| verdict::worst(&checks));
    let verdict = if unlisted.is_some() { verdict.max(Compatibility::Unknown) } else { verdict };
    let mut unknown = unknown(&checks, &instances);
    unknown.extend(unlisted.map(|why| Unknown::new("domains", why)));
    if !question.all {
        checks.retain(|row| row.result != CheckResult::Ok);
    }
    Report {
        schema: SCHEMA.to_owned(),
        source: source.host.name.clone(),
        destination: destination.host.name.clone(),
        verdict,
        checks,
        instances,
        capacity: if question.domains.is_none() { capacity::capacity(source, destination) } else { Vec::new() },
        others: if question.domains.is_none() { others(source) } else { 0 },
        by_libvirt: [source, destination].into_iter().filter_map(without_its_own_pvm).collect(),
        unknown,
    }
}

/// A host that its own pvm did not tell about, and why not.
fn without_its_own_pvm(host: &Snapshot) -> Option<Unknown> {
    let why = host.unknown.iter().find(|unknown| unknown.fact == "facts").map_or("", |unknown| &unknown.why);
    (host.via == Via::Libvirt).then(|| Unknown::new(host.host.name.clone(), why))
}

/// The guests a question is about: those by index, or every one with host devices.
pub(crate) fn guests<'a>(source: &'a Snapshot, named: Option<&[usize]>) -> Vec<&'a Domain> {
    match named {
        Some(list) => list.iter().filter_map(|at| source.domains.get(*at)).collect(),
        None => source.domains.iter().filter(|domain| holds_devices(domain)).collect(),
    }
}

/// How many guests run without host devices: they are asked about by name only.
pub(super) fn others(host: &Snapshot) -> usize {
    host.domains.iter().filter(|domain| domain.is_active() && !holds_devices(domain)).count()
}

/// Whether a guest holds host devices, by the snapshot's word or by its XML's: where they differ a check says so.
pub(super) fn holds_devices(domain: &Domain) -> bool {
    let in_xml = |xml: &str| xml.contains("<hostdev") || xml.contains("type='hostdev'");
    !domain.hostdevs.is_empty() || domain.xml.as_deref().is_some_and(in_xml)
}

fn host_rows(hosts: Hosts<'_>, vfio: bool) -> (Vec<Row>, Vec<Row>) {
    let mut always = Vec::new();
    let mut with_vfio = Vec::new();
    for check in checks() {
        match check.run {
            Run::Hosts(run) => always.extend(run(hosts).into_iter().map(|v| row(check, v, None, None))),
            Run::VfioHosts(run) if vfio => {
                with_vfio.extend(run(hosts).into_iter().map(|v| row(check, v, None, None)));
            }
            Run::VfioHosts(_) | Run::Instance(_) | Run::Device(_) => {}
        }
    }
    (always, with_vfio)
}

fn instance_report(
    hosts: Hosts<'_>,
    plan: &InstancePlan<'_>,
    there: &Namesakes<'_>,
    [host_rows, vfio_rows]: [&[Row]; 2],
    question: &Question<'_>,
) -> InstanceReport {
    let domain = plan.domain;
    let empty = Guest::default();
    let guest = plan.guest.as_ref().unwrap_or(&empty);
    let instance = Instance { hosts, domain, guest, plan, there, terms: &question.terms };
    let mut rows = Vec::new();
    for check in checks() {
        match check.run {
            Run::Instance(run) => {
                rows.extend(run(&instance).into_iter().map(|v| row(check, v, Some(domain), None)));
            }
            Run::Device(run) => {
                for held in &plan.held {
                    let (Some(source), Some(target)) = (held.device, held.target) else { continue };
                    let pair = Pair::new((hosts.source, source), (hosts.destination, target));
                    let device = DevicePair { instance: &instance, held, pair };
                    // What is said of a VF would be wrong of a PF.
                    if device.is_whole() && check.rule.code != PHYSICAL_FUNCTION {
                        continue;
                    }
                    rows.extend(run(&device).into_iter().map(|v| row(check, v, Some(domain), Some(held.address))));
                }
            }
            Run::Hosts(_) | Run::VfioHosts(_) => {}
        }
    }
    if by_nova::moves(&question.terms, domain) {
        by_nova::weigh(&mut rows);
    }
    let verdict = verdict::worst(rows.iter().chain(host_rows).chain(vfio_rows));
    if !question.all {
        rows.retain(|row| row.result != CheckResult::Ok);
    }
    InstanceReport {
        name: domain.name.clone(),
        uuid: domain.uuid.clone(),
        verdict,
        map: plan.map.clone().unwrap_or_default(),
        checks: rows,
        nova: plan.nova.clone(),
        unmet: plan.unmet.clone(),
        estimate: estimate::estimate(guest, plan, hosts, &question.terms)
            .filter(|estimate| !plan.held.is_empty() || estimate.pause.is_some()),
        downtime_limit: question.terms.downtime_limit(
            instance.moves_state(),
            estimate::device_state(plan),
            domain.vfio_transferred,
        ),
    }
}

fn row(check: &Check, verdict: Verdict, domain: Option<&Domain>, device: Option<PciAddress>) -> Row {
    let severity = verdict.severity.unwrap_or(check.rule.severity);
    let result = CheckResult::new(verdict.answer, severity);
    let finding = Finding {
        remedy: verdict.remedy.filter(|_| result != CheckResult::Ok),
        instance: domain.map(|domain| domain.name.clone()),
        device: verdict.device.or_else(|| device.map(|device| device.to_string())),
        ..Finding::new(&check.rule, verdict.message).severity(severity)
    };
    Row { finding, result, source: verdict.source, destination: verdict.destination, rechecked: check.rechecked }
}

/// The facts that the verdict waits for, each once.
fn unknown(hosts: &[Row], instances: &[InstanceReport]) -> Vec<Unknown> {
    let mut seen = BTreeSet::new();
    hosts
        .iter()
        .chain(instances.iter().flat_map(|instance| &instance.checks))
        .filter(|row| row.result == CheckResult::Unknown && row.compatibility() == Compatibility::Unknown)
        .map(|row| &row.finding)
        .filter(|finding| seen.insert((finding.code.clone(), finding.message.clone())))
        .map(|finding| Unknown::new(finding.code.clone(), finding.message.clone()))
        .collect()
}

#[cfg(test)]
#[path = "run_tests.rs"]
mod tests;
