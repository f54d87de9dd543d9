//! A pre-copy that goes on without coming nearer to its end. Pure.
//!
//! Two kinds are known that never end by themselves: a destination that waits for a switch-over acknowledgement which a source
//! device without PRE_COPY never triggers, and a downtime limit smaller than the device's state needs. libvirt reports both
//! as progress: pass after pass over a few pages.

use super::event::Progress;
use crate::preflight::terms::LONGEST_DOWNTIME_MS;

/// So long without anything new is no progress.
const PATIENCE_MS: u64 = 30_000;

/// How often the limit of the pause is doubled: 300 ms become 9.6 s at most.
const MOST_RAISES: u32 = 5;
/// The same in words, for plans.
pub const RAISED: &str = "doubled, at most five times, while there is no progress";

/// Watches the numbers of one job.
#[derive(Debug, Clone, Default)]
pub(super) struct Stall {
    least_remaining: Option<u64>,
    most_sent: u64,
    since_ms: u64,
    told: bool,
    /// The limit of the pause in milliseconds, where it may be raised.
    limit_ms: Option<u64>,
    raises: u32,
}

/// What to do when nothing comes nearer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Stuck {
    /// Raise the limit of the pause to so many milliseconds.
    Raise {
        /// The new limit.
        to_ms: u64,
        /// Why, in one sentence.
        message: String,
    },
    /// Say this sentence.
    Say(String),
}

impl Stall {
    /// Of a job whose limit of the pause may be raised from so many milliseconds on; `None`: it stands.
    pub(super) fn new(limit_ms: Option<u64>) -> Self {
        Self { limit_ms, ..Self::default() }
    }

    /// Takes the next numbers in. When nothing has come nearer for too long, the limit is raised as often as it may be, and
    /// then a sentence is said, once.
    pub(super) fn notice(&mut self, now: &Progress) -> Option<Stuck> {
        if now.memory_total == 0 {
            // The daemon is silent, which it may be.
            return None;
        }
        let remaining = now.memory_remaining.saturating_add(now.disk_remaining);
        let sent = now.device_bytes.saturating_add(now.disk_processed);
        if self.least_remaining.is_none_or(|least| remaining < least) || sent > self.most_sent {
            self.least_remaining = Some(self.least_remaining.map_or(remaining, |least| least.min(remaining)));
            self.most_sent = self.most_sent.max(sent);
            self.since_ms = now.elapsed_ms;
            return None;
        }
        if now.elapsed_ms.saturating_sub(self.since_ms) < PATIENCE_MS {
            return None;
        }
        let stands_still = format!("no progress for {} s, pass {}", PATIENCE_MS / 1000, now.iteration);
        if let Some(from) = self.limit_ms.filter(|ms| self.raises < MOST_RAISES && *ms < LONGEST_DOWNTIME_MS) {
            let to_ms = from.max(1).saturating_mul(2).min(LONGEST_DOWNTIME_MS);
            self.limit_ms = Some(to_ms);
            self.raises += 1;
            self.since_ms = now.elapsed_ms;
            let message = format!("{stands_still}: the limit of the pause is raised from {from} ms to {to_ms} ms");
            return Some(Stuck::Raise { to_ms, message });
        }
        if self.told {
            return None;
        }
        self.told = true;
        let what = if now.device_bytes == 0 && now.iteration > 2 {
            "the guest writes as fast as its memory is sent, or the destination waits for a device of the source that never \
             announces the switch-over"
        } else {
            "the guest writes as fast as its memory is sent, or the device state needs longer than the downtime limit"
        };
        Some(Stuck::Say(format!(
            "{stands_still}: {what}; it may never end: virsh migrate-setmaxdowntime raises the limit now (next time \
             --max-downtime, --bandwidth), Ctrl-C stops it (--timeout does so by itself)"
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(elapsed_ms: u64, memory_remaining: u64, device_bytes: u64) -> Progress {
        Progress {
            elapsed_ms,
            memory_total: 1 << 25,
            memory_remaining,
            device_bytes,
            iteration: 9,
            ..Progress::default()
        }
    }

    fn said(stuck: Option<Stuck>) -> String {
        let Some(Stuck::Say(said)) = stuck else { panic!("{stuck:?}") };
        said
    }

    #[test]
    fn the_limit_is_doubled_a_few_times_before_the_operator_is_asked() {
        let mut stall = Stall::new(Some(300));
        assert_eq!(stall.notice(&at(0, 4096, 0)), None);
        let mut limits = Vec::new();
        for second in 1..=150 {
            match stall.notice(&at(second * 1000, 4096, 0)) {
                None => assert_ne!(second % 30, 0),
                Some(Stuck::Raise { to_ms, message }) => {
                    assert_eq!(second % 30, 0, "each has its time to work");
                    assert!(message.ends_with(&format!("ms to {to_ms} ms")), "{message}");
                    limits.push(to_ms);
                }
                Some(Stuck::Say(said)) => panic!("{said}"),
            }
        }
        assert_eq!(limits, [600, 1200, 2400, 4800, 9600]);
        assert!(said(stall.notice(&at(180_000, 4096, 0))).contains("may never end"));

        // What comes nearer again is given time.
        let mut stall = Stall::new(Some(300));
        assert_eq!(stall.notice(&at(0, 4096, 0)), None);
        assert!(matches!(stall.notice(&at(30_000, 4096, 0)), Some(Stuck::Raise { to_ms: 600, .. })));
        assert_eq!(stall.notice(&at(59_000, 2048, 0)), None);
        assert_eq!(stall.notice(&at(88_000, 2048, 0)), None);

        // QEMU takes no longer limit than this.
        let mut stall = Stall::new(Some(1_500_000));
        assert_eq!(stall.notice(&at(0, 4096, 0)), None);
        assert!(matches!(stall.notice(&at(30_000, 4096, 0)), Some(Stuck::Raise { to_ms: LONGEST_DOWNTIME_MS, .. })));
        assert!(said(stall.notice(&at(60_000, 4096, 0))).contains("may never end"));
    }

    #[test]
    fn passes_over_the_same_pages_are_named_once() {
        let mut stall = Stall::default();
        assert_eq!(stall.notice(&at(0, 1 << 25, 0)), None);
        assert_eq!(stall.notice(&at(1_000, 4096, 0)), None);
        assert_eq!(stall.notice(&at(30_000, 4096, 0)), None);
        let said = said(stall.notice(&at(31_000, 8192, 0)));
        assert!(said.contains("never announces the switch-over"), "{said}");
        assert_eq!(stall.notice(&at(90_000, 8192, 0)), None, "said already");
    }

    #[test]
    fn device_state_that_flows_is_progress_and_silence_is_no_news() {
        let mut stall = Stall::default();
        for second in 0..120 {
            assert_eq!(stall.notice(&at(second * 1000, 4096, second * 1000)), None);
        }
        assert_eq!(stall.notice(&Progress { elapsed_ms: 500_000, ..Progress::default() }), None);
        let said = said(stall.notice(&at(500_000, 4096, 119_000)));
        assert!(said.contains("downtime limit"), "{said}");
    }
}
