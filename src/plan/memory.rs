//! Whether parts of memory fit the places where they may lie.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Memory that guests take from: a NUMA node, and a size of huge pages or none.
pub(crate) type Place = (u32, Option<u64>);

/// Whether `free` holds all of these together: each so many bytes, spread over its places as is convenient. What is not known to
/// be free is not.
///
/// A maximum flow by shortest paths from the demands to the places.
pub(crate) fn fits(demands: &BTreeMap<&BTreeSet<Place>, u128>, free: &BTreeMap<Place, u64>) -> bool {
    let places: Vec<(&Place, u128)> = free.iter().map(|(place, free)| (place, u128::from(*free))).collect();
    let demands: Vec<(&BTreeSet<Place>, u128)> = demands.iter().map(|(places, bytes)| (*places, *bytes)).collect();
    let mut left: Vec<u128> = places.iter().map(|(_, free)| *free).collect();
    let mut given = vec![vec![0u128; places.len()]; demands.len()];
    for at in 0..demands.len() {
        let mut missing = demands[at].1;
        while missing > 0 {
            let Some(path) = path(at, &demands, &places, &left, &given) else { return false };
            // Along a path each demand but the first gives up what the one before it takes.
            let (end, _) = path[path.len() - 1];
            let spare = path.windows(2).map(|pair| given[pair[1].1][pair[0].0]).min().unwrap_or(u128::MAX);
            let bytes = missing.min(left[end]).min(spare);
            for pair in path.windows(2) {
                given[pair[1].1][pair[0].0] -= bytes;
            }
            for (place, demand) in path {
                given[demand][place] += bytes;
            }
            left[end] -= bytes;
            missing -= bytes;
        }
    }
    true
}

/// The shortest way from a demand to a place with something left: each step is a place and the demand that takes more of it,
/// which the demand of the next step gives up.
fn path(
    from: usize,
    demands: &[(&BTreeSet<Place>, u128)],
    places: &[(&Place, u128)],
    left: &[u128],
    given: &[Vec<u128>],
) -> Option<Vec<(usize, usize)>> {
    let mut taker = vec![None; places.len()];
    let mut giver_of = vec![None; demands.len()];
    let mut waiting = VecDeque::from([from]);
    giver_of[from] = Some(usize::MAX);
    while let Some(demand) = waiting.pop_front() {
        for place in (0..places.len()).filter(|place| demands[demand].0.contains(places[*place].0)) {
            if taker[place].is_some() {
                continue;
            }
            taker[place] = Some(demand);
            if left[place] > 0 {
                let mut steps = vec![(place, demand)];
                while let Some(place) = giver_of[steps[steps.len() - 1].1].filter(|place| *place != usize::MAX) {
                    steps.push((place, taker[place]?));
                }
                steps.reverse();
                return Some(steps);
            }
            for other in (0..demands.len()).filter(|other| given[*other][place] > 0) {
                if giver_of[other].is_none() {
                    giver_of[other] = Some(place);
                    waiting.push_back(other);
                }
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hall's condition: no set of demands asks for more than there is where it may take it from.
    fn hall(demands: &[(BTreeSet<Place>, u128)], free: &BTreeMap<Place, u64>) -> bool {
        (0u32..1 << demands.len()).all(|set| {
            let chosen =
                || demands.iter().enumerate().filter(|(bit, _)| set & (1 << bit) != 0).map(|(_, demand)| demand);
            let places: BTreeSet<Place> = chosen().flat_map(|(places, _)| places.iter().copied()).collect();
            let there: u128 = places.iter().filter_map(|place| free.get(place)).map(|free| u128::from(*free)).sum();
            chosen().map(|(_, bytes)| bytes).sum::<u128>() <= there
        })
    }

    #[test]
    fn a_flow_is_found_exactly_when_no_set_asks_for_too_much() {
        let mut state = 1u64;
        let mut roll = |most: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % (most + 1)
        };
        let (mut yes, mut no) = (0, 0);
        for _ in 0..20_000 {
            let free: BTreeMap<Place, u64> = (0..4).map(|node| ((node, None), roll(9))).collect();
            let count = 1 + roll(7);
            let mut demands: BTreeMap<BTreeSet<Place>, u128> = BTreeMap::new();
            for _ in 0..count {
                let places: BTreeSet<Place> = (0..5).filter(|_| roll(2) == 0).map(|node| (node, None)).collect();
                *demands.entry(places).or_default() += u128::from(roll(6));
            }
            let listed: Vec<_> = demands.clone().into_iter().collect();
            let found = fits(&demands.iter().map(|(places, bytes)| (places, *bytes)).collect(), &free);
            assert_eq!(found, hall(&listed, &free), "{listed:?} {free:?}");
            if found { yes += 1 } else { no += 1 }
        }
        assert!(yes > 2_000 && no > 2_000, "{yes} {no}");
    }

    #[test]
    fn sums_that_no_host_has_do_not_fit() {
        let node = BTreeSet::from([(0, None)]);
        let demands = BTreeMap::from([(&node, u128::from(u64::MAX) * 2)]);
        assert!(!fits(&demands, &BTreeMap::from([((0, None), u64::MAX)])));
    }
}
