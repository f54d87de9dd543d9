//! Which guest goes to which host, so that most guests leave: branch and bound.

use super::capacity::Need;
use super::room::Room;

/// What is to be assigned.
pub(crate) struct Problem<'a> {
    /// The empty hosts.
    pub rooms: Vec<Room<'a>>,
    /// What each guest needs on each host, by host and guest; `None`: it cannot go there.
    pub needs: &'a [Vec<Option<&'a Need>>],
    /// For each guest a number that guests with the same needs share.
    pub class: Vec<usize>,
    /// For each guest what it takes of each thing that can be counted over all hosts.
    pub takes: Vec<Vec<u64>>,
    /// How much of each thing all hosts have together.
    pub supply: Vec<u64>,
}

/// Who goes where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Assignment {
    /// For each guest its host; `None`: it stays.
    pub to: Vec<Option<usize>>,
    /// Whether no other assignment moves more guests; false when the search ended at its limit.
    pub is_proved: bool,
}

/// What the search looks at before the best assignment so far is taken: about a third of a second.
const MOST_WORK: u64 = 20_000_000;

/// The assignment that moves most guests; among those, hosts get about equally many.
pub(crate) fn assign(problem: Problem<'_>) -> Assignment {
    assign_within(problem, MOST_WORK)
}

fn assign_within(problem: Problem<'_>, most_work: u64) -> Assignment {
    let Problem { mut rooms, needs, class, takes, supply } = problem;
    let guests = class.len();
    let mut goes = |host: usize, guest: usize| {
        let fits = needs[host][guest].is_some_and(|need| rooms[host].push(guest, need));
        rooms[host].remove(guest);
        fits
    };
    let hosts_of: Vec<Vec<usize>> =
        (0..guests).map(|guest| (0..needs.len()).filter(|host| goes(*host, guest)).collect()).collect();
    let mut order: Vec<usize> = (0..guests).filter(|guest| !hosts_of[*guest].is_empty()).collect();
    order.sort_by_key(|guest| {
        let takes: u64 = takes[*guest].iter().fold(0, |sum, takes| sum.saturating_add(*takes));
        (hosts_of[*guest].len(), takes, class[*guest], *guest)
    });
    let mut search = Search {
        needs,
        class: &class,
        takes: &takes,
        supply: &supply,
        hosts_of: &hosts_of,
        rooms,
        order,
        to: vec![None; guests],
        best: vec![None; guests],
        best_count: 0,
        looked_at: 0,
        most_work,
    };
    search.take_first();
    search.descend(0, 0);
    let is_proved = search.work() < most_work || search.best_count == search.order.len();
    let Search { mut rooms, best: mut to, .. } = search;
    balance(&mut rooms, needs, &hosts_of, &mut to);
    Assignment { to, is_proved }
}

struct Search<'p, 'a> {
    needs: &'a [Vec<Option<&'a Need>>],
    class: &'p [usize],
    takes: &'p [Vec<u64>],
    supply: &'p [u64],
    /// For each guest the hosts that take it alone, ascending.
    hosts_of: &'p [Vec<usize>],
    rooms: Vec<Room<'a>>,
    order: Vec<usize>,
    to: Vec<Option<usize>>,
    best: Vec<Option<usize>>,
    best_count: usize,
    /// What the bound looked at.
    looked_at: u64,
    most_work: u64,
}

impl Search<'_, '_> {
    /// Each guest goes to the first host that takes it: what the search begins with, however little time it has.
    fn take_first(&mut self) {
        for at in 0..self.order.len() {
            let guest = self.order[at];
            self.best[guest] =
                self.hosts_of[guest].iter().copied().find(|host| push(&mut self.rooms, self.needs, *host, guest));
        }
        self.best_count = self.best.iter().flatten().count();
        for guest in 0..self.best.len() {
            if let Some(host) = self.best[guest] {
                self.rooms[host].remove(guest);
            }
        }
    }

    fn work(&self) -> u64 {
        self.rooms.iter().map(|room| room.work).sum::<u64>() + self.looked_at
    }

    fn descend(&mut self, at: usize, moved: usize) {
        if moved > self.best_count {
            self.best_count = moved;
            self.best.clone_from(&self.to);
        }
        if self.work() >= self.most_work || moved + self.at_most(at) <= self.best_count {
            return;
        }
        let Some(guest) = self.order.get(at).copied() else { return };
        // Of guests that are alike, a later one never goes before an earlier one: every other order is the same plan.
        let twin = at.checked_sub(1).map(|before| self.order[before]);
        let twin = twin.filter(|twin| self.class[*twin] == self.class[guest]);
        let first = match twin.map(|twin| self.to[twin]) {
            Some(None) => usize::MAX,
            Some(Some(host)) => host,
            None => 0,
        };
        for host in self.hosts_of[guest].iter().copied().filter(|host| *host >= first) {
            if push(&mut self.rooms, self.needs, host, guest) {
                self.to[guest] = Some(host);
                self.descend(at + 1, moved + 1);
                self.to[guest] = None;
                self.rooms[host].remove(guest);
            }
        }
        self.descend(at + 1, moved);
    }

    /// How many of the guests from `at` on could leave if all hosts were one.
    fn at_most(&mut self, at: usize) -> usize {
        let rest = &self.order[at..];
        self.looked_at += self.order.len() as u64;
        let gone = || self.order[..at].iter().filter(|guest| self.to[**guest].is_some());
        let used = |thing: usize| gone().fold(0u64, |sum, guest| sum.saturating_add(self.takes[*guest][thing]));
        let bound = |(thing, supply): (usize, &u64)| {
            let mut left = supply.saturating_sub(used(thing));
            let mut takes: Vec<u64> = rest.iter().map(|guest| self.takes[*guest][thing]).collect();
            takes.sort_unstable();
            takes
                .into_iter()
                .take_while(|takes| {
                    let has_room = *takes <= left;
                    left = left.saturating_sub(*takes);
                    has_room
                })
                .count()
        };
        self.supply.iter().enumerate().map(bound).min().unwrap_or(rest.len())
    }
}

fn push<'a>(rooms: &mut [Room<'a>], needs: &[Vec<Option<&'a Need>>], host: usize, guest: usize) -> bool {
    needs[host][guest].is_some_and(|need| rooms[host].push(guest, need))
}

/// Moves guests from hosts that get many to hosts that get few, while it makes a difference of two or more smaller.
fn balance<'a>(
    rooms: &mut [Room<'a>],
    needs: &[Vec<Option<&'a Need>>],
    hosts_of: &[Vec<usize>],
    to: &mut [Option<usize>],
) {
    let mut counts = vec![0usize; rooms.len()];
    for (guest, host) in to.iter().enumerate() {
        // The guests of an assignment fit in any order.
        if let Some(host) = host.filter(|host| push(rooms, needs, *host, guest)) {
            counts[host] += 1;
        }
    }
    let mut has_changed = true;
    while has_changed {
        has_changed = false;
        for guest in 0..to.len() {
            let Some(from) = to[guest] else { continue };
            let mut emptier: Vec<usize> =
                hosts_of[guest].iter().copied().filter(|host| counts[*host] + 1 < counts[from]).collect();
            emptier.sort_by_key(|host| (counts[*host], *host));
            if let Some(host) = emptier.into_iter().find(|host| push(rooms, needs, *host, guest)) {
                rooms[from].remove(guest);
                to[guest] = Some(host);
                counts[from] -= 1;
                counts[host] += 1;
                has_changed = true;
            }
        }
    }
}

#[cfg(test)]
#[path = "assign_tests.rs"]
mod tests;
