//! The joint plan of a drain.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::rc::Rc;

use super::assign::{Assignment, Problem, assign};
use super::capacity::{Need, Supply};
use super::document::{Destination, Drain, Held, Leaving, SCHEMA, Stay};
use super::needs::{self, Pair};
use super::policies;
use super::room::Room;
use super::saved::Saved;
use super::timetable::{self, Move, Slot};
use crate::domain::guest;
use crate::model::device_move::{Action, DeviceMove};
use crate::model::pci::PciAddress;
use crate::model::size::bytes;
use crate::model::snapshot::Snapshot;
use crate::plan::pair;
use crate::preflight::{CheckResult, Row, Terms};

/// The source among the hosts of the timetable.
const SOURCE: usize = usize::MAX;

/// How many moves at once.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Out of the host, and into each other.
    pub per_host: usize,
}

/// Plans for these guests of `source`, by index in its list.
pub fn plan(source: &Snapshot, hosts: &[Snapshot], guests: &[usize], terms: &Terms, limits: Limits) -> Drain {
    let field = Field::of(source, hosts, guests, terms);
    let Assignment { to, is_proved } = assignment(&field.pairs, &field.supplies, field.guests.len());
    let maps = |at: usize, mine: &[usize]| {
        maps(source, &hosts[at], &field.guests, mine, &field.pairs[at], &field.supplies[at])
    };
    field.drain(&to, maps, is_proved, limits)
}

/// A saved plan by the facts of now; or everything that is not as it was planned.
pub(crate) fn again(
    saved: &Saved,
    source: &Snapshot,
    hosts: &[Snapshot],
    guests: &[usize],
    terms: &Terms,
    limits: Limits,
) -> Result<Drain, Vec<String>> {
    let goes = saved.holds(source, hosts, guests)?;
    let field = Field::of(source, hosts, guests, terms);
    let mut rooms: Vec<Room<'_>> = field.supplies.iter().map(Room::new).collect();
    let (mut to, mut map_of) = (vec![None; field.guests.len()], vec![None; field.guests.len()]);
    let (mut other, mut given) = (Vec::new(), BTreeSet::new());
    for (planned, (guest, host)) in saved.moves.iter().zip(goes) {
        let mut differs = |why: String| other.push(format!("{}: {why}", planned.guest));
        let Some(at) = field.guests.iter().position(|at| *at == guests[guest]) else {
            differs("a policy keeps it on its host".to_owned());
            continue;
        };
        let name = &hosts[host].host.name;
        match (field.reason(host, at), &field.pairs[host][at].need) {
            (Some(row), _) => differs(format!("{name}: {}: {}", row.finding.code, row.finding.message)),
            (None, None) => differs("how much memory it has is not known".to_owned()),
            (None, Some(need)) if !rooms[host].push(at, need) => {
                differs(format!("{name} has no room for it beside the others"));
            }
            (None, Some(_)) => {}
        }
        let twice = planned.map.iter().find(|moved| !given.insert((host, moved.destination)));
        if let Some(twice) = twice {
            differs(format!("{} of {name} is given away twice", twice.destination));
        }
        (to[at], map_of[at]) = (Some(host), Some(planned.map.clone()));
    }
    if !other.is_empty() {
        return Err(other);
    }
    let maps = |_: usize, mine: &[usize]| mine.iter().map(|guest| map_of[*guest].clone()).collect();
    let plan = field.drain(&to, maps, saved.is_proved, limits);
    for leaving in &plan.moves {
        let against = leaving.unknown.iter().find(|row| !row.rechecked || row.result != CheckResult::Unknown);
        other.extend(against.map(|row| format!("{}: {}: {}", leaving.guest, row.finding.code, row.finding.message)));
    }
    if other.is_empty() { Ok(plan) } else { Err(other) }
}

/// What is known of each guest and each host before anybody is assigned.
struct Field<'a> {
    source: &'a Snapshot,
    hosts: &'a [Snapshot],
    terms: &'a Terms,
    /// Those that may leave, by index in the source's list.
    guests: Vec<usize>,
    /// Those that a policy keeps.
    kept: Vec<Stay>,
    /// By host, then as in `guests`.
    pairs: Vec<Vec<Pair>>,
    supplies: Vec<Supply>,
}

