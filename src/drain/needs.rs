//! What each guest needs on each host, and whether preflight lets it go there alone.

use std::collections::{BTreeMap, BTreeSet};

use super::capacity::Need;
use crate::model::device_move::DeviceMove;
use crate::model::pci::PciAddress;
use crate::model::snapshot::{Domain, Snapshot};
use crate::plan::{InstancePlan, Known, Planner, Wishes};
use crate::preflight::report::first_reason;
use crate::preflight::{self, CheckResult, Compatibility, InstanceReport, Question, Report, Row, Terms};

/// One guest and one host.
#[derive(Debug, Clone)]
pub(crate) struct Pair {
    /// What the guest needs there; `None` when it cannot go, or that is not known.
    pub need: Option<Need>,
    /// The one reason why it cannot go.
    pub reason: Option<Row>,
}

/// Every guest of `guests`, by index in the source's list, on one host.
pub(crate) fn pairs(source: &Snapshot, destination: &Snapshot, guests: &[usize], terms: &Terms) -> Vec<Pair> {
    let none = BTreeSet::new();
    let planner = Planner::new(source, destination, &none);
    let mut known = Known::default();
    let mut plan = |guest: &usize| planner.plan(&source.domains[*guest], &Wishes::default(), &mut known);
    let plans: Vec<InstancePlan<'_>> = guests.iter().map(&mut plan).collect();
    // What hinders guests with host devices is nothing to the others, so each kind is asked about by itself.
    let (with, without): (Vec<usize>, Vec<usize>) = (0..guests.len()).partition(|at| !plans[*at].held.is_empty());
    let reports = [with, without].map(|some| {
        let domains = some.iter().map(|at| guests[*at]).collect();
        let question = Question { domains: Some(domains), terms: terms.clone(), ..Question::default() };
        preflight::run(source, destination, &question)
    });
    let of_guest: BTreeMap<(&str, &str), (&Report, &InstanceReport)> = reports
        .iter()
        .flat_map(|report| report.instances.iter().map(move |one| ((&*one.name, &*one.uuid), (report, one))))
        .collect();
    let pair = |plan: &InstancePlan<'_>| {
        let (report, instance) = of_guest[&(&*plan.domain.name, &*plan.domain.uuid)];
        let (reason, _) = verdict(report, Some(instance), terms);
        let places = planner.places(plan, &mut known);
        let need = plan.guest.as_ref().and_then(|guest| Need::of(guest, &destination.host, places));
        Pair { need: need.filter(|_| reason.is_none()), reason }
    };
    plans.iter().map(pair).collect()
}

/// Preflight's answer for one guest, with these devices or with any.
pub(crate) fn judge(
    source: &Snapshot,
    destination: &Snapshot,
    guest: usize,
    map: Option<&[DeviceMove]>,
    terms: &Terms,
) -> (Report, Option<InstanceReport>) {
    let wishes = Wishes { map, ..Wishes::default() };
    let question = Question { domains: Some(vec![guest]), wishes, terms: terms.clone(), ..Question::default() };
    let mut report = preflight::run(source, destination, &question);
    let instance = report.instances.pop();
    (report, instance)
}

/// The reason against the move, and what is unknown and checked again before the guest is paused.
pub(crate) fn verdict(report: &Report, instance: Option<&InstanceReport>, terms: &Terms) -> (Option<Row>, Vec<Row>) {
    let rows = || instance.into_iter().flat_map(|instance| &instance.checks).chain(&report.checks);
    let rows = || rows().filter(|row| !preflight::lets(&terms.allow, row));
    let failed = first_reason(rows(), Compatibility::Incompatible);
    let silent = first_reason(rows().filter(|row| !row.rechecked), Compatibility::Unknown);
    let is_unknown = |row: &&Row| row.result == CheckResult::Unknown && row.compatibility() == Compatibility::Unknown;
    let unknown = rows().filter(is_unknown);
    (failed.or(silent).cloned(), unknown.filter(|row| row.rechecked).cloned().collect())
}

/// The devices a guest would be given by preflight when these are taken.
pub(crate) fn preferred(
    source: &Snapshot,
    destination: &Snapshot,
    domain: &Domain,
    taken: &BTreeSet<PciAddress>,
) -> Option<Vec<DeviceMove>> {
    let planner = Planner::new(source, destination, taken);
    planner.plan(domain, &Wishes::default(), &mut Known::default()).map
}
