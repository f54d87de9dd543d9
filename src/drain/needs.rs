//! What each guest needs on each host, and whether preflight lets it go there alone.

use std::collections::BTreeSet;

use super::capacity::Need;
use crate::model::device_move::DeviceMove;
use crate::model::pci::PciAddress;
use crate::model::snapshot::{Domain, Snapshot};
use crate::plan::{Known, Planner, Wishes};
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
    let judge = |guest: &usize| {
        let (report, instance) = judge(source, destination, *guest, None, terms);
        let (reason, _) = verdict(&report, instance.as_ref());
        let plan = planner.plan(&source.domains[*guest], &Wishes::default(), &mut known);
        let places = planner.places(&plan, &mut known);
        let need = plan.guest.as_ref().and_then(|guest| Need::of(guest, &destination.host, places));
        Pair { need: need.filter(|_| reason.is_none()), reason }
    };
    guests.iter().map(judge).collect()
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
pub(crate) fn verdict(report: &Report, instance: Option<&InstanceReport>) -> (Option<Row>, Vec<Row>) {
    let rows = || instance.into_iter().flat_map(|instance| &instance.checks).chain(&report.checks);
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
