//! Every guest of a fleet on every host: who can go where, and the first reason if not. The document `pvm.matrix/1`.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::Serialize;

use super::report::first_reason;
use super::run::{self, Question};
use super::shortage::{self, Shortage};
use super::terms::Terms;
use super::verdict::Compatibility;
use crate::model::snapshot::Snapshot;

/// The schema this build writes.
pub(crate) const SCHEMA: &str = "pvm.matrix/1";

/// Which guests can go to which hosts.
#[derive(Debug, Serialize)]
pub struct Matrix {
    /// [`SCHEMA`].
    pub schema: &'static str,
    /// The hosts, as they were named.
    pub hosts: Vec<Column>,
    /// The guests: those with the same answers share a row.
    pub rows: Vec<MatrixRow>,
    /// Kinds of device of which some host's guests hold more than are free on all others.
    pub short: Vec<Shortage>,
}

/// One host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Column {
    /// Its name.
    pub host: String,
    /// When its facts were read; empty where that is not known.
    pub taken_at: String,
    /// How many of the guests asked about are on it.
    pub guests: usize,
    /// Why it could not be asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unreachable: Option<String>,
}

/// Guests with the same answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MatrixRow {
    /// The guests by name. A guest's own host is no destination of it, although it may be one of others in the row.
    pub guests: Vec<Resident>,
    /// The answers, best first: each with the hosts that give it.
    pub answers: Vec<Answer>,
}

/// A guest and where it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Resident {
    /// Its name.
    pub guest: String,
    /// Its UUID.
    pub uuid: String,
    /// Its host.
    pub host: String,
}

/// What some hosts say to the guests of a row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Answer {
    /// Whether the guests can go there.
    pub verdict: Compatibility,
    /// The check of the first reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The first reason, for the first guest on the first host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// The hosts.
    pub hosts: Vec<Place>,
}

/// A host, and how many of its devices are free for a guest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Place {
    /// The host.
    pub host: String,
    /// How many of its free devices could take the place of one of the guest's; absent for a guest that holds none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub free: Option<usize>,
}

/// One cell of the matrix.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Cell {
    pub verdict: Compatibility,
    pub code: Option<String>,
    pub free: Option<usize>,
}

/// Cells by number, each with the first reason's sentence as it was said first.
#[derive(Debug, Default)]
pub(crate) struct Cells {
    number_of: HashMap<Cell, u32>,
    list: Vec<(Cell, Option<String>)>,
}

impl Cells {
    fn number(&mut self, cell: Cell, why: Option<String>) -> u32 {
        let next = u32::try_from(self.list.len()).unwrap_or(NOBODY - 1);
        *self.number_of.entry(cell).or_insert_with_key(|cell| {
            self.list.push((cell.clone(), why));
            next
        })
    }
}

/// The cell of a guest on its own host, and of a host that could not be asked.
const NOBODY: u32 = u32::MAX;

/// A host that was asked, or why it could not be.
pub type Asked = (String, Result<Snapshot, String>);

/// Judges every guest of these hosts on each of the others: guests with host devices, or those of these names.
pub fn matrix(hosts: &[Asked], names: &[String], terms: &Terms) -> Matrix {
    let snapshots: Vec<Option<&Snapshot>> = hosts.iter().map(|(_, snapshot)| snapshot.as_ref().ok()).collect();
    let asked: Vec<Vec<usize>> =
        snapshots.iter().map(|host| host.map_or(Vec::new(), |host| asked(host, names))).collect();
    let mut cells = Cells::default();
    let mut groups = Groups::default();
    for (at, source) in snapshots.iter().enumerate() {
        let Some(source) = source else { continue };
        let mut rows = vec![vec![NOBODY; hosts.len()]; asked[at].len()];
        for (to, destination) in snapshots.iter().enumerate().filter(|(to, _)| *to != at) {
            let Some(destination) = destination else { continue };
            for (row, (cell, why)) in rows.iter_mut().zip(judge(source, destination, &asked[at], terms)) {
                row[to] = cells.number(cell, why);
            }
        }
        for (guest, row) in asked[at].iter().zip(rows) {
            let domain = &source.domains[*guest];
            let resident =
                Resident { guest: domain.name.clone(), uuid: domain.uuid.clone(), host: source.host.name.clone() };
            groups.add(resident, at, row);
        }
    }
    let columns: Vec<Column> = hosts
        .iter()
        .zip(&asked)
        .map(|((label, snapshot), guests)| Column {
            host: snapshot.as_ref().map_or(label.clone(), |snapshot| snapshot.host.name.clone()),
            taken_at: snapshot.as_ref().map_or(String::new(), |snapshot| snapshot.taken_at.clone()),
            guests: guests.len(),
            unreachable: snapshot.as_ref().err().cloned(),
        })
        .collect();
    let rows = groups.rows.into_iter().map(|group| group.document(&columns, &cells)).collect();
    let reached: Vec<&Snapshot> = snapshots.into_iter().flatten().collect();
    Matrix { schema: SCHEMA, rows, hosts: columns, short: shortage::shortages(&reached) }
}

