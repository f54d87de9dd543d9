//! Every guest of a fleet on every host: who can go where, and the first reason if not. The document `pvm.matrix/1`.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::Serialize;

use super::classes::{Asks, Classes, Open};
use super::report::{InstanceReport, Report, first_reason};
use super::run;
use super::shortage::{self, Kinds, Shortage};
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
    /// Its name, or as it was named where another host has that name.
    pub host: String,
    /// When its facts were read; empty where that is not known.
    pub taken_at: String,
    /// How many of the guests asked about are on it; none: nobody could say.
    pub guests: Option<usize>,
    /// How many guests without host devices run there, which are asked about by name only.
    pub others: usize,
    /// Why its guests are not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unlisted: Option<String>,
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

/// What preflight says of a guest on a host.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Said {
    pub verdict: Compatibility,
    pub code: Option<String>,
}

/// One cell of the matrix.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Cell {
    pub said: Said,
    pub free: Option<usize>,
}

/// Cells by number.
#[derive(Debug, Default)]
struct Cells {
    number_of: HashMap<Cell, u32>,
    list: Vec<Cell>,
}

impl Cells {
    fn number(&mut self, cell: Cell) -> u32 {
        let next = u32::try_from(self.list.len()).unwrap_or(NOBODY - 1);
        *self.number_of.entry(cell).or_insert_with_key(|cell| {
            self.list.push(cell.clone());
            next
        })
    }
}

/// The cell of a guest on its own host, and of a host that could not be asked.
const NOBODY: u32 = u32::MAX;

/// What is kept of a host that was asked, which may then be closed.
#[derive(Debug)]
pub struct Seen {
    /// Its name.
    pub name: String,
    /// Its UUID.
    pub uuid: Option<String>,
    /// When its facts were read.
    pub taken_at: String,
    domains: usize,
    /// The guests that the question is about, by index.
    guests: Vec<usize>,
    others: usize,
    unlisted: Option<String>,
    asks: Asks,
    kinds: Kinds,
}

impl Seen {
    /// What is to be kept, with the guests of these names, or all that have host devices.
    pub fn of(host: &Snapshot, names: &[String]) -> Self {
        let guests = asked(host, names);
        Self {
            name: host.host.name.clone(),
            uuid: host.host.uuid.clone(),
            taken_at: host.taken_at.clone(),
            domains: host.domains.len(),
            asks: Asks::of(host, &guests),
            kinds: shortage::kinds(host),
            others: if names.is_empty() { run::others(host) } else { 0 },
            unlisted: host.why_unknown("domains").filter(|_| names.is_empty()).map(str::to_owned),
            guests,
        }
    }

    /// Whether a snapshot is the one that was seen.
    pub fn is_of(&self, host: &Snapshot) -> bool {
        (&self.name, &self.taken_at, self.domains) == (&host.host.name, &host.taken_at, host.domains.len())
    }
}

/// A host as it was named, and what was seen of it, or why it could not be asked.
pub type Named = (String, Result<Seen, String>);

/// Judges every guest that was seen on each of the other hosts, which are opened again one by one.
pub fn matrix(hosts: &[Named], open: &Open<'_>, terms: &Terms) -> Matrix {
    let mut asks = Asks::default();
    let asked: Vec<Vec<usize>> =
        hosts.iter().map(|(_, host)| host.as_ref().map_or(Vec::new(), |host| host.guests.clone())).collect();
    hosts.iter().filter_map(|(_, host)| host.as_ref().ok()).for_each(|host| asks.join(&host.asks));
    let mut board = Board::new(Classes::new(open, &asked, &asks, terms, said), hosts.len());
    for (at, guests) in asked.iter().enumerate() {
        for guest in guests {
            board.add(at, *guest);
        }
    }
    let labels = labels(hosts);
    let column = |(at, ((_, host), label)): (usize, (&Named, &String))| {
        let changed = "its snapshot was changed or removed while the matrix was made".to_owned();
        let gone = (host.is_ok() && !board.classes.is_there(at)).then_some(changed);
        let host = host.as_ref().ok().filter(|_| gone.is_none()).ok_or_else(|| host.as_ref().err().cloned().or(gone));
        Column {
            host: label.clone(),
            taken_at: host.as_ref().map_or(String::new(), |host| host.taken_at.clone()),
            guests: host.as_ref().ok().filter(|host| host.unlisted.is_none()).map(|host| host.guests.len()),
            others: host.as_ref().map_or(0, |host| host.others),
            unlisted: host.as_ref().ok().and_then(|host| host.unlisted.clone()),
            unreachable: host.err().flatten(),
        }
    };
    let columns = hosts.iter().zip(&labels).enumerate().map(column).collect();
    let kinds: Vec<(&str, &Kinds)> = labels
        .iter()
        .zip(hosts)
        .filter_map(|(label, (_, host))| Some((&**label, &host.as_ref().ok()?.kinds)))
        .collect();
    Matrix { schema: SCHEMA, rows: board.rows(&labels, terms), hosts: columns, short: shortage::shortages(&kinds) }
}

