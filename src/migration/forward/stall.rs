//! A pre-copy that goes on without coming nearer to its end. Pure.
//!
//! Two kinds are known that never end by themselves: a destination that waits for a switch-over acknowledgement which a source
//! device without PRE_COPY never triggers, and a downtime limit smaller than the device's state needs. libvirt reports both
//! as progress: pass after pass over a few pages.

use super::passes::Passes;
use crate::migration::event::Progress;

/// So long without anything new is no progress.
const PATIENCE_MS: u64 = 30_000;

/// Watches the numbers of one job.
#[derive(Debug, Clone, Default)]
pub(super) struct Stall {
    passes: Passes,
    most_sent: u64,
    since_ms: u64,
    /// Whether the cause was named.
    named: bool,
    /// Whether the operator was asked to do something.
    asked: bool,
}

impl Stall {
    /// Takes the next numbers in. Whether nothing has come nearer for so long that something is to be done; what is done has
    /// as much time to work.
    pub(super) fn notice(&mut self, now: &Progress) -> bool {
        if now.memory_total == 0 {
            // The daemon is silent, which it may be.
            self.passes.silence();
            return false;
        }
        let sent = now.device_bytes.saturating_add(now.disk_processed);
        let remaining = now.memory_remaining.saturating_add(now.device_remaining.unwrap_or(0));
        let nearer = self.passes.nearer(now.iteration, remaining);
        if nearer || sent > self.most_sent {
            self.most_sent = self.most_sent.max(sent);
            self.since_ms = now.elapsed_ms;
            return false;
        }
        let stuck = now.elapsed_ms.saturating_sub(self.since_ms) >= PATIENCE_MS;
        if stuck {
            self.since_ms = now.elapsed_ms;
        }
        stuck
    }

    /// What to say when nothing comes nearer: the likely cause with the first thing that was done about it, and when nothing
    /// can be done what the operator can do, once.
    pub(super) fn message(&mut self, now: &Progress, done: Option<&str>) -> Option<String> {
        let stands_still = format!("no progress for {} s, pass {}", PATIENCE_MS / 1000, now.iteration);
        let what = if now.device_bytes == 0 && now.iteration > 2 {
            "the guest writes as fast as its memory is sent, or the destination waits for a device of the source that never \
             announces the switch-over"
        } else {
            "the guest writes as fast as its memory is sent, or the device state needs longer than the downtime limit"
        };
        let named = std::mem::replace(&mut self.named, true);
        match done {
            Some(done) if named => Some(format!("{stands_still}: {done}")),
            Some(done) => Some(format!("{stands_still}: {what}; {done}")),
            None if std::mem::replace(&mut self.asked, true) => None,
            None => Some(format!(
                "{stands_still}: {what}; it may never end: virsh migrate-setmaxdowntime raises the limit now (next time \
                 --max-downtime, --bandwidth), Ctrl-C stops it (--timeout does so by itself)"
            )),
        }
    }
}