impl<'a> Field<'a> {
    fn of(source: &'a Snapshot, hosts: &'a [Snapshot], guests: &[usize], terms: &'a Terms) -> Self {
        let (mut free, mut kept) = (Vec::new(), Vec::new());
        for guest in guests {
            match policies::kept(&source.domains[*guest], terms) {
                Some(stay) => kept.push(stay),
                None => free.push(*guest),
            }
        }
        let mut pairs = needs::pairs(source, hosts, &free, terms);
        for (host, pairs) in hosts.iter().zip(&mut pairs) {
            for (guest, pair) in free.iter().zip(pairs).filter(|(_, pair)| pair.reason.is_none()) {
                if let Some(row) = policies::apart(&source.domains[*guest], host, terms) {
                    *pair = Pair::against(&row);
                }
            }
        }
        let supplies = hosts.iter().map(|host| Supply::of(&host.host)).collect();
        Self { source, hosts, terms, guests: free, kept, pairs, supplies }
    }

    /// The reason that keeps a guest from a host.
    fn reason(&self, host: usize, guest: usize) -> Option<Row> {
        self.pairs[host][guest].reason?;
        let (destination, guest) = (&self.hosts[host], self.guests[guest]);
        needs::reason(self.source, destination, guest, self.terms)
            .or_else(|| policies::apart(&self.source.domains[guest], destination, self.terms))
    }

    /// The plan in which each guest goes to this host, with the devices that `maps` tells for those of one host.
    fn drain(
        &self,
        to: &[Option<usize>],
        maps: impl Fn(usize, &[usize]) -> Vec<Option<Vec<DeviceMove>>>,
        is_proved: bool,
        limits: Limits,
    ) -> Drain {
        let Self { source, hosts, terms, guests, kept, .. } = self;
        let mut moves = Vec::new();
        let mut table = Vec::new();
        for (at, host) in hosts.iter().enumerate() {
            let mine: Vec<usize> = (0..guests.len()).filter(|guest| to[*guest] == Some(at)).collect();
            for (guest, map) in mine.iter().zip(maps(at, &mine)) {
                let leaving = Leaving { at, ..leaving(source, host, guests[*guest], map, terms) };
                table.push(timed(source, host, at, guests[*guest], &leaving.map, terms));
                moves.push(leaving);
            }
        }
        let hosts_of_slots = |host: usize| if host == SOURCE { *source } else { &hosts[host] };
        let most = |slot: &Slot| match slot {
            (host, None) => {
                let slots = hosts_of_slots(*host).host.slots.as_ref().and_then(|slots| slots.migrations);
                limits.per_host.min(slots.map_or(usize::MAX, |slots| usize::try_from(slots).unwrap_or(usize::MAX)))
            }
            (host, Some(pf)) => {
                let host = hosts_of_slots(*host);
                host.device(*pf).and_then(|pf| pair::slots(&host.host, pf)).unwrap_or(usize::MAX)
            }
        };
        let times = timetable::timetable(&table, &most, terms.link_carries());
        for ((leaving, times), planned) in moves.iter_mut().zip(&times).zip(&table) {
            leaving.slots = held(&planned.slots, &most);
            (leaving.start, leaving.seconds) = (seconds(times.start), seconds(times.end - times.start));
        }
        moves.sort_by(|a, b| a.start.total_cmp(&b.start).then_with(|| (&a.guest, &a.uuid).cmp(&(&b.guest, &b.uuid))));
        let staying = (0..guests.len()).filter(|guest| to[*guest].is_none());
        let staying = staying.filter_map(|guest| self.stay(guest));
        let mut stays: Vec<Stay> = kept.iter().cloned().chain(staying).collect();
        stays.sort_by(|a, b| (&a.guest, &a.uuid).cmp(&(&b.guest, &b.uuid)));
        let destination = |(at, host): (usize, &Snapshot)| Destination {
            host: host.host.name.clone(),
            taken_at: host.taken_at.clone(),
            guests: to.iter().filter(|to| **to == Some(at)).count(),
        };
        Drain {
            schema: SCHEMA,
            host: source.host.name.clone(),
            taken_at: source.taken_at.clone(),
            destinations: hosts.iter().enumerate().map(destination).collect(),
            moves,
            stays,
            is_proved,
            seconds: seconds(times.iter().map(|times| times.end).max().unwrap_or(0)),
            source: terms.link().words,
        }
    }

