//! The plan of a drain for people: what leaves, where to and when, and why the others stay.

use std::borrow::Cow;
use std::fmt::Write as _;

use serde::Serialize;

use super::preflight::Unreachable;
use super::table::{Column, table};
use super::text::{folded, printable};
use super::width::width;
use super::{Printer, StdoutError};
use crate::drain::Drain;
use crate::drain::document::Leaving;
use crate::model::finding::Finding;
use crate::model::format::Format;
use crate::model::time::Timestamp;

/// Guests that a line names.
const NAMED: usize = 5;

/// The plan, the destinations that could not be asked, and what became of the guests when it was carried out.
#[derive(Serialize)]
struct Document<'a> {
    #[serde(flatten)]
    plan: &'a Drain,
    unreachable: &'a [Unreachable],
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    result: Option<&'a Ended<'a>>,
}

/// What a drain came to.
#[derive(Debug, Serialize)]
pub(crate) struct Ended<'a> {
    /// Its id.
    pub id: &'a str,
    /// The exit code.
    pub exit_code: u8,
    /// One sentence.
    pub summary: &'a str,
    /// What became of each guest.
    pub outcomes: &'a [Came],
}

/// What became of one guest.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Came {
    /// Its name.
    pub guest: String,
    /// Its UUID.
    pub uuid: String,
    /// Where it was to go; none: it was to stay.
    pub destination: Option<String>,
    /// The id of its last migration; none: none was begun.
    pub migration: Option<String>,
    /// Whether it has left the host; none: that is not known.
    pub has_left: Option<bool>,
    /// The exit code of its last migration.
    pub exit_code: u8,
    /// One sentence.
    pub summary: String,
}

/// Shows the plan that is going to be carried out.
pub(crate) fn announce(printer: &Printer, plan: &Drain, unreachable: &[Unreachable], now: Timestamp) {
    printer.note(render(plan, unreachable, Some(now)).trim_end());
}

/// Prints the plan with what it came to.
pub(crate) fn result(
    printer: &Printer,
    plan: &Drain,
    unreachable: &[Unreachable],
    result: &Ended<'_>,
) -> Result<(), StdoutError> {
    match printer.format {
        Format::Table => printer.result(&format!("{}\n", folded("", &format!("{}.", result.summary), "  "))),
        Format::Ndjson => {
            let line = serde_json::to_string(result).unwrap_or_default();
            printer.result(&format!("{line}\n"))
        }
        _ => printer.document(&Document { plan, unreachable, result: Some(result) }),
    }
}

/// Prints the plan.
pub(crate) fn print(printer: &Printer, plan: &Drain, unreachable: &[Unreachable]) -> Result<(), StdoutError> {
    match printer.format {
        Format::Table => printer.result(&render(plan, unreachable, None)),
        _ => printer.document(&Document { plan, unreachable, result: None }),
    }
}

/// The page; `now` where it can begin at once.
fn render(plan: &Drain, unreachable: &[Unreachable], now: Option<Timestamp>) -> String {
    let mut text = String::new();
    let host = printable(&plan.host);
    let all = plan.moves.len() + plan.stays.len();
    #[expect(clippy::cast_possible_truncation, reason = "an hour for people")]
    let hour = |now: Timestamp| format!(", at {} when begun now", now.plus((plan.seconds * 1000.0) as i64).hour(now));
    let after = format!("{}{}", lasting(plan.seconds), now.map(hour).unwrap_or_default());
    let line = match (plan.stays.len(), plan.moves.len()) {
        (0, 0) => format!("{host} has no running guest to move"),
        (0, _) => format!("{host} can be emptied of {} in about {after}", guests(all)),
        (1, 0) => format!("{host} cannot be emptied: its guest cannot leave"),
        (_, 0) => format!("{host} cannot be emptied: none of {} can leave", guests(all)),
        (stay, leave) => {
            format!("{host} cannot be emptied: {leave} of {} can leave, in about {after}; staying: {stay}", guests(all))
        }
    };
    let _ = writeln!(text, "{}", folded("", &line, "  "));
    if !plan.moves.is_empty() {
        let rows: Vec<_> = plan.moves.iter().map(cells).collect();
        let table = table(&COLUMNS, &rows, width());
        let mut lines = table.lines();
        let _ = writeln!(text, "\n{}", lines.next().unwrap_or_default());
        for (line, leaving) in lines.zip(&plan.moves) {
            let _ = writeln!(text, "{line}");
            below(&mut text, leaving);
        }
        unknown(&mut text, &plan.moves);
    }
    for stay in &plan.stays {
        let _ = writeln!(text, "\n{} stays", printable(&stay.guest));
        // A policy keeps it from every host.
        let nearest = if stay.nearest.is_empty() { String::new() } else { format!("{}: ", printable(&stay.nearest)) };
        let code = stay.code.as_ref().map_or(String::new(), |code| format!("{code}: "));
        let _ = writeln!(text, "{}", folded("  ", &format!("{nearest}{code}{}", printable(&stay.why)), "      "));
        // A command stays in one line, to be pasted.
        for remedy in stay.remedy.iter().flat_map(|remedy| remedy.lines()) {
            let _ = writeln!(text, "      {}", printable(remedy));
        }
    }
    for host in unreachable {
        let line = format!("{}: unreachable: {}", printable(&host.host), printable(&host.why));
        let _ = writeln!(text, "\n{}", folded("", &line, "      "));
    }
    if !plan.is_proved {
        text.push_str("\nThe search ended at its limit: another plan may move more guests.\n");
    }
    if !plan.moves.is_empty() {
        let rests = format!(
            "Times are for {}, without memory that is written again meanwhile; they could be 3x longer.",
            plan.source
        );
        let _ = writeln!(text, "\n{}", folded("", &rests, ""));
    }
    text
}

