//! Maximum bipartite matching with preferences. Knows indexes and costs, nothing of PCI.
//!
//! A matching is found whenever one exists (augmenting paths). Among matchings the cheapest by [`Total`] is searched by
//! branch and bound from a greedy start; the search stops after `MOST_STEPS`, so that it is exact for the handful of
//! devices a guest has and merely good for dozens that are all alike.

use std::collections::{BTreeSet, HashMap};

/// One device of the destination that may serve one of the guest's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Edge {
    /// The device, by its rank: lower is preferred when all else is equal.
    pub device: usize,
    /// Its PF; devices without one have a number of their own.
    pub pf: usize,
    /// What it costs.
    pub cost: Cost,
}

/// Cost of one edge, compared field by field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct Cost {
    /// Conditions it does not meet; only looked at when no device meets them all.
    pub misses: u32,
    /// Facts that could not be read and that may forbid it.
    pub unknown: u32,
    /// 1 when it is not on the guest's NUMA nodes.
    pub far: u32,
    /// Migrations under way on its PF.
    pub jobs: u32,
    /// Devices in use on its PF: the fewer, the more are free.
    pub crowd: u32,
    /// 1 when it is in use itself: of two that miss equally many conditions, the free one is nearer.
    pub taken: u32,
}

/// Cost of a matching, compared field by field.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct Total {
    /// Sum over the edges.
    pub misses: u32,
    /// Sum over the edges.
    pub unknown: u32,
    /// Sum over the edges.
    pub far: u32,
    /// Pairs from different PFs of the source that share one on the destination.
    pub shared: u32,
    /// Sum over the edges.
    pub jobs: u32,
    /// Sum over the edges.
    pub crowd: u32,
    /// Sum over the edges.
    pub taken: u32,
}

/// Steps of the search for the cheapest matching.
const MOST_STEPS: usize = 20_000;

/// What is to be matched.
#[derive(Debug, Clone, Default)]
pub(crate) struct Problem {
    /// For each of the guest's devices, who may serve it.
    pub edges: Vec<Vec<Edge>>,
    /// For each of the guest's devices, the PF it sits on.
    pub group: Vec<usize>,
}

/// For each of the guest's devices the index of its edge, or the devices that cannot be served together.
pub(crate) fn solve(problem: &Problem) -> Result<Vec<Edge>, Vec<usize>> {
    let reduced = Problem {
        edges: problem.edges.iter().map(|list| reduce(list, problem.edges.len())).collect(),
        group: problem.group.clone(),
    };
    let greedy = greedy(&reduced)?;
    Ok(Search::run(&reduced, greedy))
}

/// As many of the guest's devices as possible with a place each; earlier ones are not given up for later ones.
pub(crate) fn maximum(edges: &[Vec<usize>]) -> Vec<Option<usize>> {
    let edge = |device: &usize| Edge { device: *device, pf: 0, cost: Cost::default() };
    let problem = Problem {
        edges: edges.iter().map(|list| list.iter().map(edge).collect()).collect(),
        group: vec![0; edges.len()],
    };
    let mut owner = HashMap::new();
    for device in 0..edges.len() {
        augment(&problem, device, &mut owner, &BTreeSet::new(), &mut BTreeSet::new());
    }
    let mut places = vec![None; edges.len()];
    for (place, device) in owner {
        places[device] = Some(place);
    }
    places
}

/// Whether these of the guest's devices can be served together.
pub(crate) fn feasible(problem: &Problem, devices: &[usize]) -> bool {
    let mut owner = HashMap::new();
    devices.iter().all(|device| augment(problem, *device, &mut owner, &BTreeSet::new(), &mut BTreeSet::new()))
}

/// Cost of a complete assignment.
pub(crate) fn total(problem: &Problem, chosen: &[Edge]) -> Total {
    let mut sum = Total::default();
    for (device, edge) in chosen.iter().enumerate() {
        sum = sum.with(edge.cost, shared(problem, &chosen[..device], device, edge));
    }
    sum
}

