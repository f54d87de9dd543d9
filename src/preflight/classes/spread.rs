//! Work on many hosts, spread over the processors.

use std::num::NonZero;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How many are worked on before their results are put together: their memory is bounded by that.
const AT_ONCE: usize = 64;

/// Does `work` for each number below `count`, and `then` with the results in order.
pub(super) fn spread<T: Send + Sync>(count: usize, work: impl Fn(usize) -> T + Sync, mut then: impl FnMut(usize, T)) {
    let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
    for first in (0..count).step_by(AT_ONCE) {
        let last = (first + AT_ONCE).min(count);
        let next = AtomicUsize::new(first);
        let results: Vec<OnceLock<T>> = (first..last).map(|_| OnceLock::new()).collect();
        let (work, next, slots) = (&work, &next, &results);
        let run = move || {
            while let at = next.fetch_add(1, Ordering::Relaxed)
                && at < last
            {
                let is_first = slots[at - first].set(work(at)).is_ok();
                debug_assert!(is_first, "each is worked on once");
            }
        };
        if threads < 2 || last - first < 2 {
            run();
        } else {
            std::thread::scope(|scope| {
                for _ in 0..threads.min(last - first) {
                    scope.spawn(run);
                }
            });
        }
        for (at, result) in results.into_iter().enumerate() {
            if let Some(result) = result.into_inner() {
                then(first + at, result);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_order_and_each_once() {
        for count in [0, 1, 2, 63, 64, 65, 300] {
            let mut seen = Vec::new();
            spread(count, |at| at * 2, |at, twice| seen.push((at, twice)));
            assert_eq!(seen, (0..count).map(|at| (at, at * 2)).collect::<Vec<_>>());
        }
    }
}
