//! What each guest needs on each host, and whether preflight lets it go there alone.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::rc::Rc;

use super::capacity::Need;
use crate::domain::guest::{self, Guest};
use crate::model::device_move::DeviceMove;
use crate::model::pci::PciAddress;
use crate::model::snapshot::{Domain, Snapshot};
use crate::plan::{Known, Planner, Wishes};
use crate::preflight::classes::{Asks, Classes};
use crate::preflight::report::first_reason;
use crate::preflight::{self, CheckResult, Compatibility, InstanceReport, Question, Report, Row, Terms};

/// One guest and one host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pair {
    /// What the guest needs there; `None` when it cannot go, or that is not known. Guests that are alike share it.
    pub need: Option<Rc<Need>>,
    /// What kind of reason keeps the guest from the host.
    pub reason: Option<Reason>,
}

impl Pair {
    /// A guest that cannot go.
    pub(crate) fn against(row: &Row) -> Self {
        Self { need: None, reason: Some(Reason::of(row)) }
    }
}

/// A reason, as far as it says how near the guest is to leaving: the sentence is made for the plan's guests that stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reason {
    /// Whether a fact is missing.
    pub is_unknown: bool,
    /// Whether the operator is told what would help.
    pub has_remedy: bool,
}

impl Reason {
    fn of(row: &Row) -> Self {
        Self { is_unknown: row.result == CheckResult::Unknown, has_remedy: row.finding.remedy.is_some() }
    }
}

/// Every guest of `guests`, by index in the source's list, on each host.
pub(crate) fn pairs(source: &Snapshot, hosts: &[Snapshot], guests: &[usize], terms: &Terms) -> Vec<Vec<Pair>> {
    // The source is the host 0 of the classes.
    let asked: Vec<Vec<usize>> = std::iter::once(guests.to_vec()).chain(hosts.iter().map(|_| Vec::new())).collect();
    let open = |at: usize| Some(Cow::Borrowed(at.checked_sub(1).map_or(source, |at| &hosts[at])));
    let mut asks = Asks::of(source, guests);
    for host in hosts {
        asks.join(&Asks::of(host, &[]));
    }
    let mut classes = Classes::new(&open, &asked, &asks, terms, reason_of);
    let read = |guest: &usize| Asking {
        number: *guest,
        class: classes.class(0, *guest),
        alone: classes.exceptions(0, *guest),
        definition: source.domains[*guest].xml.as_deref().and_then(|xml| guest::read(xml).ok()),
    };
    let guests: Vec<Asking> = guests.iter().map(read).collect();
    hosts.iter().enumerate().map(|(at, host)| on_host(&mut classes, at + 1, host, &guests)).collect()
}

/// A guest of the source.
struct Asking {
    number: usize,
    class: Option<usize>,
    /// The hosts on which it is a case by itself.
    alone: BTreeSet<usize>,
    definition: Option<Guest>,
}

fn on_host(classes: &mut Classes<'_, '_, Option<Reason>>, at: usize, host: &Snapshot, guests: &[Asking]) -> Vec<Pair> {
    let mut of_class: HashMap<usize, Pair> = HashMap::new();
    let mut shared: HashSet<Rc<Need>> = HashSet::new();
    let mut pair = |guest: &Asking, reason: Option<Reason>, places: Vec<Vec<usize>>| {
        let definition = guest.definition.as_ref().filter(|_| reason.is_none());
        let need = definition.and_then(|guest| Need::of(guest, &host.host, places)).map(|need| {
            let known = shared.get(&need).cloned();
            known.unwrap_or_else(|| {
                let need = Rc::new(need);
                shared.insert(Rc::clone(&need));
                need
            })
        });
        Pair { need, reason }
    };
    // Every host is there, so that none is left unasked.
    let mut on_host = Vec::with_capacity(guests.len());
    for guest in guests {
        let class = guest.class.filter(|_| !guest.alone.contains(&at));
        let found = if let Some(known) = class.and_then(|class| of_class.get(&class)) {
            known.clone()
        } else {
            let judged = match class {
                Some(class) => classes.of_class(class, at),
                None => classes.of_pair(0, guest.number, at).map(Rc::new),
            };
            let judged = judged.map(|judged| pair(guest, judged.said, classes.places(&judged, at)));
            judged.unwrap_or(Pair { need: None, reason: None })
        };
        if let Some(class) = class {
            of_class.entry(class).or_insert_with(|| found.clone());
        }
        on_host.push(found);
    }
    on_host
}

fn reason_of(report: &Report, instance: &InstanceReport, terms: &Terms) -> Option<Reason> {
    verdict(report, Some(instance), terms).0.as_ref().map(Reason::of)
}

/// The reason that keeps a guest from a host.
pub(crate) fn reason(source: &Snapshot, destination: &Snapshot, guest: usize, terms: &Terms) -> Option<Row> {
    let (report, instance) = judge(source, destination, guest, None, terms);
    verdict(&report, instance.as_ref(), terms).0
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

#[cfg(test)]
#[path = "needs_tests.rs"]
mod tests;
