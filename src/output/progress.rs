//! The progress of a migration: a bar on a terminal, a line every few seconds elsewhere, one JSON object per line for
//! machines.

use std::io::{self, IsTerminal as _};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;

use super::text::{fitted, printable};
use super::width;
use super::{Printer, StdoutError};
use crate::migration::event::{Event, Phase, Progress, What};
use crate::model::format::Format;
use crate::model::time::Timestamp;

/// Between two lines of progress where there is no terminal.
pub(super) const LINE_EVERY_MS: i64 = 3000;

/// A daemon that says nothing for so long is told of.
const SILENT_MS: u64 = 3000;

/// Shows events as they come.
#[derive(Debug)]
pub(crate) struct Reporter {
    printer: Printer,
    shown: Shown,
    begun: Option<Timestamp>,
}

#[derive(Debug)]
enum Shown {
    Bar(ProgressBar),
    Lines { last: Option<Timestamp> },
    Json,
    Nothing,
}

impl Reporter {
    /// One for where stdout and stderr go.
    pub(crate) fn new(printer: &Printer) -> Self {
        let shown = if printer.format == Format::Ndjson {
            Shown::Json
        } else if printer.quiet {
            Shown::Nothing
        } else if io::stderr().is_terminal() && !is_dumb() {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            // The clock runs on while the daemon is silent, as it is during switchover.
            bar.enable_steady_tick(Duration::from_millis(200));
            bar.set_style(style("{spinner} {elapsed_precise} {msg}"));
            Shown::Bar(bar)
        } else {
            Shown::Lines { last: None }
        };
        Self { printer: printer.clone(), shown, begun: None }
    }

    /// Shows one event. A reader that has gone away is not an error.
    pub(crate) fn show(&mut self, event: &Event) -> Result<(), StdoutError> {
        let begun = *self.begun.get_or_insert(event.time);
        match &mut self.shown {
            Shown::Nothing => {}
            Shown::Json => {
                return self.printer.document(&Told::new(event));
            }
            Shown::Bar(bar) => show_bar(bar, event, ""),
            Shown::Lines { last } => {
                if let What::Progress(_) = event.what {
                    // Switchover and short migrations need no numbers.
                    if event.time.since(last.unwrap_or(begun)) < LINE_EVERY_MS {
                        return Ok(());
                    }
                    *last = Some(event.time);
                }
                if let Some(text) = line(event) {
                    let seconds = event.time.since(begun) / 1000;
                    self.printer.note(&format!("[{:02}:{:02}] {}", seconds / 60, seconds % 60, printable(&text)));
                }
            }
        }
        Ok(())
    }

    /// Takes the bar away, before anything else is printed.
    pub(crate) fn finish(&mut self) {
        if let Shown::Bar(bar) = &self.shown {
            bar.finish_and_clear();
        }
    }
}

/// `pvm.event/1`: a line of a stream of events.
#[derive(Debug, Serialize)]
pub(super) struct Told<T> {
    schema: &'static str,
    #[serde(flatten)]
    what: T,
}

impl<T> Told<T> {
    /// This, as a line of the stream.
    pub(super) fn new(what: T) -> Self {
        Self { schema: "pvm.event/1", what }
    }
}

/// Whether the terminal says that it cannot move its cursor: a bar would be printed again and again.
#[expect(clippy::disallowed_methods, reason = "the terminal's own word is in the environment")]
pub(super) fn is_dumb() -> bool {
    std::env::var_os("TERM").is_none_or(|term| term == "dumb" || term.is_empty())
}

pub(super) fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("the template is a constant")
}

/// Shows one event in a line that moves, which begins with this part of a template.
pub(super) fn show_bar(bar: &ProgressBar, event: &Event, head: &str) {
    match &event.what {
        What::Progress(progress) if progress.memory_total > 0 && event.phase == Phase::Perform => {
            bar.set_style(style(&format!(
                "{head}{{spinner}} {{elapsed_precise}} {{wide_bar}} {{percent:>3}}% {{msg}}"
            )));
            bar.set_length(progress.memory_total);
            bar.set_position(progress.memory_total.saturating_sub(progress.memory_remaining));
            bar.set_message(numbers(progress));
        }
        What::Progress(progress) if progress.silent_ms >= SILENT_MS => {
            bar.set_message(format!("no answer from libvirt for {} s", progress.silent_ms / 1000));
        }
        What::Progress(_) => {}
        What::Result(_) => bar.finish_and_clear(),
        What::Begun | What::Switched | What::Stopping { .. } | What::Note { .. } | What::Undoing { .. } => {
            if let Some(text) = line(event) {
                let text = printable(&text).into_owned();
                let about = bar.prefix();
                if matches!(event.what, What::Begun) {
                    bar.set_message(text);
                } else {
                    let text = if about.is_empty() { text } else { format!("{about}: {text}") };
                    bar.println(width::of_terminal(&io::stderr()).map_or(text.clone(), |width| fitted(&text, width)));
                }
            }
        }
    }
}