const COLUMNS: [Column; 5] = [
    Column::left("GUEST"),
    Column::left("TO"),
    Column::right("START"),
    Column::right("DURATION"),
    Column::left("DOWNTIME"),
];

fn cells(leaving: &Leaving) -> [Cow<'_, str>; 5] {
    let downtime = leaving.downtime_ms.map_or("unknown".to_owned(), |ms| format!("{ms} ms"));
    let start = format!("+{}", time(leaving.start));
    [
        (&*leaving.guest).into(),
        (&*leaving.destination).into(),
        start.into(),
        lasting(leaving.seconds).into(),
        downtime.into(),
    ]
}

/// What the line of a guest has no room for.
fn below(text: &mut String, leaving: &Leaving) {
    for moved in &leaving.map {
        let _ = writeln!(text, "  {} -> {}", moved.source, moved.destination);
    }
    for kept in &leaving.policies {
        let line = format!("{}: {}, by {}", kept.policy, printable(&kept.value), printable(&kept.by));
        let _ = writeln!(text, "{}", folded("  policy ", &line, "      "));
    }
}

/// What is not known of the moves, each once with the guests that it concerns.
fn unknown(text: &mut String, moves: &[Leaving]) {
    let mut rows: Vec<(&Finding, Vec<&str>)> = Vec::new();
    for (leaving, row) in moves.iter().flat_map(|leaving| leaving.unknown.iter().map(move |row| (leaving, row))) {
        let finding = &row.finding;
        match rows.iter_mut().find(|(known, _)| (&known.code, &known.message) == (&finding.code, &finding.message)) {
            Some((_, guests)) => guests.push(&leaving.guest),
            None => rows.push((finding, vec![&leaving.guest])),
        }
    }
    if !rows.is_empty() {
        text.push_str("\nNot known, and checked by libvirt or QEMU before a guest is paused:\n");
    }
    for (finding, mut of) in rows {
        of.dedup();
        let whose = if of.len() == moves.len() && of.len() > 1 {
            "all".to_owned()
        } else {
            let names: Vec<_> = of.iter().take(NAMED).map(|guest| printable(guest)).collect();
            let more = of.len().saturating_sub(NAMED);
            if more > 0 { format!("{} and {more} more", names.join(", ")) } else { names.join(", ") }
        };
        let line = format!("{}: {} ({whose})", finding.code, printable(&finding.message));
        let _ = writeln!(text, "{}", folded("  ", &line, "      "));
    }
}

/// So many guests.
pub(crate) fn guests(count: usize) -> String {
    if count == 1 { "1 guest".to_owned() } else { format!("{count} guests") }
}

/// A time for people, of something that is never done at once.
fn lasting(seconds: f64) -> String {
    if seconds < 0.5 { "<1s".to_owned() } else { time(seconds) }
}

/// A time for people.
pub(crate) fn time(seconds: f64) -> String {
    if seconds > 0.0 && seconds < 0.5 {
        "<1s".to_owned()
    } else if seconds >= 600.0 {
        format!("{:.0}m", seconds / 60.0)
    } else {
        format!("{seconds:.0}s")
    }
}
