//! How a run ended: the exit codes, in one place. The man pages render [`Outcome::ALL`].

use std::process::ExitCode;

/// How a run of pvm ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Fine.
    Fine,
    /// Findings: bad configuration, incompatible hosts or a deliberate refusal.
    Findings,
    /// Wrong usage, a wrong pvm.yaml, or pvm would have to ask and cannot.
    Usage,
    /// Could not find out; nothing was changed.
    Unknown,
    /// The migration failed and all was undone: guest and devices proved on the source.
    Undone,
    /// The guest's place is known, something is missing or lost.
    Incomplete,
    /// Where the guest runs is unknown, or a decision is needed.
    Undecided,
    /// Interrupted before switch-over, all undone.
    Interrupted,
}

impl Outcome {
    /// Every outcome with its meaning, in the order of their codes.
    pub const ALL: &[(Outcome, &str)] = &[
        (Outcome::Fine, "Fine."),
        (
            Outcome::Findings,
            "Findings: bad configuration, incompatible, or a deliberate refusal (warnings count with --strict).",
        ),
        (Outcome::Usage, "Wrong usage, pvm.yaml is wrong, or confirmation is required and stdin is not a terminal."),
        (
            Outcome::Unknown,
            "Could not find out (unreadable, unreachable, no libvirt; a verdict unknown). Nothing was changed.",
        ),
        (
            Outcome::Undone,
            "The migration failed, all was undone: the guest runs on the source, and its devices were checked.",
        ),
        (
            Outcome::Incomplete,
            "The guest's place is known, but something is missing or lost (device state, a port): the message says what.",
        ),
        (Outcome::Undecided, "Where the guest runs is unknown, or a decision is needed: see pvm recover."),
        (Outcome::Interrupted, "Interrupted before switchover, all undone."),
    ];

    /// Its meaning in one word, for machines.
    pub(crate) const fn kind(self) -> &'static str {
        match self {
            Self::Fine => "fine",
            Self::Findings => "refused",
            Self::Usage => "usage",
            Self::Unknown => "unknown",
            Self::Undone => "undone",
            Self::Incomplete => "incomplete",
            Self::Undecided => "undecided",
            Self::Interrupted => "interrupted",
        }
    }

    /// The process's exit code.
    pub const fn code(self) -> u8 {
        match self {
            Self::Fine => 0,
            Self::Findings => 1,
            Self::Usage => 2,
            Self::Unknown => 3,
            Self::Undone => 4,
            Self::Incomplete => 5,
            Self::Undecided => 6,
            Self::Interrupted => 130,
        }
    }
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> Self {
        Self::from(outcome.code())
    }
}