/// What each host is called: by its own name, or as the operator named it where another is called so too.
fn labels(hosts: &[Named]) -> Vec<String> {
    let name = |(label, host): &Named| host.as_ref().map_or(label.clone(), |host| host.name.clone());
    let mut times: HashMap<String, usize> = HashMap::new();
    for host in hosts {
        for word in BTreeSet::from([name(host), host.0.clone()]) {
            *times.entry(word).or_default() += 1;
        }
    }
    hosts
        .iter()
        .map(|host| Some(name(host)).filter(|name| times[name] == 1).unwrap_or_else(|| host.0.clone()))
        .collect()
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

/// The verdict, and the check of the first reason.
pub(crate) fn said(report: &Report, instance: &InstanceReport, _: &Terms) -> Said {
    let reason = first_reason(instance.checks.iter().chain(&report.checks), instance.verdict);
    Said { verdict: instance.verdict, code: reason.map(|row| row.finding.code.to_string()) }
}

/// The sentence of the first reason.
fn why(report: &Report, instance: &InstanceReport, _: &Terms) -> Option<String> {
    let reason = first_reason(instance.checks.iter().chain(&report.checks), instance.verdict);
    reason.map(|row| row.finding.message.clone())
}

/// Guests with the same cells, by host and number.
#[derive(Debug)]
struct Group {
    guests: Vec<(usize, usize)>,
    /// The hosts of the guests, by index.
    on: BTreeSet<usize>,
    cells: Vec<u32>,
}

impl Group {
    /// Whether a guest of the host `at` with these cells goes with the others. What it would be told on its own host nobody
    /// knows.
    fn takes(&self, at: usize, cells: &[u32]) -> bool {
        let mut pairs = self.cells.iter().zip(cells).enumerate();
        pairs.all(|(host, (theirs, own))| theirs == own || host == at || (*theirs == NOBODY && self.on.contains(&host)))
    }

    fn add(&mut self, (at, guest): (usize, usize), cells: &[u32]) {
        for (host, (theirs, own)) in self.cells.iter_mut().zip(cells).enumerate() {
            if *theirs == NOBODY && host != at {
                *theirs = *own;
            }
        }
        self.guests.push((at, guest));
        self.on.insert(at);
    }
}

/// The matrix as it grows.
struct Board<'a, 'o> {
    classes: Classes<'a, 'o, Said>,
    hosts: usize,
    cells: Cells,
    /// The cells of the guests of each class, whichever their host.
    of_class: HashMap<usize, Vec<u32>>,
    /// The groups, in the order of their first guests.
    groups: Vec<Group>,
    /// The group in which a guest of each class was last.
    last: HashMap<usize, usize>,
}

impl<'a, 'o> Board<'a, 'o> {
    fn new(classes: Classes<'a, 'o, Said>, hosts: usize) -> Self {
        let (of_class, last) = (HashMap::new(), HashMap::new());
        Self { classes, hosts, cells: Cells::default(), of_class, groups: Vec::new(), last }
    }

    fn add(&mut self, at: usize, guest: usize) {
        let Some(class) = self.classes.class(at, guest) else { return };
        let mut cells = if let Some(known) = self.of_class.get(&class) {
            known.clone()
        } else {
            let row: Vec<u32> = (0..self.hosts).map(|to| self.of_class(class, to)).collect();
            self.of_class.insert(class, row.clone());
            row
        };
        for to in self.classes.exceptions(at, guest) {
            if let Some(judged) = self.classes.of_pair(at, guest, to) {
                let free = self.classes.free(&judged, to);
                cells[to] = self.cells.number(Cell { said: judged.said, free });
            }
        }
        cells[at] = NOBODY;
        let last = self.last.get(&class).copied().filter(|group| self.groups[*group].takes(at, &cells));
        let group = last.or_else(|| self.groups.iter().position(|group| group.takes(at, &cells)));
        let group = group.unwrap_or_else(|| {
            self.groups.push(Group { guests: Vec::new(), on: BTreeSet::new(), cells: cells.clone() });
            self.groups.len() - 1
        });
        self.groups[group].add((at, guest), &cells);
        self.last.insert(class, group);
    }

    fn of_class(&mut self, class: usize, to: usize) -> u32 {
        let Some(judged) = self.classes.of_class(class, to) else { return NOBODY };
        let free = self.classes.free(&judged, to);
        self.cells.number(Cell { said: judged.said.clone(), free })
    }

    fn rows(mut self, labels: &[String], terms: &Terms) -> Vec<MatrixRow> {
        let groups = std::mem::take(&mut self.groups);
        groups.into_iter().map(|group| self.row(group, labels, terms)).collect()
    }

    fn row(&self, mut group: Group, labels: &[String], terms: &Terms) -> MatrixRow {
        let name = |(at, guest): (usize, usize)| self.classes.name(at, guest);
        group.guests.sort_by_key(|guest| (name(*guest), *guest));
        let mut answers: BTreeMap<&Said, Vec<(usize, Option<usize>)>> = BTreeMap::new();
        for (host, number) in group.cells.iter().enumerate().filter(|(_, number)| **number != NOBODY) {
            let cell = &self.cells.list[*number as usize];
            answers.entry(&cell.said).or_default().push((host, cell.free));
        }
        let sentence = |places: &[(usize, Option<usize>)]| {
            let pairs = group.guests.iter().flat_map(|guest| places.iter().map(move |(to, _)| (*guest, *to)));
            let ((at, guest), to) = pairs.into_iter().find(|((at, _), to)| at != to)?;
            self.classes.again(at, guest, to, terms, why)?
        };
        let answer = |(said, places): (&Said, Vec<(usize, Option<usize>)>)| Answer {
            verdict: said.verdict,
            code: said.code.clone(),
            why: said.code.as_ref().and_then(|_| sentence(&places)),
            hosts: places.iter().map(|(host, free)| Place { host: labels[*host].clone(), free: *free }).collect(),
        };
        let resident = |guest: &(usize, usize)| {
            let (guest_name, uuid) = name(*guest)?.clone();
            Some(Resident { guest: guest_name, uuid, host: labels[guest.0].clone() })
        };
        MatrixRow {
            answers: answers.into_iter().map(answer).collect(),
            guests: group.guests.iter().filter_map(resident).collect(),
        }
    }
}
