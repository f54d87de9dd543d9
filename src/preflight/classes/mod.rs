//! Hosts and guests fall into few classes, and preflight judges each pair of classes once: its answer for a fleet is the one that
//! it would give pair by pair.
//!
//! What a destination shows to guests from elsewhere ([`host`]) and what a guest shows to destinations ([`guest`]) is everything
//! that their snapshots hold but for a short list of facts, each named with the reason why it makes no difference. So a
//! fact that somebody adds to the snapshot, and a check that reads it, tell classes apart without being named here. Some
//! facts are relations and no property of either: hosts of one name or UUID, guests of one, and guests with one disk. Such
//! a pair is judged by itself.

mod asks;
mod devices;
mod guest;
mod host;
mod spread;

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;

pub(crate) use asks::Asks;
use devices::Shown;
use host::Destination;
use spread::spread;

use super::report::{InstanceReport, Report};
use super::run::{self, Question};
use super::terms::Terms;
use crate::domain::guest::Guest;
use crate::model::snapshot::{Domain, Snapshot};
use crate::plan::{Known, Planner, Wishes};

/// What preflight says of one guest on one host, summed up by who asks.
pub(crate) type Summary<T> = fn(&Report, &InstanceReport, &Terms) -> T;

/// Opens the snapshot of a host by number: a fleet has more of them than are held at once. `None` for one that could not be asked.
pub(crate) type Open<'o> = dyn Fn(usize) -> Option<Cow<'o, Snapshot>> + Sync + 'o;

/// A fleet in its classes.
pub(crate) struct Classes<'a, 'o, T> {
    open: &'a Open<'o>,
    terms: &'a Terms,
    sum_up: Summary<T>,
    /// For each host its class as a destination, and what stands for its devices.
    there: Vec<Option<(usize, Shown)>>,
    /// One destination of each class.
    destinations: Vec<Snapshot>,
    /// For each host and each guest that is asked about its class.
    class_of: Vec<HashMap<usize, usize>>,
    /// One guest of each class, alone on its host.
    guests: Vec<Snapshot>,
    known: HashMap<(usize, usize), Rc<Judged<T>>>,
    namesakes: Namesakes,
}

/// Preflight's answer for one guest on one host.
#[derive(Debug)]
pub(crate) struct Judged<T> {
    /// The answer.
    pub said: T,
    places: Places,
}

/// What may take the place of each of the guest's devices.
#[derive(Debug)]
enum Places {
    /// Devices that stand for others of the destination, by what is shown of it.
    Shown(Vec<Vec<usize>>),
    /// The host's devices.
    Own(Vec<Vec<usize>>),
}

/// What is found out of one host before it is closed again.
struct Look<'a> {
    real: Cow<'a, Snapshot>,
    destination: Destination,
    source: Vec<u8>,
    guests: Vec<String>,
    /// The local disks of each guest of the host.
    disks: Vec<Vec<String>>,
}

impl<'a, 'o, T> Classes<'a, 'o, T> {
    /// Sorts the hosts into classes, and of each those guests, which ask for this.
    pub(crate) fn new(
        open: &'a Open<'o>,
        guests: &[Vec<usize>],
        asks: &Asks,
        terms: &'a Terms,
        sum_up: Summary<T>,
    ) -> Self {
        let look = |at: usize| {
            let real = open(at)?;
            let asked: HashMap<usize, Option<Guest>> =
                guests[at].iter().map(|guest| (*guest, read(&real.domains[*guest]))).collect();
            let key = |guest: &usize| guest::key(&real, &real.domains[*guest], asked[guest].as_ref(), asks, terms);
            // Those that only are there are read where one that is asked about has a disk that they may have, too.
            let disks = |(number, domain): (usize, &Domain)| -> Vec<String> {
                match asked.get(&number) {
                    Some(guest) => guest.iter().flat_map(asks::disks).cloned().collect(),
                    None if asks.disks.is_empty() => Vec::new(),
                    None => read(domain).iter().flat_map(asks::disks).cloned().collect(),
                }
            };
            Some(Look {
                destination: host::destination(&real, asks),
                source: if guests[at].is_empty() { Vec::new() } else { host::source_key(&real, asks) },
                guests: guests[at].iter().map(key).collect(),
                disks: real.domains.iter().enumerate().map(disks).collect(),
                real,
            })
        };
        let mut all = Self {
            open,
            terms,
            sum_up,
            there: Vec::new(),
            destinations: Vec::new(),
            class_of: Vec::new(),
            guests: Vec::new(),
            known: HashMap::new(),
            namesakes: Namesakes::default(),
        };
        let (mut classes, mut sources, mut kinds) = (HashMap::new(), HashMap::new(), HashMap::new());
        spread(guests.len(), look, |at, found| {
            let mut class_of = HashMap::new();
            let there = found.map(
                |Look { real, destination: Destination { snapshot, key, shown }, source, guests: keys, disks }| {
                    all.namesakes.add(at, &real, disks);
                    let next = sources.len();
                    let source = *sources.entry(source).or_insert(next);
                    for (guest, key) in guests[at].iter().zip(keys) {
                        let class = *kinds.entry((source, key)).or_insert_with(|| {
                            all.guests.push(guest::alone(&real, &real.domains[*guest]));
                            all.guests.len() - 1
                        });
                        class_of.insert(*guest, class);
                    }
                    let class = *classes.entry(key).or_insert_with(|| {
                        all.destinations.push(snapshot);
                        all.destinations.len() - 1
                    });
                    (class, shown)
                },
            );
            all.there.push(there);
            all.class_of.push(class_of);
        });
        all
    }

