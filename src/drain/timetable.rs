//! When each move starts: longest first, as the slots of hosts and PFs allow, with the link shared by those under way.

use std::collections::BTreeMap;

use crate::model::pci::PciAddress;

/// What holds a slot: a host by its number (`usize::MAX` is the source), and one of its PFs or the host itself.
pub(crate) type Slot = (usize, Option<PciAddress>);

/// One move.
#[derive(Debug, Clone, Default)]
pub(crate) struct Move {
    /// How long it takes alone, in milliseconds.
    pub alone_ms: u64,
    /// The slots it takes, with how many of each.
    pub slots: BTreeMap<Slot, usize>,
}

/// When a move starts and ends, in milliseconds from the beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Times {
    /// Start.
    pub start: u64,
    /// End.
    pub end: u64,
}

/// The timetable; `most` says how many of a slot there are, and the link carries `at_full` moves at their own speed.
pub(crate) fn timetable(moves: &[Move], most: &dyn Fn(&Slot) -> usize, at_full: u64) -> Vec<Times> {
    let mut times = vec![Times::default(); moves.len()];
    let mut waiting: Vec<usize> = (0..moves.len()).collect();
    waiting.sort_by_key(|at| (std::cmp::Reverse(moves[*at].alone_ms), *at));
    let mut running: Vec<(usize, u64)> = Vec::new();
    let mut used: BTreeMap<Slot, usize> = BTreeMap::new();
    let mut now = 0u64;
    while !waiting.is_empty() || !running.is_empty() {
        waiting.retain(|at| {
            let slots = &moves[*at].slots;
            let free = |(slot, count): (&Slot, &usize)| used.get(slot).unwrap_or(&0) + count <= most(slot);
            // One that asks for more than there is goes alone.
            if !running.is_empty() && !slots.iter().all(free) {
                return true;
            }
            for (slot, count) in slots {
                *used.entry(*slot).or_default() += count;
            }
            times[*at].start = now;
            running.push((*at, moves[*at].alone_ms));
            false
        });
        // Those that fill the link share it, so each goes on at its part of the speed until the next one is done.
        let (at_full, share) = (at_full.max(1), u64::try_from(running.len()).unwrap_or(u64::MAX));
        let step = running.iter().map(|(_, left)| *left).min().unwrap_or(0);
        now = (step.saturating_mul(share.max(at_full)) / at_full).saturating_add(now);
        running.retain_mut(|(at, left)| {
            *left -= step;
            if *left > 0 {
                return true;
            }
            times[*at].end = now;
            for (slot, count) in &moves[*at].slots {
                *used.entry(*slot).or_default() -= count;
            }
            false
        });
    }
    times
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_kept_and_the_link_is_never_idle() {
        let one = |ms| Move { alone_ms: ms, slots: BTreeMap::from([((usize::MAX, None), 1)]) };
        let moves: Vec<Move> = [1000, 3000, 2000, 0].into_iter().map(one).collect();
        for most in 1..5 {
            let times = timetable(&moves, &|_| most, 1);
            assert_eq!(times.iter().map(|t| t.end).max(), Some(6000), "the sum of what each needs of the link");
            for at in &times {
                let under_way = times.iter().filter(|t| t.start <= at.start && at.start < t.end).count();
                assert!(under_way <= most, "{most}: {times:?}");
            }
        }
        let endless = timetable(&[one(u64::MAX), one(u64::MAX)], &|_| 1, 1);
        assert_eq!(endless[1], Times { start: u64::MAX, end: u64::MAX });
        assert_eq!(timetable(&moves, &|_| 1, 1)[1], Times { start: 0, end: 3000 });
        // Moves that are held back leave room for each other on the link.
        let ends = |at_full| timetable(&moves, &|_| 4, at_full).iter().map(|t| t.end).max().unwrap();
        assert_eq!([ends(1), ends(2), ends(3), ends(100)], [6000, 3500, 3000, 3000]);
    }
}