impl Total {
    fn with(&self, cost: Cost, shared: u32) -> Self {
        Self {
            misses: self.misses + cost.misses,
            unknown: self.unknown + cost.unknown,
            far: self.far + cost.far,
            shared: self.shared + shared,
            jobs: self.jobs.saturating_add(cost.jobs),
            crowd: self.crowd.saturating_add(cost.crowd),
            taken: self.taken + cost.taken,
        }
    }
}

fn shared(problem: &Problem, before: &[Edge], device: usize, edge: &Edge) -> u32 {
    let mine = problem.group[device];
    let sharing = before.iter().enumerate().filter(|(other, e)| e.pf == edge.pf && problem.group[*other] != mine);
    u32::try_from(sharing.count()).unwrap_or(u32::MAX)
}

/// The places worth looking at for one of the guest's devices, out of any number.
///
/// With `most` devices in all, the others hold places on at most `most - 1` PFs and at most `most - 1` places of one PF. So
/// whatever an assignment takes beyond the cheapest `most` places of the cheapest `most` PFs can be exchanged for a free
/// one among these that costs no more, shares no PF and is preferred: a cheapest assignment lies within them.
#[derive(Debug)]
pub(crate) struct Shortlist {
    most: usize,
    /// The cheapest PFs, each with its cheapest places, in ascending order.
    pfs: Vec<Vec<Edge>>,
    /// Places of the PF that is being offered.
    current: Vec<Edge>,
}

impl Shortlist {
    /// For a guest with `most` devices.
    pub(crate) fn new(most: usize) -> Self {
        Self { most: most.max(1), pfs: Vec::new(), current: Vec::new() }
    }

    /// Offers places of one cost, ascending, that are on one PF. All offers of a PF come one after another.
    pub(crate) fn offer(&mut self, pf: usize, cost: Cost, places: &[usize]) {
        if self.current.last().is_some_and(|last| last.pf != pf) {
            self.end_pf();
        }
        self.current.extend(places.iter().take(self.most).map(|device| Edge { device: *device, pf, cost }));
    }

    fn end_pf(&mut self) {
        let key = |edge: &Edge| (edge.cost, edge.device);
        let Some(best) = self.current.iter().map(key).min() else { return };
        let full = self.pfs.len() == self.most;
        if full && self.pfs.last().is_some_and(|worst| key(&worst[0]) < best) {
            self.current.clear();
            return;
        }
        if full {
            self.pfs.pop();
        }
        self.current.sort_unstable_by_key(key);
        self.current.truncate(self.most);
        let at = self.pfs.partition_point(|pf| key(&pf[0]) < best);
        self.pfs.insert(at, std::mem::take(&mut self.current));
    }

    /// The places, cheapest PF first.
    pub(crate) fn places(mut self) -> Vec<Edge> {
        self.end_pf();
        self.pfs.concat()
    }
}

fn reduce(edges: &[Edge], most: usize) -> Vec<Edge> {
    let mut sorted = edges.to_vec();
    sorted.sort_unstable_by_key(|edge| (edge.pf, edge.device));
    let mut list = Shortlist::new(most);
    for edge in &sorted {
        list.offer(edge.pf, edge.cost, std::slice::from_ref(&edge.device));
    }
    list.places()
}

/// Finds a place for `device`, moving others where needed (Kuhn). `owner` maps devices of the destination to the guest's;
/// those in `fixed` are not to be moved.
fn augment(
    problem: &Problem,
    device: usize,
    owner: &mut HashMap<usize, usize>,
    fixed: &BTreeSet<usize>,
    seen: &mut BTreeSet<usize>,
) -> bool {
    // A free one first: most guests never need to move anything.
    for edge in &problem.edges[device] {
        if !owner.contains_key(&edge.device) && !seen.contains(&edge.device) {
            owner.insert(edge.device, device);
            return true;
        }
    }
    for edge in &problem.edges[device] {
        if !seen.insert(edge.device) {
            continue;
        }
        let Some(holder) = owner.get(&edge.device).copied() else { continue };
        if !fixed.contains(&holder) && augment(problem, holder, owner, fixed, seen) {
            owner.insert(edge.device, device);
            return true;
        }
    }
    false
}

