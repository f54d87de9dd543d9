//! The moves of a drain as they happen: a line for each that runs and a total on a terminal, plain lines elsewhere, one JSON
//! object per line for machines.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal as _};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget};
use serde::Serialize;

use super::Printer;
use super::progress::{LINE_EVERY_MS, Told, is_dumb, line, show_bar, style};
use super::text::printable;
use crate::migration::event::{Event, What};
use crate::model::format::Format;
use crate::model::time::Timestamp;

/// Shows all moves of one drain.
#[derive(Debug)]
pub(crate) struct Moves {
    printer: Printer,
    begun: Timestamp,
    expected: Mutex<Expected>,
    shown: Shown,
}

/// How long the moves are expected to take: by the plan, then by how long those so far took.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Expected {
    /// Seconds of all together.
    all: f64,
    /// For each guest its part of the work, and how much of that is done, from 0 to 1.
    of: BTreeMap<String, (f64, f64)>,
}

impl Expected {
    /// By a plan: seconds of all together and of each guest.
    pub(crate) fn new(all: f64, each: impl Iterator<Item = (String, f64)>) -> Self {
        Self { all, of: each.map(|(guest, seconds)| (guest, (seconds.max(0.1), 0.0))).collect() }
    }

    fn done(&mut self, guest: &str, part: f64) {
        if let Some((_, done)) = self.of.get_mut(guest) {
            *done = part.clamp(*done, 1.0);
        }
    }

    /// When the last move ends, about. The first moments say nothing yet.
    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "an hour for people")]
    fn end(&self, begun: Timestamp, now: Timestamp) -> Timestamp {
        let work: f64 = self.of.values().map(|(work, _)| work).sum();
        let done: f64 = self.of.values().map(|(work, part)| work * part).sum();
        let so_far = now.since(begun).max(0) as f64;
        let planned = (self.all * 1000.0).max(so_far);
        let all = if done * 10.0 >= work && done > 0.0 { so_far * work / done } else { planned };
        begun.plus(all as i64)
    }
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
    pub(crate) fn new(printer: &Printer, expected: Expected, begun: Timestamp) -> Self {
        let guests = expected.of.len();
        let shown = if printer.format == Format::Ndjson {
            Shown::Json
        } else if printer.quiet {
            Shown::Nothing
        } else if io::stderr().is_terminal() && !is_dumb() {
            let all = MultiProgress::with_draw_target(ProgressDrawTarget::stderr());
            let total = all.add(ProgressBar::new(u64::try_from(guests).unwrap_or(u64::MAX)));
            total.set_style(style("{elapsed_precise} {pos} of {len} guests done{msg}"));
            total.enable_steady_tick(Duration::from_secs(1));
            Shown::Bars { all, total, of: Mutex::default() }
        } else {
            Shown::Lines(Mutex::default())
        };
        let moves = Self { printer: printer.clone(), begun, expected: Mutex::new(expected), shown };
        moves.until(begun);
        moves
    }

    /// Shows when the last move ends.
    fn until(&self, now: Timestamp) {
        if let Shown::Bars { total, .. } = &self.shown {
            let end = lock(&self.expected).end(self.begun, now);
            total.set_message(format!(", the last one at about {}", end.hour(now)));
        }
    }

    /// Shows an event of a guest's migration.
    pub(crate) fn event(&self, guest: &str, event: &Event) {
        if let What::Progress(progress) = &event.what
            && progress.memory_total > 0
        {
            #[expect(clippy::cast_precision_loss, reason = "a part for people")]
            let left = progress.memory_remaining as f64 / progress.memory_total as f64;
            lock(&self.expected).done(guest, 1.0 - left);
            self.until(event.time);
        }
        match &self.shown {
            Shown::Nothing => {}
            Shown::Json => {
                // Events are plain data; a reader that cannot be written to stops no move.
                let _ = self.printer.document(&Told::new(Line { guest, event }));
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
    pub(crate) fn ended<T>(&self, guest: &str, now: Timestamp, say: impl FnOnce() -> T) -> T {
        lock(&self.expected).done(guest, 1.0);
        if let Shown::Bars { total, of, .. } = &self.shown {
            if let Some(bar) = lock(of).remove(guest) {
                bar.finish_and_clear();
            }
            total.inc(1);
        }
        self.until(now);
        let said = self.aside(say);
        if let Shown::Lines(_) = self.shown {
            let expected = lock(&self.expected);
            let done = expected.of.values().filter(|(_, part)| *part >= 1.0).count();
            let all = expected.of.len();
            if done < all {
                let end = expected.end(self.begun, now).hour(now);
                self.printer.note(&format!("{done} of {all} guests done, the last one at about {end}"));
            }
        }
        said
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hour_of_the_end_follows_what_was_done() {
        let begun = Timestamp(1_795_415_000_000);
        let each = [("one".to_owned(), 30.0), ("two".to_owned(), 30.0)];
        let mut expected = Expected::new(60.0, each.into_iter());
        let after = |seconds: i64| begun.plus(seconds * 1000);
        assert_eq!(expected.end(begun, after(1)), after(60), "the plan's, at first");
        expected.done("one", 0.5);
        assert_eq!(expected.end(begun, after(30)), after(120), "twice as slow");
        expected.done("one", 0.2);
        assert_eq!(expected.end(begun, after(30)), after(120), "memory that is written again undoes nothing");
        expected.done("one", 1.0);
        expected.done("two", 1.0);
        expected.done("three", 1.0);
        assert_eq!(expected.end(begun, after(90)), after(90));
        assert_eq!(Expected::default().end(begun, after(5)), after(5));
    }
}