    /// Why a guest stays, and the one change that would let it go.
    fn stay(&self, guest: usize) -> Option<Stay> {
        let Self { hosts, supplies, .. } = self;
        let domain = &self.source.domains[self.guests[guest]];
        let pairs = || self.pairs.iter().map(|host| &host[guest]).enumerate();
        let stay = |host: usize, is_unknown: bool, why: String| Stay {
            guest: domain.name.clone(),
            uuid: domain.uuid.clone(),
            is_unknown,
            nearest: hosts[host].host.name.clone(),
            why,
            code: None,
            remedy: None,
        };
        // The nearest host would take it alone, the next one may, and the last has too little for it.
        let fits = |(host, need): (usize, &Need)| match (
            Room::takes(&supplies[host], need),
            supplies[host].is_known_for(need),
        ) {
            (true, _) => 0,
            (false, false) => 1,
            (false, true) => 2,
        };
        let can = pairs().filter_map(|(host, pair)| Some((host, pair.need.as_deref()?)));
        if let Some((host, need)) = can.min_by_key(|pair| fits(*pair)) {
            let devices = match need.devices.len() {
                0 => String::new(),
                1 => " and 1 device".to_owned(),
                many => format!(" and {many} devices"),
            };
            let needs = format!("it needs {}{devices}", bytes(need.bytes()));
            return Some(match fits((host, need)) {
                0 => Stay {
                    remedy: Some("add a destination (--to)".to_owned()),
                    ..stay(host, false, format!("the other guests take what the destinations have; {needs}"))
                },
                1 => stay(host, true, format!("how much memory is free is not known; {needs}")),
                _ => stay(host, false, format!("too little is free; {needs}")),
            });
        }
        // A fact that is missing is nearer than a failed check, one with a remedy nearer than one without.
        let weight = |(host, pair): &(usize, &Pair)| match &pair.reason {
            None => (0, true, *host),
            Some(reason) => (1 + usize::from(!reason.is_unknown), !reason.has_remedy, *host),
        };
        // There is no plan without a destination.
        let (host, _) = pairs().min_by_key(weight)?;
        Some(match self.reason(host, guest) {
            Some(row) => Stay {
                code: Some(row.finding.code.to_string()),
                remedy: row.finding.remedy,
                ..stay(host, row.result == CheckResult::Unknown, row.finding.message)
            },
            None => stay(host, true, "how much memory the guest has is not known".to_owned()),
        })
    }
}

fn assignment(pairs: &[Vec<Pair>], supplies: &[Supply], guests: usize) -> Assignment {
    let needs: Vec<Vec<Option<&Need>>> =
        pairs.iter().map(|host| host.iter().map(|pair| pair.need.as_deref()).collect()).collect();
    let need = |host: usize, guest: usize| needs[host][guest];
    // Guests that need the same of a host share the value.
    let mut classes: HashMap<Vec<Option<*const Need>>, usize> = HashMap::new();
    let class = |guest: usize| {
        let next = classes.len();
        let needs = pairs.iter().map(|host| host[guest].need.as_ref().map(Rc::as_ptr)).collect();
        *classes.entry(needs).or_insert(next)
    };
    // Only devices are counted over all hosts: where memory may lie differs from host to host.
    let count = |guest| {
        let fewest = (0..pairs.len()).filter_map(|host| need(host, guest)).map(|need| need.devices.len()).min();
        vec![u64::try_from(fewest.unwrap_or(0)).unwrap_or(u64::MAX)]
    };
    let devices: usize = pairs.iter().map(|host| wanted(host)).sum();
    assign(Problem {
        rooms: supplies.iter().map(Room::new).collect(),
        needs: &needs,
        class: (0..guests).map(class).collect(),
        takes: (0..guests).map(count).collect(),
        supply: vec![u64::try_from(devices).unwrap_or(u64::MAX)],
    })
}

/// How many devices of a host some guest may get.
fn wanted(host: &[Pair]) -> usize {
    let mut seen: HashSet<*const Need> = HashSet::new();
    let mut devices: HashSet<usize> = HashSet::new();
    for need in host.iter().filter_map(|pair| pair.need.as_ref()).filter(|need| seen.insert(Rc::as_ptr(need))) {
        devices.extend(need.devices.iter().flatten());
    }
    devices.len()
}