/// One complete assignment: each device takes the cheapest place that leaves one for all others.
fn greedy(problem: &Problem) -> Result<Vec<Edge>, Vec<usize>> {
    let mut owner = HashMap::new();
    for device in 0..problem.edges.len() {
        let mut seen = BTreeSet::new();
        if !augment(problem, device, &mut owner, &BTreeSet::new(), &mut seen) {
            // Everybody whose place was looked at in vain stands in the way of everybody else.
            let mut violator: BTreeSet<usize> = seen.iter().filter_map(|place| owner.get(place).copied()).collect();
            violator.insert(device);
            return Err(violator.into_iter().collect());
        }
    }
    let mut chosen: Vec<Edge> = Vec::new();
    let mut fixed = BTreeSet::new();
    for device in 0..problem.edges.len() {
        let mut choices: Vec<Edge> = problem.edges[device].clone();
        choices.sort_by_key(|edge| {
            (
                edge.cost.misses,
                edge.cost.unknown,
                edge.cost.far,
                shared(problem, &chosen, device, edge),
                edge.cost,
                edge.device,
            )
        });
        let edge = choices
            .into_iter()
            .find(|edge| force(problem, device, edge.device, &mut owner, &fixed))
            .expect("the place it has in the matching can be kept");
        chosen.push(edge);
        fixed.insert(device);
    }
    Ok(chosen)
}

/// Gives `place` to `device` if whoever has it can go elsewhere.
fn force(
    problem: &Problem,
    device: usize,
    place: usize,
    owner: &mut HashMap<usize, usize>,
    fixed: &BTreeSet<usize>,
) -> bool {
    match owner.get(&place).copied() {
        Some(holder) if holder == device => true,
        Some(holder) if fixed.contains(&holder) => false,
        holder => {
            let before = owner.clone();
            owner.retain(|_, who| *who != device);
            owner.insert(place, device);
            let Some(holder) = holder else { return true };
            let mut fixed = fixed.clone();
            fixed.insert(device);
            if augment(problem, holder, owner, &fixed, &mut BTreeSet::from([place])) {
                return true;
            }
            *owner = before;
            false
        }
    }
}

/// Branch and bound over the guest's devices in order.
struct Search<'a> {
    problem: &'a Problem,
    /// Least that the devices from here on add.
    rest: Vec<Total>,
    best: Vec<Edge>,
    best_total: Total,
    steps: usize,
}

impl<'a> Search<'a> {
    fn run(problem: &'a Problem, start: Vec<Edge>) -> Vec<Edge> {
        let count = problem.edges.len();
        let mut rest = vec![Total::default(); count + 1];
        for device in (0..count).rev() {
            let least = |of: fn(&Cost) -> u32| problem.edges[device].iter().map(|e| of(&e.cost)).min().unwrap_or(0);
            let cost = Cost {
                misses: least(|c| c.misses),
                unknown: least(|c| c.unknown),
                far: least(|c| c.far),
                jobs: least(|c| c.jobs),
                crowd: least(|c| c.crowd),
                taken: least(|c| c.taken),
            };
            rest[device] = rest[device + 1].with(cost, 0);
        }
        let best_total = total(problem, &start);
        let mut search = Self { problem, rest, best: start, best_total, steps: 0 };
        search.descend(&mut Vec::new(), &Total::default());
        search.best
    }

    fn descend(&mut self, chosen: &mut Vec<Edge>, so_far: &Total) {
        let device = chosen.len();
        if device == self.problem.edges.len() {
            let better = (so_far, ranks(chosen)) < (&self.best_total, ranks(&self.best));
            if better {
                self.best_total = so_far.clone();
                self.best.clone_from(chosen);
            }
            return;
        }
        let mut choices: Vec<(Total, Edge)> = self.problem.edges[device]
            .iter()
            .filter(|edge| chosen.iter().all(|taken| taken.device != edge.device))
            .map(|edge| (so_far.with(edge.cost, shared(self.problem, chosen, device, edge)), *edge))
            .collect();
        choices.sort_by(|a, b| (&a.0, a.1.device).cmp(&(&b.0, b.1.device)));
        for (total, edge) in choices {
            self.steps += 1;
            if self.steps > MOST_STEPS {
                return;
            }
            chosen.push(edge);
            if self.may_be_better(chosen, &total) {
                self.descend(chosen, &total);
            }
            chosen.pop();
        }
    }

