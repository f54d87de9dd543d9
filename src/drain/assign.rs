//! Which guest goes to which host, so that most guests leave: branch and bound.

/// What is to be assigned.
pub(crate) struct Problem<'a> {
    /// For each guest the hosts that take it alone, ascending.
    pub hosts_of: Vec<Vec<usize>>,
    /// For each guest a number that guests with the same needs share.
    pub class: Vec<usize>,
    /// For each guest what it takes of each thing that can be counted over all hosts.
    pub takes: Vec<Vec<u64>>,
    /// How much of each thing all hosts have together.
    pub supply: Vec<u64>,
    /// How many hosts there are.
    pub hosts: usize,
    /// Whether a host takes all of these guests together. A part of a set that fits must fit.
    pub fits: &'a dyn Fn(usize, &[usize]) -> bool,
}

/// Who goes where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Assignment {
    /// For each guest its host; `None`: it stays.
    pub to: Vec<Option<usize>>,
    /// Whether no other assignment moves more guests; false when the search ended at its limit.
    pub is_proved: bool,
}

/// Questions to `fits` after which the best assignment so far is taken.
const MOST_QUESTIONS: usize = 200_000;

/// The assignment that moves most guests; among those, hosts get about equally many.
pub(crate) fn assign(problem: &Problem<'_>) -> Assignment {
    let guests = problem.hosts_of.len();
    let mut order: Vec<usize> = (0..guests).filter(|guest| !problem.hosts_of[*guest].is_empty()).collect();
    order.sort_by_key(|guest| {
        let takes: u64 = problem.takes[*guest].iter().fold(0, |sum, takes| sum.saturating_add(*takes));
        (problem.hosts_of[*guest].len(), takes, problem.class[*guest], *guest)
    });
    let mut search = Search {
        problem,
        order,
        to: vec![None; guests],
        on: vec![Vec::new(); problem.hosts],
        best: vec![None; guests],
        best_count: 0,
        questions: 0,
    };
    search.descend(0, 0);
    let is_proved = search.questions < MOST_QUESTIONS || search.best_count == search.order.len();
    let mut to = search.best;
    balance(problem, &mut to);
    Assignment { to, is_proved }
}

struct Search<'p, 'a> {
    problem: &'p Problem<'a>,
    order: Vec<usize>,
    to: Vec<Option<usize>>,
    on: Vec<Vec<usize>>,
    best: Vec<Option<usize>>,
    best_count: usize,
    questions: usize,
}

impl Search<'_, '_> {
    fn descend(&mut self, at: usize, moved: usize) {
        if moved > self.best_count {
            self.best_count = moved;
            self.best.clone_from(&self.to);
        }
        if self.questions >= MOST_QUESTIONS || moved + self.at_most(at) <= self.best_count {
            return;
        }
        let Some(guest) = self.order.get(at).copied() else { return };
        // Of guests that are alike, a later one never goes before an earlier one: every other order is the same plan.
        let twin = at.checked_sub(1).map(|before| self.order[before]);
        let twin = twin.filter(|twin| self.problem.class[*twin] == self.problem.class[guest]);
        let first = match twin.map(|twin| self.to[twin]) {
            Some(None) => usize::MAX,
            Some(Some(host)) => host,
            None => 0,
        };
        for host in self.problem.hosts_of[guest].iter().copied().filter(|host| *host >= first) {
            self.on[host].push(guest);
            self.questions += 1;
            if (self.problem.fits)(host, &self.on[host]) {
                self.to[guest] = Some(host);
                self.descend(at + 1, moved + 1);
                self.to[guest] = None;
            }
            self.on[host].pop();
        }
        self.descend(at + 1, moved);
    }

    /// How many of the guests from `at` on could leave if all hosts were one.
    fn at_most(&self, at: usize) -> usize {
        let rest = &self.order[at..];
        let used = |thing: usize| {
            self.on.iter().flatten().fold(0u64, |sum, guest| sum.saturating_add(self.problem.takes[*guest][thing]))
        };
        let bound = |(thing, supply): (usize, &u64)| {
            let mut left = supply.saturating_sub(used(thing));
            let mut takes: Vec<u64> = rest.iter().map(|guest| self.problem.takes[*guest][thing]).collect();
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
        self.problem.supply.iter().enumerate().map(bound).min().unwrap_or(rest.len())
    }
}

/// Moves guests from hosts that get many to hosts that get few, while it makes a difference of two or more smaller.
fn balance(problem: &Problem<'_>, to: &mut [Option<usize>]) {
    let on = |to: &[Option<usize>], host: usize| -> Vec<usize> {
        (0..to.len()).filter(|guest| to[*guest] == Some(host)).collect()
    };
    let mut counts: Vec<usize> = (0..problem.hosts).map(|host| on(to, host).len()).collect();
    let mut has_changed = true;
    while has_changed {
        has_changed = false;
        for guest in 0..to.len() {
            let Some(from) = to[guest] else { continue };
            let mut emptier: Vec<usize> =
                problem.hosts_of[guest].iter().copied().filter(|host| counts[*host] + 1 < counts[from]).collect();
            emptier.sort_by_key(|host| (counts[*host], *host));
            let takes_it = |host: &usize| {
                let mut there = on(to, *host);
                there.push(guest);
                (problem.fits)(*host, &there)
            };
            if let Some(host) = emptier.into_iter().find(takes_it) {
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
