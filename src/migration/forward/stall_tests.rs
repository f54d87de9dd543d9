//! When a pre-copy counts as standing still, against QEMU's passes.

use super::stall::Stall;
use crate::migration::event::Progress;

const GIB: u64 = 1 << 30;
/// 10 Gbit/s, in bytes per millisecond.
const LINK: u64 = 1_250_000;

/// A guest under migration as QEMU counts: a pass ends when what remains fits the limit, and the next one begins with that
/// and what was written meanwhile.
struct Guest {
    /// Bytes of memory.
    memory: u64,
    /// How fast it writes, in bytes per millisecond.
    writes: u64,
    /// How many different bytes it writes, over and over.
    set: u64,
}

impl Guest {
    /// Migrates it, doubling the limit of 300 ms up to 10 s as often as it is said to stand still: the seconds at which that
    /// was said, and the length of the pause in milliseconds, if it comes within two hours.
    fn migrate(&self) -> (Vec<u64>, Option<u64>) {
        let (mut stall, mut told) = (Stall::default(), Vec::new());
        let (mut limit, mut remaining, mut pass, mut pass_since) = (300, self.memory, 1, 0);
        for now in (0..7_200_000).step_by(10) {
            if remaining <= LINK * limit {
                // What is left of its set may be written again.
                remaining = (remaining + self.writes * (now - pass_since)).min(remaining.max(self.set));
                if remaining <= LINK * limit {
                    return (told, Some(remaining / LINK));
                }
                (pass, pass_since) = (pass + 1, now);
            }
            let progress = Progress {
                elapsed_ms: now,
                memory_total: self.memory,
                memory_remaining: remaining,
                iteration: pass,
                ..Progress::default()
            };
            if now % 250 == 0 && stall.notice(&progress) {
                told.push(now / 1000);
                limit = (limit * 2).min(10_000);
            }
            remaining = remaining.saturating_sub(LINK * 10);
        }
        (told, None)
    }
}

#[test]
fn passes_of_minutes_that_become_shorter_are_progress() {
    // Passes of 220 s, 88 s, 35 s and so on.
    let guest = Guest { memory: 256 * GIB, writes: LINK * 4 / 10, set: 256 * GIB };
    let (told, pause) = guest.migrate();
    assert_eq!(told, [0; 0]);
    assert!(pause.unwrap() <= 300, "{pause:?}");
    // Each a tenth shorter than the one before.
    let guest = Guest { writes: LINK * 9 / 10, ..guest };
    let (told, pause) = guest.migrate();
    assert_eq!(told, [0; 0]);
    assert!(pause.unwrap() <= 300, "{pause:?}");
}

#[test]
fn passes_that_do_not_become_shorter_are_none_however_long() {
    // The first pass takes 110 s, all others 55 s: the second is shorter, the third is not.
    let guest = Guest { memory: 128 * GIB, writes: LINK * 2, set: 64 * GIB };
    let (told, pause) = guest.migrate();
    assert_eq!(told[..6], [194, 224, 254, 284, 314, 344]);
    assert_eq!(pause, None, "it never fits 10 s");
    // As soon as the limit is as long as a pass, it ends.
    let guest = Guest { memory: 16 * GIB, writes: LINK * 2, set: 2 * GIB };
    let (told, pause) = guest.migrate();
    assert_eq!(told.len(), 3, "{told:?}");
    assert!(pause.unwrap() <= 2400, "{pause:?}");
}

#[test]
fn passes_of_one_second_are_not_shorter_because_they_were_seen_later() {
    // The start of such a pass is seen up to a quarter of a second late: sooner or later than that of the one before.
    let guest = Guest { memory: 2 * LINK * 1000, writes: LINK * 2, set: LINK * 1010 };
    let (told, _) = guest.migrate();
    assert!((31..=34).contains(&told[0]), "{told:?}");
}

fn at(elapsed_ms: u64, memory_remaining: u64, device_bytes: u64) -> Progress {
    Progress { elapsed_ms, memory_total: 1 << 25, memory_remaining, device_bytes, iteration: 9, ..Progress::default() }
}

#[test]
fn the_first_sample_of_a_pass_may_come_before_its_pages_are_counted() {
    let mut stall = Stall::default();
    let pass = |iteration, elapsed_ms, memory_remaining| Progress { iteration, ..at(elapsed_ms, memory_remaining, 0) };
    for (iteration, elapsed_ms, remaining) in [(1, 0, 1 << 25), (1, 20_000, 0), (2, 40_000, 0), (2, 40_250, 1 << 24)] {
        assert!(!stall.notice(&pass(iteration, elapsed_ms, remaining)));
    }
    for second in 41..100 {
        assert!(!stall.notice(&pass(2, second * 1000, (1 << 24) - second)), "it falls, from less than ever");
    }
    // Nor does it make the next one start higher.
    assert!(!stall.notice(&pass(3, 100_000, 1 << 23)));
    assert!(!stall.notice(&pass(3, 129_500, 1 << 22)));
    assert!(!stall.notice(&pass(3, 159_000, 1 << 21)));
}

#[test]
fn the_cause_is_named_with_the_first_thing_that_is_done_and_the_operator_is_asked_once() {
    let mut stall = Stall::default();
    assert!(!stall.notice(&at(0, 4096, 0)));
    assert!(!stall.notice(&at(29_000, 4096, 0)));
    assert!(stall.notice(&at(30_000, 4096, 0)));
    let first = stall.message(&at(30_000, 4096, 0), Some("done")).unwrap();
    assert!(first.starts_with("no progress for 30 s, pass 9: "), "{first}");
    assert!(first.ends_with("never announces the switch-over; done"), "{first}");
    // What is done has its time to work.
    assert!(!stall.notice(&at(59_000, 4096, 0)));
    assert!(stall.notice(&at(60_000, 4096, 0)));
    let next = stall.message(&at(60_000, 4096, 0), Some("done")).unwrap();
    assert_eq!(next, "no progress for 30 s, pass 9: done");
    let last = stall.message(&at(90_000, 4096, 0), None).unwrap();
    assert!(last.contains("never announces the switch-over; it may never end"), "{last}");
    assert_eq!(stall.message(&at(120_000, 4096, 0), None), None, "said already");

    // What comes nearer again is given time.
    let mut stall = Stall::default();
    assert!(!stall.notice(&at(0, 4096, 0)));
    assert!(stall.notice(&at(30_000, 4096, 0)));
    assert!(!stall.notice(&at(59_000, 2048, 0)));
    assert!(!stall.notice(&at(88_000, 2048, 0)));
}

#[test]
fn device_state_that_flows_is_progress_and_silence_is_no_news() {
    let mut stall = Stall::default();
    for second in 0..120 {
        assert!(!stall.notice(&at(second * 1000, 4096, second * 1000)));
    }
    assert!(!stall.notice(&Progress { elapsed_ms: 500_000, ..Progress::default() }));
    assert!(stall.notice(&at(500_000, 4096, 119_000)));
    let said = stall.message(&at(500_000, 4096, 119_000), None).unwrap();
    assert!(said.contains("downtime limit"), "{said}");
}