    /// The class of a guest that was asked about; `None` where its host could not be opened.
    pub(crate) fn class(&self, host: usize, guest: usize) -> Option<usize> {
        self.class_of[host].get(&guest).copied()
    }

    /// Whether the host could be opened.
    pub(crate) fn is_there(&self, host: usize) -> bool {
        self.there[host].is_some()
    }

    /// The hosts on which this guest is a case by itself.
    pub(crate) fn exceptions(&self, host: usize, guest: usize) -> BTreeSet<usize> {
        let source = self.namesakes.uuid(host);
        let known = source.map(|uuid| self.terms.pauses.known_from(uuid)).unwrap_or_default();
        let known = known.into_iter().filter_map(|uuid| self.namesakes.hosts.get(uuid)).flatten();
        // How long a pause will be may be known of the way between two hosts.
        let mut all = self.namesakes.of(host, guest);
        all.extend(known.copied().filter(|at| *at != host));
        all
    }

    /// The answer for guests of a class on a host; `None` for one that could not be asked.
    pub(crate) fn of_class(&mut self, class: usize, to: usize) -> Option<Rc<Judged<T>>> {
        let there = self.there[to].as_ref()?.0;
        if let Some(known) = self.known.get(&(class, there)) {
            return Some(Rc::clone(known));
        }
        let (said, places) = judge(&self.guests[class], &self.destinations[there], 0, self.terms, self.sum_up);
        let judged = Rc::new(Judged { said, places: Places::Shown(places) });
        self.known.insert((class, there), Rc::clone(&judged));
        Some(judged)
    }

    /// The answer for one guest on one host, judged by itself.
    pub(crate) fn of_pair(&self, host: usize, guest: usize, to: usize) -> Option<Judged<T>> {
        let (source, destination) = ((self.open)(host)?, (self.open)(to)?);
        let (said, places) = judge(&source, &destination, guest, self.terms, self.sum_up);
        Some(Judged { said, places: Places::Own(places) })
    }

    /// Another summary of the answer for one guest on one host.
    pub(crate) fn again<U>(
        &self,
        host: usize,
        guest: usize,
        to: usize,
        terms: &Terms,
        sum_up: Summary<U>,
    ) -> Option<U> {
        let (source, destination) = ((self.open)(host)?, (self.open)(to)?);
        Some(judge(&source, &destination, guest, terms, sum_up).0)
    }

    /// Name and UUID of a guest.
    pub(crate) fn name(&self, host: usize, guest: usize) -> Option<&(String, String)> {
        self.namesakes.names.get(&host)?.1.get(guest).map(|(name, _)| name)
    }

    /// For each of the guest's devices the host's devices that may take its place, by index, ascending.
    pub(crate) fn places(&self, judged: &Judged<T>, to: usize) -> Vec<Vec<usize>> {
        match (&judged.places, &self.there[to]) {
            (Places::Own(places), _) => places.iter().map(|place| ascending(place.iter().copied())).collect(),
            (Places::Shown(_), None) => Vec::new(),
            (Places::Shown(places), Some((_, shown))) => {
                places.iter().map(|place| ascending(shown.all(place))).collect()
            }
        }
    }

