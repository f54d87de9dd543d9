//! The only place that writes to stdout and stderr. Data goes to stdout, all else to stderr.

pub(crate) mod check_config;
pub(crate) mod ci;
pub(crate) mod closed;
pub(crate) mod device_map;
pub(crate) mod diff;
pub(crate) mod drain;
pub(crate) mod events;
pub(crate) mod findings;
pub(crate) mod history;
mod html;
pub(crate) mod inventory;
pub(crate) mod log;
pub(crate) mod matrix;
pub(crate) mod moves;
pub(crate) mod preflight;
pub(crate) mod progress;
pub(crate) mod prometheus;
pub(crate) mod stopped;
pub(crate) mod table;
pub(crate) mod text;
mod width;

use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use anstream::ColorChoice;
use serde::Serialize;

use crate::model::causes;
use crate::model::format::{Color, Format};
pub(crate) use width::width;

/// Bytes of a document that are written at once.
const DOCUMENT: usize = 1 << 16;

/// Writes results and notes as the global options ask.
#[derive(Debug, Clone)]
pub(crate) struct Printer {
    /// Format of the result.
    pub format: Format,
    /// Count of `-v`.
    pub verbose: u8,
    /// Whether notes are left out.
    pub quiet: bool,
    color: ColorChoice,
    /// What is held back, while it is.
    held: Option<Held>,
    /// Whether anything was printed as a result, by this printer or a copy of it.
    has_printed: Arc<AtomicBool>,
}

/// Writes JSON on without the characters that drive a terminal. The serializer writes whole characters.
struct Escaped<W>(W);

impl<W: Write> Write for Escaped<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match std::str::from_utf8(bytes) {
            Ok(json) if !bytes.is_ascii() || bytes.contains(&0x7f) => {
                self.0.write_all(text::escaped_json(json).as_bytes())?;
            }
            Ok(_) | Err(_) => self.0.write_all(bytes)?,
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Lines that are printed together later: the first is whether it is a result.
type Held = Arc<Mutex<Vec<(bool, String)>>>;

impl Printer {
    /// Makes a printer for these options.
    pub(crate) fn new(format: Format, color: Color, verbose: u8, quiet: bool) -> Self {
        let color = match color {
            Color::Auto => ColorChoice::Auto,
            Color::Always => ColorChoice::Always,
            Color::Never => ColorChoice::Never,
        };
        Self { format, verbose, quiet, color, held: None, has_printed: Arc::default() }
    }

    /// A printer that holds back what it is given, until [`release`](Self::release): several at once do not mix their lines.
    #[must_use]
    pub(crate) fn holding(&self) -> Self {
        Self { held: Some(Held::default()), ..self.clone() }
    }

    /// Whether anything was printed as a result.
    pub(crate) fn has_printed(&self) -> bool {
        self.has_printed.load(Ordering::Relaxed)
    }

    /// Prints what was held back up to now.
    pub(crate) fn release(&self) -> Result<(), StdoutError> {
        let Some(held) = &self.held else { return Ok(()) };
        let lines = std::mem::take(&mut *held.lock().unwrap_or_else(PoisonError::into_inner));
        let printer = Self { held: None, ..self.clone() };
        for (is_result, text) in lines {
            if is_result { printer.result(&text)? } else { printer.complain(&text) }
        }
        Ok(())
    }

    /// Whether `text` was held back.
    fn hold(&self, is_result: bool, text: &str) -> bool {
        let Some(held) = &self.held else { return false };
        held.lock().unwrap_or_else(PoisonError::into_inner).push((is_result, text.to_owned()));
        true
    }

    /// Prints `text` as the result. Colour codes in it are dropped where they are not wanted; a reader that has gone away is
    /// not an error.
    pub(crate) fn result(&self, text: &str) -> Result<(), StdoutError> {
        if self.hold(true, text) {
            return Ok(());
        }
        self.has_printed.store(true, Ordering::Relaxed);
        written(closed::stdout())?;
        let mut out = io::stdout().lock();
        // Without colours nothing has to be dropped; the search for them costs more than a long table otherwise does.
        if !text.contains('\u{1b}') {
            return written(out.write_all(text.as_bytes()).and_then(|()| out.flush()));
        }
        let mut out = anstream::AutoStream::new(out, self.color);
        written(out.write_all(text.as_bytes()).and_then(|()| out.flush()))
    }

    /// Prints one document in JSON or YAML, as the format asks.
    pub(crate) fn document<T: Serialize>(&self, document: &T) -> Result<(), StdoutError> {
        if self.format == Format::Yaml {
            let text = serde_yaml::to_string(document).map_err(|e| StdoutError(io::Error::other(e)))?;
            // YAML has no escapes outside of quotes; its JSON form has.
            if !text.chars().any(|c| text::is_dangerous(c) && c != '\n' && c != '\t') {
                return self.result(&text);
            }
        }
        self.has_printed.store(true, Ordering::Relaxed);
        closed::stdout()?;
        // Written as it is made: a snapshot of some thousand VFs has many megabytes, and no colours to drop.
        let mut out = io::BufWriter::with_capacity(DOCUMENT, io::stdout().lock());
        let document = match self.format {
            Format::Ndjson | Format::Compact => serde_json::to_writer(Escaped(&mut out), document),
            _ => serde_json::to_writer_pretty(Escaped(&mut out), document),
        };
        let document = document.map_err(io::Error::from);
        written(document.and_then(|()| out.write_all(b"\n")).and_then(|()| out.flush()))
    }

    /// Prints a line on stderr, unless `-q`.
    pub(crate) fn note(&self, text: &str) {
        if !self.quiet {
            self.complain(text);
        }
    }

    /// Prints sentences as the result, a line each, folded where a terminal shows them.
    pub(crate) fn lines(&self, text: &str) -> Result<(), StdoutError> {
        match width::of_terminal(&io::stdout()) {
            Some(width) if self.held.is_none() => self.result(&text::fitted(text, width)),
            _ => self.result(text),
        }
    }

    /// Prints a line on stderr, even with `-q`; folded where a terminal shows it.
    pub(crate) fn complain(&self, text: &str) {
        if self.hold(false, text) {
            return;
        }
        let text = causes::plain(text);
        match width::of_terminal(&io::stderr()) {
            Some(width) => self.verbatim(&text::fitted(&text, width)),
            None => self.verbatim(&text),
        }
    }

    /// Prints lines on stderr as they are: a patch, or a page that was made for the width.
    pub(crate) fn verbatim(&self, text: &str) {
        let mut err = anstream::AutoStream::new(io::stderr().lock(), self.color);
        // Nothing is left to say where stderr itself cannot be written.
        let _ = writeln!(err, "{text}");
    }

    /// Asks on stderr; the answer follows on the same line.
    pub(crate) fn ask(&self, text: &str) {
        let mut err = anstream::AutoStream::new(io::stderr().lock(), self.color);
        // As for a complaint.
        let _ = write!(err, "{text}").and_then(|()| err.flush());
    }
}

/// A result that could not be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write to stdout")]
pub(crate) struct StdoutError(#[from] io::Error);

/// A reader that has gone away is not an error.
fn written(result: io::Result<()>) -> Result<(), StdoutError> {
    match result {
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other.map_err(StdoutError),
    }
}