/// One event in words.
pub(super) fn line(event: &Event) -> Option<String> {
    Some(match &event.what {
        What::Begun => match event.phase {
            Phase::Claim => "claiming devices on the destination".into(),
            Phase::Recheck => "checking again".into(),
            Phase::Detach => "unplugging ports".into(),
            Phase::Perform => "migrating".into(),
            Phase::Verify => "verifying on both hosts".into(),
            Phase::Attach => "plugging ports in".into(),
            Phase::Cleanup => "cleaning up".into(),
            Phase::Undo => "undoing".into(),
            Phase::Plan | Phase::Done => return None,
        },
        What::Progress(progress) if progress.memory_total > 0 => numbers(progress),
        What::Progress(progress) if progress.silent_ms >= SILENT_MS => {
            format!("no answer from libvirt for {} s", progress.silent_ms / 1000)
        }
        What::Progress(_) => "waiting for the daemon".into(),
        What::Switched => "switchover: guest paused on the source".into(),
        What::Stopping { why, by_signal } => {
            let what = if event.phase == Phase::Perform {
                "aborting the migration, then undoing"
            } else {
                "stopping before libvirt migrates, then undoing"
            };
            let again = if *by_signal {
                format!("; again: leave, and pvm recover {} finishes it", event.id)
            } else {
                String::new()
            };
            format!("{why}: {what}{again}")
        }
        What::Note { message } => message.clone(),
        What::Undoing { step } => format!("undoing: {step}"),
        What::Result(_) => return None,
    })
}

fn numbers(progress: &Progress) -> String {
    let mut text = format!("memory {} left", bytes(progress.memory_remaining));
    if progress.disk_remaining > 0 {
        text = format!("{text}, disks {} left", bytes(progress.disk_remaining));
    }
    match progress.device_remaining {
        Some(left) => text = format!("{text}, device state {} left", bytes(left)),
        None if progress.device_bytes > 0 => {
            text = format!("{text}, device state {} sent", bytes(progress.device_bytes));
        }
        None => {}
    }
    if progress.iteration > 1 {
        text = format!("{text}, pass {}", progress.iteration);
    }
    if progress.rate > 0 {
        let left = [progress.memory_remaining, progress.disk_remaining, progress.device_remaining.unwrap_or(0)];
        let left = left.into_iter().fold(0, u64::saturating_add);
        // What is left of the device state only QEMU 11.1 tells.
        let beside =
            if progress.device_bytes > 0 && progress.device_remaining.is_none() { " and the device state" } else { "" };
        text = format!("{text}, {}/s, about {} s{beside}", bytes(progress.rate), left.div_ceil(progress.rate));
    }
    text
}

/// A number of bytes for people: three digits at most, and a unit.
pub(crate) fn bytes(count: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if count < 1024 {
        return format!("{count} B");
    }
    // In units of 1/1024 of the next smaller unit, so that whole numbers suffice.
    let mut scaled = count;
    let mut unit = 0;
    while scaled >= 1024 * 1024 && unit + 1 < UNITS.len() {
        scaled /= 1024;
        unit += 1;
    }
    let (whole, tenth) = (scaled / 1024, scaled % 1024 * 10 / 1024);
    if whole < 10 { format!("{whole}.{tenth} {}", UNITS[unit]) } else { format!("{whole} {}", UNITS[unit]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_short() {
        assert_eq!(bytes(0), "0 B");
        assert_eq!(bytes(1024), "1.0 KiB");
        assert_eq!(bytes(1_572_864), "1.5 MiB");
        assert_eq!(bytes(100 << 20), "100 MiB");
        assert_eq!(bytes(5 << 40), "5.0 TiB");
        assert_eq!(bytes(u64::MAX), "15 EiB");
    }

    #[test]
    fn an_abort_says_what_a_second_signal_does() {
        let stopping = |by_signal| Event {
            time: Timestamp(0),
            id: "m-1".into(),
            phase: Phase::Perform,
            what: What::Stopping { why: "interrupted".into(), by_signal },
        };
        let words = "interrupted: aborting the migration, then undoing; again: leave, and pvm recover m-1 finishes it";
        assert_eq!(line(&stopping(true)).as_deref(), Some(words));
        assert!(!line(&stopping(false)).unwrap().contains("again"));
    }

    #[test]
    fn device_state_is_a_counter_apart_from_memory() {
        let progress = Progress {
            memory_total: 1 << 30,
            memory_remaining: 512 << 20,
            device_bytes: 262_336,
            rate: 128 << 20,
            iteration: 2,
            ..Progress::default()
        };
        assert_eq!(
            numbers(&progress),
            "memory 512 MiB left, device state 256 KiB sent, pass 2, 128 MiB/s, about 4 s and the device state"
        );
        let progress = Progress { device_remaining: Some(128 << 20), ..progress };
        assert_eq!(numbers(&progress), "memory 512 MiB left, device state 128 MiB left, pass 2, 128 MiB/s, about 5 s");
    }
}
