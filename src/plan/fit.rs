//! How well a device of the destination answers to one of the guest's.

use super::pair::Answer;

/// The conditions that are not met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) struct Fit {
    /// The first condition it does not meet.
    pub first: Option<&'static str>,
    /// How many it does not meet.
    pub misses: u32,
    /// Conditions that cannot be told.
    pub unknown: u32,
}

impl Fit {
    /// A condition is not met.
    pub(crate) fn miss(&mut self, code: &'static str) {
        self.first = self.first.or(Some(code));
        self.misses += 1;
    }

    /// The answer of one condition.
    pub(crate) fn answer(&mut self, code: &'static str, answer: Answer) {
        match answer {
            Answer::Yes => {}
            Answer::No => self.miss(code),
            Answer::Unknown => self.unknown += 1,
        }
    }

    /// Both.
    #[must_use]
    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            first: self.first.or(other.first),
            misses: self.misses + other.misses,
            unknown: self.unknown + other.unknown,
        }
    }
}