    fn may_be_better(&self, chosen: &[Edge], so_far: &Total) -> bool {
        let rest = &self.rest[chosen.len()];
        let bound = Total {
            misses: so_far.misses + rest.misses,
            unknown: so_far.unknown + rest.unknown,
            far: so_far.far + rest.far,
            shared: so_far.shared,
            jobs: so_far.jobs.saturating_add(rest.jobs),
            crowd: so_far.crowd.saturating_add(rest.crowd),
            taken: so_far.taken + rest.taken,
        };
        match bound.cmp(&self.best_total) {
            std::cmp::Ordering::Less => true,
            std::cmp::Ordering::Equal => ranks(chosen) <= ranks(&self.best[..chosen.len()]),
            std::cmp::Ordering::Greater => false,
        }
    }
}

fn ranks(edges: &[Edge]) -> Vec<usize> {
    edges.iter().map(|edge| edge.device).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn problem() -> impl Strategy<Value = Problem> {
        let place = (0u32..2, 0u32..2, 0u32..2, 0u32..3);
        (1usize..5, 0usize..7).prop_flat_map(move |(devices, places)| {
            (
                proptest::collection::vec(
                    proptest::collection::vec(prop::option::weighted(0.6, place.clone()), places),
                    devices,
                ),
                proptest::collection::vec(0usize..3, places),
                proptest::collection::vec(0usize..3, devices),
            )
                .prop_map(|(costs, pf, group)| Problem {
                    edges: costs
                        .iter()
                        .map(|row| {
                            row.iter()
                                .enumerate()
                                .filter_map(|(device, cost)| {
                                    let (unknown, far, jobs, crowd) = (*cost)?;
                                    let misses = 0;
                                    Some(Edge {
                                        device,
                                        pf: pf[device],
                                        cost: Cost { misses, unknown, far, jobs, crowd, taken: crowd % 2 },
                                    })
                                })
                                .collect()
                        })
                        .collect(),
                    group,
                })
        })
    }

    /// Every complete assignment, by trying them all.
    fn best(problem: &Problem, chosen: &mut Vec<Edge>, found: &mut Option<(Total, Vec<usize>)>) {
        let Some(edges) = problem.edges.get(chosen.len()) else {
            let this = (total(problem, chosen), ranks(chosen));
            if found.as_ref().is_none_or(|best| this < *best) {
                *found = Some(this);
            }
            return;
        };
        for edge in edges {
            if chosen.iter().all(|taken| taken.device != edge.device) {
                chosen.push(*edge);
                best(problem, chosen, found);
                chosen.pop();
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn agrees_with_brute_force(problem in problem()) {
            let mut brute = None;
            best(&problem, &mut Vec::new(), &mut brute);
            match (solve(&problem), brute) {
                (Ok(edges), Some((cost, devices))) => {
                    prop_assert_eq!(total(&problem, &edges), cost);
                    prop_assert_eq!(ranks(&edges), devices);
                }
                (Err(together), None) => {
                    // They can indeed not be served together.
                    let only = Problem {
                        edges: together.iter().map(|device| problem.edges[*device].clone()).collect(),
                        group: together.iter().map(|device| problem.group[*device]).collect(),
                    };
                    let mut none = None;
                    best(&only, &mut Vec::new(), &mut none);
                    prop_assert!(none.is_none());
                    prop_assert!(!feasible(&problem, &together));
                }
                (got, wanted) => prop_assert!(false, "{got:?}, brute force says {wanted:?}"),
            }
        }
    }

    #[test]
    fn many_devices_that_are_all_alike_end_soon() {
        let edge = |device| Edge { device, pf: device / 127, cost: Cost::default() };
        let problem = Problem {
            edges: (0..64).map(|_| (0..2032).map(edge).collect()).collect(),
            group: (0..64).map(|device| device % 16).collect(),
        };
        let edges = solve(&problem).unwrap();
        assert_eq!(total(&problem, &edges).shared, 0);
    }
}