/// The devices of the guests that go to one host: each gets what preflight would give it while the others still find theirs.
fn maps(
    source: &Snapshot,
    host: &Snapshot,
    guests: &[usize],
    mine: &[usize],
    pairs: &[Pair],
    supply: &Supply,
) -> Vec<Option<Vec<DeviceMove>>> {
    let mut room = Room::new(supply);
    for guest in mine {
        // The guests of an assignment fit in any order.
        pairs[*guest].need.as_ref().map(|need| room.push(*guest, need));
    }
    let all: BTreeMap<PciAddress, usize> =
        host.devices.iter().enumerate().map(|(at, device)| (device.address, at)).collect();
    let mut taken = BTreeSet::new();
    let mut found = Vec::new();
    for guest in mine {
        let domain = &source.domains[guests[*guest]];
        let devices = |map: &Vec<DeviceMove>| -> Vec<usize> {
            map.iter().filter_map(|moved| all.get(&moved.destination).copied()).collect()
        };
        let wanted = needs::preferred(source, host, domain, &taken);
        let map = wanted.filter(|map| room.pin(*guest, &devices(map))).or_else(|| {
            // The ones of the matching that serves all: everything else is kept from this guest.
            let own = room.devices_of(*guest);
            let except = all.iter().filter(|(_, at)| !own.contains(at)).map(|(address, _)| *address).collect();
            let map = needs::preferred(source, host, domain, &except);
            map.filter(|map| room.pin(*guest, &devices(map)))
        });
        taken.extend(map.iter().flatten().map(|moved| moved.destination));
        found.push(map);
    }
    found
}

fn leaving(source: &Snapshot, host: &Snapshot, guest: usize, map: Option<Vec<DeviceMove>>, terms: &Terms) -> Leaving {
    let domain = &source.domains[guest];
    let map = map.unwrap_or_default();
    let (report, instance) = needs::judge(source, host, guest, Some(&map), terms);
    let (reason, mut unknown) = needs::verdict(&report, instance.as_ref(), terms);
    // Never expected: the plan was made by the same rules. Should it be, the plan says so and does not end well.
    unknown.extend(reason);
    let estimate = instance.and_then(|instance| instance.estimate);
    Leaving {
        guest: domain.name.clone(),
        uuid: domain.uuid.clone(),
        destination: host.host.name.clone(),
        downtime_ms: estimate.as_ref().and_then(|estimate| estimate.downtime_ms),
        pause: estimate.and_then(|estimate| estimate.pause),
        map,
        start: 0.0,
        seconds: 0.0,
        policies: policies::of(domain, terms),
        slots: Vec::new(),
        at: 0,
        unknown,
    }
}

/// The slots of a move, with how many there are of each.
fn held(slots: &BTreeMap<Slot, usize>, most: &dyn Fn(&Slot) -> usize) -> Vec<Held> {
    let held = |(slot, count): (&Slot, &usize)| Held {
        host: Some(slot.0).filter(|host| *host != SOURCE),
        pf: slot.1,
        count: *count,
        most: most(slot),
    };
    slots.iter().map(held).collect()
}

fn timed(source: &Snapshot, host: &Snapshot, at: usize, guest: usize, map: &[DeviceMove], terms: &Terms) -> Move {
    let domain = &source.domains[guest];
    let memory = domain.xml.as_deref().and_then(|xml| guest::read(xml).ok()).and_then(|guest| guest.memory);
    let state = map.iter().filter_map(|moved| source.device(moved.source)?.migration.state_size);
    let bytes = state.fold(memory.unwrap_or(0), u64::saturating_add);
    let mut slots: BTreeMap<Slot, usize> = BTreeMap::from([((SOURCE, None), 1), ((at, None), 1)]);
    for moved in map.iter().filter(|moved| moved.action == Action::Migrate) {
        for (end, snapshot, address) in [(SOURCE, source, moved.source), (at, host, moved.destination)] {
            if let Some(pf) = snapshot.device(address).and_then(|device| device.parent_addr) {
                *slots.entry((end, Some(pf))).or_default() += 1;
            }
        }
    }
    Move { alone_ms: terms.link().milliseconds(bytes), slots }
}

#[expect(clippy::cast_precision_loss, reason = "tenths of a second")]
fn seconds(ms: u64) -> f64 {
    (ms / 100) as f64 / 10.0
}
