//! What the proof says.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Whether the state of a guest's VFIO devices arrived.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all = "kebab-case")]
pub enum Verdict {
    /// No device moved with its state: there is nothing to prove.
    NothingToProve,
    /// All four conditions of the proof hold.
    Verified,
    /// The hypervisor wrote that it reset a device or could not load its state.
    Lost {
        /// What it wrote, and where.
        why: String,
    },
    /// A condition could not be shown to hold.
    NotVerified {
        /// Which, in one sentence.
        why: String,
    },
}

impl Verdict {
    /// A verdict that a condition is missing.
    pub fn not_verified(why: impl Into<String>) -> Self {
        Self::NotVerified { why: why.into() }
    }

    /// Whether the state is known to be lost.
    pub const fn is_lost(&self) -> bool {
        matches!(self, Self::Lost { .. })
    }

    /// Whether nothing is left to doubt: proved, or nothing to prove.
    pub const fn is_certain(&self) -> bool {
        matches!(self, Self::Verified | Self::NothingToProve)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NothingToProve => f.write_str("no device moved with its state"),
            Self::Verified => f.write_str("verified"),
            Self::Lost { why } => write!(f, "lost: {why}"),
            Self::NotVerified { why } => write!(f, "not verified: {why}"),
        }
    }
}