    /// How many devices of the host may take the place of one of the guest's; `None` for a guest without devices.
    pub(crate) fn free(&self, judged: &Judged<T>, to: usize) -> Option<usize> {
        match (&judged.places, &self.there[to]) {
            (Places::Own(places) | Places::Shown(places), _) if places.is_empty() => None,
            (Places::Own(places), _) => Some(places.iter().flatten().collect::<BTreeSet<_>>().len()),
            (Places::Shown(places), Some((_, shown))) => Some(shown.count(places.iter().flatten())),
            (Places::Shown(_), None) => None,
        }
    }
}

fn read(domain: &Domain) -> Option<Guest> {
    domain.xml.as_deref().and_then(|xml| crate::domain::guest::read(xml).ok())
}

/// Preflight's answer for one guest of `source`, and the places for its devices.
pub(crate) fn judge<T>(
    source: &Snapshot,
    destination: &Snapshot,
    guest: usize,
    terms: &Terms,
    sum_up: Summary<T>,
) -> (T, Vec<Vec<usize>>) {
    let question = Question { domains: Some(vec![guest]), terms: terms.clone(), ..Question::default() };
    let report = run::run(source, destination, &question);
    let none = BTreeSet::new();
    let planner = Planner::new(source, destination, &none);
    let mut known = Known::default();
    let plan = planner.plan(&source.domains[guest], &Wishes::default(), &mut known);
    let places = planner.places(&plan, &mut known);
    // One guest was asked about.
    (sum_up(&report, &report.instances[0], terms), places)
}

fn ascending(devices: impl Iterator<Item = usize>) -> Vec<usize> {
    devices.collect::<BTreeSet<_>>().into_iter().collect()
}

/// A name and a UUID, of a host or of a guest.
type Name = (String, String);

/// A guest with its disks.
type Disks = (Name, Vec<String>);

/// Hosts by the names and UUIDs on them, and by the disks of their guests.
#[derive(Debug, Default)]
struct Namesakes {
    hosts: HashMap<String, Vec<usize>>,
    guests: HashMap<String, Vec<usize>>,
    /// For each host its own name, and those of its guests with their disks.
    names: HashMap<usize, (Name, Vec<Disks>)>,
}

impl Namesakes {
    fn add(&mut self, at: usize, host: &Snapshot, disks: Vec<Vec<String>>) {
        let name = |name: &str, uuid: &str| (name.to_owned(), uuid.to_owned());
        let own = name(&host.host.name, host.host.uuid.as_deref().unwrap_or_default());
        let guests: Vec<Name> = host.domains.iter().map(|domain| name(&domain.name, &domain.uuid)).collect();
        let guests: Vec<(Name, Vec<String>)> = guests.into_iter().zip(disks).collect();
        for word in words(&own) {
            self.hosts.entry(word).or_default().push(at);
        }
        for word in guests.iter().flat_map(|(name, disks)| words(name).chain(disks.iter().cloned())) {
            self.guests.entry(word).or_default().push(at);
        }
        self.names.insert(at, (own, guests));
    }

    fn uuid(&self, host: usize) -> Option<&str> {
        self.names.get(&host).map(|((_, uuid), _)| &**uuid)
    }

    /// The other hosts that share a name or UUID with this one, or have a guest that does with this guest, or has a disk of it.
    fn of(&self, host: usize, guest: usize) -> BTreeSet<usize> {
        let Some((own, guests)) = self.names.get(&host) else { return BTreeSet::new() };
        let hosts = words(own).filter_map(|word| self.hosts.get(&word));
        let guests = guests.get(guest).into_iter();
        let words = guests.flat_map(|(name, disks)| words(name).chain(disks.iter().cloned()));
        hosts
            .chain(words.filter_map(|word| self.guests.get(&word)))
            .flatten()
            .copied()
            .filter(|at| *at != host)
            .collect()
    }
}

/// The words by which it is known; a UUID that is missing is none.
fn words((name, uuid): &Name) -> impl Iterator<Item = String> {
    std::iter::once(name.clone()).chain(Some(uuid.to_ascii_lowercase()).filter(|uuid| !uuid.is_empty()))
}

#[cfg(test)]
#[path = "../classes_tests.rs"]
pub(crate) mod tests;
