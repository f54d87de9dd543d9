//! The document of a command that ended before it had its own one to print: with a machine's format every run ends in one.

use serde::Serialize;

use super::{Printer, StdoutError, ci};
use crate::model::format::Format;
use crate::model::outcome::Outcome;
use crate::preflight::Row;

/// `pvm.error/1`: why a command ended early.
#[derive(Debug, Serialize)]
pub(crate) struct Stopped<'a> {
    schema: &'static str,
    /// The meaning of the exit code in one word.
    kind: &'static str,
    message: &'a str,
    /// What helps, where that is known.
    remedy: Option<&'a str>,
    exit_code: u8,
    /// The checks that stand against it.
    #[serde(skip_serializing_if = "<[Row]>::is_empty")]
    checks: &'a [Row],
}

impl<'a> Stopped<'a> {
    /// A run that ends with this outcome, and why.
    pub(crate) fn new(outcome: Outcome, message: &'a str, remedy: Option<&'a str>, checks: &'a [Row]) -> Self {
        Self { schema: "pvm.error/1", kind: outcome.kind(), message, remedy, exit_code: outcome.code(), checks }
    }

    /// Prints it where a machine reads and has got no document yet. A stream of lines ends with it in any case.
    pub(crate) fn print(&self, printer: &Printer) -> Result<(), StdoutError> {
        if printer.has_printed() && printer.format != Format::Ndjson {
            return Ok(());
        }
        match printer.format {
            // Metrics of a run that failed are no metrics, and its page is none for a board.
            Format::Table | Format::Prometheus | Format::Html => Ok(()),
            Format::Github => printer.result(&ci::github_stopped(self.message)),
            Format::Sarif => printer.document(&ci::sarif_stopped(self.message, self.exit_code)),
            Format::Json | Format::Yaml | Format::Ndjson | Format::Compact => printer.document(self),
        }
    }
}
