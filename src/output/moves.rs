//! The moves of a drain as they happen: a line for each that runs and a total on a terminal, plain lines elsewhere, one JSON
//! object per line for machines.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal as _};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget};
use serde::Serialize;

use super::Printer;
use super::progress::{LINE_EVERY_MS, is_dumb, line, show_bar, style};
use super::text::printable;
use crate::migration::event::{Event, What};
use crate::model::format::Format;
use crate::model::time::Timestamp;

/// Shows all moves of one drain.
#[derive(Debug)]
pub(crate) struct Moves {
    printer: Printer,
    begun: Timestamp,
    shown: Shown,
}

#[derive(Debug)]
enum Shown {
    Bars {
        all: MultiProgress,
        total: ProgressBar,
        of: Mutex<BTreeMap<String, ProgressBar>>,
    },
    /// For each guest the time of its last line.
    Lines(Mutex<BTreeMap<String, Timestamp>>),
    Json,
    Nothing,
}

/// An event, and the guest it is about.
#[derive(Serialize)]
struct Line<'a> {
    guest: &'a str,
    #[serde(flatten)]
    event: &'a Event,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Moves {
    /// Shows so many moves, which begin now.
    pub(crate) fn new(printer: &Printer, guests: usize, begun: Timestamp) -> Self {
        let shown = if printer.format == Format::Ndjson {
            Shown::Json
        } else if printer.quiet {
            Shown::Nothing
        } else if io::stderr().is_terminal() && !is_dumb() {
            let all = MultiProgress::with_draw_target(ProgressDrawTarget::stderr());
            let total = all.add(ProgressBar::new(u64::try_from(guests).unwrap_or(u64::MAX)));
            total.set_style(style("{elapsed_precise} {pos} of {len} guests done {msg}"));
            total.enable_steady_tick(Duration::from_secs(1));
            Shown::Bars { all, total, of: Mutex::default() }
        } else {
            Shown::Lines(Mutex::default())
        };
        Self { printer: printer.clone(), begun, shown }
    }

    /// Shows an event of a guest's migration.
    pub(crate) fn event(&self, guest: &str, event: &Event) {
        match &self.shown {
            Shown::Nothing => {}
            Shown::Json => {
                // Events are plain data; a reader that cannot be written to stops no move.
                let text = serde_json::to_string(&Line { guest, event }).unwrap_or_default();
                let _ = self.printer.result(&format!("{text}\n"));
            }
            Shown::Bars { all, total, of } => {
                let mut of = lock(of);
                let bar = of.entry(guest.to_owned()).or_insert_with(|| {
                    let bar = all.insert_before(total, ProgressBar::no_length());
                    bar.set_style(style("{prefix} {spinner} {msg}"));
                    bar.set_prefix(printable(guest).into_owned());
                    bar.enable_steady_tick(Duration::from_millis(200));
                    bar
                });
                show_bar(bar, event, "{prefix} ");
            }
            Shown::Lines(last) => {
                if let What::Progress(_) = event.what {
                    let mut last = lock(last);
                    let before = last.entry(guest.to_owned()).or_insert(event.time);
                    if event.time.since(*before) < LINE_EVERY_MS {
                        return;
                    }
                    *before = event.time;
                }
                if let Some(text) = line(event) {
                    let seconds = event.time.since(self.begun) / 1000;
                    let text = printable(&text).into_owned();
                    self.printer.note(&format!(
                        "[{:02}:{:02}] {}: {text}",
                        seconds / 60,
                        seconds % 60,
                        printable(guest)
                    ));
                }
            }
        }
    }

    /// A guest's move has ended: what is said of it comes above the lines of those that run.
    pub(crate) fn ended<T>(&self, guest: &str, say: impl FnOnce() -> T) -> T {
        if let Shown::Bars { total, of, .. } = &self.shown {
            if let Some(bar) = lock(of).remove(guest) {
                bar.finish_and_clear();
            }
            total.inc(1);
        }
        self.aside(say)
    }

    /// Says something between the lines that move.
    pub(crate) fn aside<T>(&self, say: impl FnOnce() -> T) -> T {
        match &self.shown {
            Shown::Bars { all, .. } => all.suspend(say),
            Shown::Lines(_) | Shown::Json | Shown::Nothing => say(),
        }
    }

    /// Says something worth knowing.
    pub(crate) fn note(&self, text: &str) {
        self.aside(|| self.printer.note(text));
    }

    /// Takes the lines that move away.
    pub(crate) fn finish(&self) {
        if let Shown::Bars { total, .. } = &self.shown {
            total.finish_and_clear();
        }
    }
}
