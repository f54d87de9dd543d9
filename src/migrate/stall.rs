//! A pre-copy that goes on without coming nearer to its end. Pure.
//!
//! Two kinds are known that never end by themselves: a destination that waits for a switch-over acknowledgement which a source
//! device without PRE_COPY never triggers, and a downtime limit smaller than the device's state needs. libvirt reports both
//! as progress: pass after pass over a few pages.

use super::event::Progress;

/// So long without anything new is no progress.
const PATIENCE_MS: u64 = 30_000;

/// Watches the numbers of one job.
#[derive(Debug, Clone, Default)]
pub(super) struct Stall {
    least_remaining: Option<u64>,
    most_sent: u64,
    since_ms: u64,
    told: bool,
}

impl Stall {
    /// Takes the next numbers in. A sentence, once, when nothing has come nearer for too long.
    pub(super) fn notice(&mut self, now: &Progress) -> Option<String> {
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
        if self.told || now.elapsed_ms.saturating_sub(self.since_ms) < PATIENCE_MS {
            return None;
        }
        self.told = true;
        let what = if now.device_bytes == 0 && now.iteration > 2 {
            "the guest writes as fast as its memory is sent, or the destination waits for a device of the source that never \
             announces the switch-over"
        } else {
            "the guest writes as fast as its memory is sent, or the device state needs longer than the downtime limit"
        };
        Some(format!(
            "no progress for {} s, pass {}: {what}; it may never end: virsh migrate-setmaxdowntime raises the limit now \
             (next time --max-downtime, --bandwidth), Ctrl-C stops it (--timeout does so by itself)",
            PATIENCE_MS / 1000,
            now.iteration
        ))
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

    #[test]
    fn passes_over_the_same_pages_are_named_once() {
        let mut stall = Stall::default();
        assert_eq!(stall.notice(&at(0, 1 << 25, 0)), None);
        assert_eq!(stall.notice(&at(1_000, 4096, 0)), None);
        assert_eq!(stall.notice(&at(30_000, 4096, 0)), None);
        let said = stall.notice(&at(31_000, 8192, 0)).unwrap();
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
        let said = stall.notice(&at(500_000, 4096, 119_000)).unwrap();
        assert!(said.contains("downtime limit"), "{said}");
    }
}
