//! What a check says, and how many of them make one verdict.

use serde::{Deserialize, Serialize};

use crate::model::finding::{Answer, Finding, Severity};
use crate::model::outcome::Outcome;

/// What one check says about one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Whether all is well.
    pub answer: Answer,
    /// One sentence; empty when it passed.
    pub message: String,
    /// A command, or the text to write instead.
    pub remedy: Option<String>,
    /// The fact on the source.
    pub source: Option<String>,
    /// The fact on the destination.
    pub destination: Option<String>,
    /// Another weight than the rule's.
    pub severity: Option<Severity>,
    /// Device it is about.
    pub device: Option<String>,
}

impl Verdict {
    fn new(answer: Answer, message: String) -> Self {
        Self { answer, message, remedy: None, source: None, destination: None, severity: None, device: None }
    }

    /// All is well.
    pub fn pass() -> Self {
        Self::new(Answer::Yes, String::new())
    }

    /// It is not, and why.
    pub fn fail(message: impl Into<String>) -> Self {
        Self::new(Answer::No, message.into())
    }

    /// The verdict on an answer, with a sentence for "no" and one for "unknown".
    pub fn answer(answer: Answer, no: impl FnOnce() -> String, unknown: impl FnOnce() -> String) -> Self {
        match answer {
            Answer::Yes => Self::pass(),
            Answer::No => Self::fail(no()),
            Answer::Unknown => Self::unknown(unknown()),
        }
    }

    /// Which fact is missing.
    pub fn unknown(message: impl Into<String>) -> Self {
        Self::new(Answer::Unknown, message.into())
    }

    /// What to do about it.
    #[must_use]
    pub fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }

    /// The fact on both sides.
    #[must_use]
    pub fn facts(mut self, source: &impl ToString, destination: &impl ToString) -> Self {
        self.source = Some(source.to_string());
        self.destination = Some(destination.to_string());
        self
    }

    /// Another weight than the rule's.
    #[must_use]
    pub fn weighing(mut self, severity: Severity) -> Self {
        self.severity = Some(severity);
        self
    }

    /// The device it is about.
    #[must_use]
    pub fn about(mut self, device: &impl ToString) -> Self {
        self.device = Some(device.to_string());
        self
    }
}

/// Result of one check in the document: its answer, and what a "no" weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CheckResult {
    /// Passed.
    Ok,
    /// Worth knowing.
    Info,
    /// Counts with `--strict`.
    Warning,
    /// Incompatible.
    Error,
    /// A fact is missing.
    Unknown,
}

impl CheckResult {
    /// The result of an answer whose "no" weighs so much.
    pub const fn new(answer: Answer, severity: Severity) -> Self {
        match (answer, severity) {
            (Answer::Yes, _) => Self::Ok,
            (Answer::Unknown, _) => Self::Unknown,
            (Answer::No, Severity::Info) => Self::Info,
            (Answer::No, Severity::Warning) => Self::Warning,
            (Answer::No, Severity::Error) => Self::Error,
        }
    }

    /// The word in tables.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
            Self::Unknown => "unknown",
        }
    }
}

/// Can a guest move?
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Compatibility {
    /// Yes.
    Compatible,
    /// Yes, but.
    Warnings,
    /// Not known.
    Unknown,
    /// No.
    Incompatible,
}

impl Compatibility {
    /// How a run that says so ends.
    pub const fn outcome(self, strict: bool) -> Outcome {
        match self {
            Self::Incompatible => Outcome::Findings,
            Self::Unknown => Outcome::Unknown,
            Self::Warnings if strict => Outcome::Findings,
            Self::Warnings | Self::Compatible => Outcome::Fine,
        }
    }

    /// The word in tables.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Compatible => "compatible",
            Self::Warnings => "warnings",
            Self::Unknown => "unknown",
            Self::Incompatible => "incompatible",
        }
    }
}

/// One line of a report: a finding, or that there is none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// What the check found; its severity is what a failure would weigh.
    #[serde(flatten)]
    pub finding: Finding,
    /// What the check says.
    pub result: CheckResult,
    /// The fact on the source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The fact on the destination.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destination: Option<String>,
    /// Whether libvirt or QEMU check it again before the guest is paused: then a missing fact does no harm.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub rechecked: bool,
}

impl Row {
    /// What it makes of the verdict.
    pub fn compatibility(&self) -> Compatibility {
        match (self.result, self.finding.severity) {
            (CheckResult::Ok | CheckResult::Info, _) | (CheckResult::Unknown, Severity::Info) => {
                Compatibility::Compatible
            }
            (CheckResult::Warning, _) | (CheckResult::Unknown, Severity::Warning) => Compatibility::Warnings,
            (CheckResult::Unknown, Severity::Error) => Compatibility::Unknown,
            (CheckResult::Error, _) => Compatibility::Incompatible,
        }
    }
}

/// The worst of many.
pub(crate) fn worst<'a>(rows: impl IntoIterator<Item = &'a Row>) -> Compatibility {
    rows.into_iter().map(Row::compatibility).max().unwrap_or(Compatibility::Compatible)
}