/// The guests of a host that the question is about, by index.
pub(crate) fn asked(host: &Snapshot, names: &[String]) -> Vec<usize> {
    let is_named = |at: &usize| {
        let domain = &host.domains[*at];
        let shown = domain.nova.as_ref().and_then(|nova| nova.name.as_ref());
        names.iter().any(|name| *name == domain.name || name.eq_ignore_ascii_case(&domain.uuid) || shown == Some(name))
    };
    let all = 0..host.domains.len();
    if names.is_empty() {
        all.filter(|at| run::holds_devices(&host.domains[*at])).collect()
    } else {
        all.filter(is_named).collect()
    }
}

/// The cells of these guests of `source` on one host, each with the sentence of its first reason.
fn judge(source: &Snapshot, destination: &Snapshot, guests: &[usize], terms: &Terms) -> Vec<(Cell, Option<String>)> {
    if guests.is_empty() {
        return Vec::new();
    }
    let question =
        Question { domains: Some(guests.to_vec()), terms: terms.clone(), counts: true, ..Question::default() };
    let report = run::run(source, destination, &question);
    let of: BTreeMap<(&str, &str), _> =
        report.instances.iter().map(|instance| ((&*instance.name, &*instance.uuid), instance)).collect();
    let cell = |guest: &usize| {
        let domain = &source.domains[*guest];
        let instance = of.get(&(&*domain.name, &*domain.uuid));
        let verdict = instance.map_or(report.verdict, |instance| instance.verdict);
        let rows = instance.into_iter().flat_map(|instance| &instance.checks).chain(&report.checks);
        let reason = first_reason(rows, verdict);
        let cell = Cell {
            verdict,
            code: reason.map(|row| row.finding.code.to_string()),
            free: instance.and_then(|instance| instance.free),
        };
        (cell, reason.map(|row| row.finding.message.clone()))
    };
    guests.iter().map(cell).collect()
}

/// Guests with the same cells.
#[derive(Debug)]
struct Group {
    guests: Vec<Resident>,
    /// The hosts of the guests, by index.
    on: BTreeSet<usize>,
    cells: Vec<u32>,
}

/// The groups, in the order of their first guests.
#[derive(Debug, Default)]
struct Groups {
    rows: Vec<Group>,
}

impl Groups {
    /// Adds a guest of the host `at`. What it would be told there nobody knows, so that it goes with guests that are told.
    fn add(&mut self, guest: Resident, at: usize, cells: Vec<u32>) {
        let fits = |group: &&mut Group| {
            let mut pairs = group.cells.iter().zip(&cells).enumerate();
            pairs.all(|(host, (theirs, own))| {
                theirs == own || host == at || (*theirs == NOBODY && group.on.contains(&host))
            })
        };
        if let Some(group) = self.rows.iter_mut().find(fits) {
            for (theirs, own) in group.cells.iter_mut().zip(&cells) {
                if *theirs == NOBODY {
                    *theirs = *own;
                }
            }
            group.guests.push(guest);
            group.on.insert(at);
            return;
        }
        self.rows.push(Group { guests: vec![guest], on: BTreeSet::from([at]), cells });
    }
}

impl Group {
    fn document(mut self, hosts: &[Column], cells: &Cells) -> MatrixRow {
        self.guests.sort();
        let mut answers: BTreeMap<(Compatibility, Option<&str>), Answer> = BTreeMap::new();
        for (host, number) in self.cells.iter().enumerate().filter(|(_, number)| **number != NOBODY) {
            let (cell, why) = &cells.list[*number as usize];
            let answer = answers.entry((cell.verdict, cell.code.as_deref())).or_insert_with(|| Answer {
                verdict: cell.verdict,
                code: cell.code.clone(),
                why: why.clone(),
                hosts: Vec::new(),
            });
            answer.hosts.push(Place { host: hosts[host].host.clone(), free: cell.free });
        }
        MatrixRow { guests: self.guests, answers: answers.into_values().collect() }
    }
}
