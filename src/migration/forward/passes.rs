//! Whether QEMU's passes over the memory come nearer to an end. Pure.
//!
//! What remains falls to the same little at the end of every pass, whatever the guest writes. What tells is where passes
//! begin: with what the guest wrote during the one before. A pass of a big guest takes minutes, all of which count when it
//! began with less than any before, and none when it did not.

/// The passes of one job, by their samples.
#[derive(Debug, Clone, Default)]
pub(super) struct Passes {
    pass: u64,
    /// The most that was seen to remain in this pass. The first sample may be less: QEMU counts the pass before it has
    /// counted the pages.
    start: u64,
    /// The least since then.
    least: u64,
    /// The smallest start of the passes before.
    best: Option<u64>,
    /// The last sample, unless there was silence since.
    last: Option<u64>,
    /// The most that was sent between two samples: a start is seen so much too small at worst.
    stride: u64,
}

impl Passes {
    /// Nothing was heard: what was sent until the next sample is no stride.
    pub(super) fn silence(&mut self) {
        self.last = None;
    }

    /// Takes in what remains, and says whether that is nearer to an end than ever.
    pub(super) fn nearer(&mut self, pass: u64, remaining: u64) -> bool {
        let before = self.last.replace(remaining).unwrap_or(0);
        // In the first pass pages of zeros go faster than any bandwidth.
        if self.pass > 1 {
            self.stride = self.stride.max(before.saturating_sub(remaining));
        }
        if pass != self.pass {
            if self.pass > 0 {
                self.best = Some(self.best.map_or(self.start, |best| best.min(self.start)));
            }
            self.pass = pass;
            (self.start, self.least) = (remaining, remaining);
            return self.best.is_none();
        }
        if remaining > self.start {
            (self.start, self.least) = (remaining, remaining);
            return false;
        }
        let falls = remaining < self.least;
        self.least = self.least.min(remaining);
        falls && self.best.is_none_or(|best| self.start < best.saturating_sub(self.stride))
    }
}
