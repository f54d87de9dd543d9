//! The one error of the commands. It carries the outcome it ends the run with, so no error is without an exit code.

use std::error::Error;
use std::fmt;

use crate::facts::{ErrorKind, HostError};
use crate::model::causes;
use crate::model::outcome::Outcome;
use crate::output::Printer;
use crate::output::stopped::Stopped;
use crate::output::text::printable;
use crate::preflight::Row;

/// Why a command ends before its end, and with which outcome. There is no conversion from errors that do not know whether
/// something had been changed: see `OrStop`.
#[derive(Debug)]
pub(crate) struct Stop {
    /// How the run ends.
    pub outcome: Outcome,
    /// One sentence with the object's name.
    message: String,
    cause: Option<Cause>,
    remedy: Option<String>,
    checks: Vec<Row>,
}

type Cause = Box<dyn Error + Send + Sync>;

impl Stop {
    /// Ends the run with this outcome and sentence.
    pub(crate) fn new(outcome: Outcome, message: impl Into<String>) -> Self {
        Self { outcome, message: message.into(), cause: None, remedy: None, checks: Vec::new() }
    }

    /// Ends the run as wrong usage.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Outcome::Usage, message)
    }

    /// Ends the run because of a file that is not what it should be, or as a deliberate refusal.
    pub(crate) fn refused(message: impl Into<String>) -> Self {
        Self::new(Outcome::Findings, message)
    }

    /// Ends the run because something does not exist, cannot be read or cannot be reached.
    pub(crate) fn unknown(message: impl Into<String>) -> Self {
        Self::new(Outcome::Unknown, message)
    }

    /// The same stop with the error that led to it.
    #[must_use]
    pub(crate) fn because(self, cause: impl Into<Cause>) -> Self {
        Self { cause: Some(cause.into()), ..self }
    }

    /// The same stop with what helps.
    #[must_use]
    pub(crate) fn remedy(self, remedy: impl Into<String>) -> Self {
        Self { remedy: Some(remedy.into()), ..self }
    }

    /// The same stop with the checks that stand against the run.
    #[must_use]
    pub(crate) fn by(self, checks: Vec<Row>) -> Self {
        Self { checks, ..self }
    }

    /// Prints why the run ended: the words on stderr, and for a machine its document on stdout.
    pub(crate) fn tell(&self, printer: &Printer, may_change: bool) {
        let message = causes::sentence(self);
        let unchanged = if may_change && self.changed_nothing() { "; nothing was changed" } else { "" };
        let remedy = self.remedy.as_deref().map(|remedy| format!("; {remedy}")).unwrap_or_default();
        printer.complain(&format!("pvm: {}", printable(&format!("{message}{unchanged}{remedy}"))));
        let stopped = Stopped::new(self.outcome, &message, self.remedy.as_deref(), &self.checks);
        if let Err(error) = stopped.print(printer) {
            printer.complain(&format!("pvm: {}", causes::sentence(&error)));
        }
    }

    /// Whether nothing was changed, by the meaning of the outcome.
    pub(crate) fn changed_nothing(&self) -> bool {
        matches!(self.outcome, Outcome::Findings | Outcome::Usage | Outcome::Unknown)
    }

    /// The whole sentence: the message and its causes, and what helps.
    pub(crate) fn sentence(&self) -> String {
        let message = causes::sentence(self);
        match &self.remedy {
            Some(remedy) => format!("{message}; {remedy}"),
            None => message,
        }
    }
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for Stop {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        let cause: &(dyn Error + Send + Sync + 'static) = self.cause.as_deref()?;
        Some(cause)
    }
}

/// Gathering facts changes nothing, and its errors know their kind.
impl From<HostError> for Stop {
    fn from(error: HostError) -> Self {
        let outcome = Outcome::from(error.kind());
        Self::new(outcome, causes::sentence(&error))
    }
}

impl From<ErrorKind> for Outcome {
    fn from(kind: ErrorKind) -> Self {
        match kind {
            ErrorKind::Unknown => Self::Unknown,
            ErrorKind::Refused => Self::Findings,
        }
    }
}

/// Gives an error its outcome where it happens: only there it is known whether something had been changed.
pub(super) trait OrStop<T> {
    /// The value; else a stop with this outcome and the error's own sentence.
    fn or_stop(self, outcome: Outcome) -> Result<T, Stop>;
}

impl<T, E: Error> OrStop<T> for Result<T, E> {
    fn or_stop(self, outcome: Outcome) -> Result<T, Stop> {
        self.map_err(|error| Stop::new(outcome, causes::sentence(&error)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stop_tells_its_causes_and_keeps_its_outcome() {
        let full = std::io::Error::from_raw_os_error(28);
        let stop = Stop::unknown("cannot write the plan").because(full);
        assert_eq!(stop.sentence(), "cannot write the plan: No space left on device");
        let wrapped: Result<(), _> = Err(stop).or_stop(Outcome::Undecided);
        let wrapped = wrapped.unwrap_err();
        assert_eq!(wrapped.outcome, Outcome::Undecided);
        assert_eq!(wrapped.sentence(), "cannot write the plan: No space left on device");
    }
}
