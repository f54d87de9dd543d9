//! The plan of a drain for people: what leaves, where to and when, and why the others stay.

use std::borrow::Cow;
use std::fmt::Write as _;

use serde::Serialize;

use super::html::{Cell, Mark, Page};
use super::preflight::Unreachable;
use super::progress::Told;
use super::table::{Column, table};
use super::text::{folded, printable};
use super::width::width;
use super::{Printer, StdoutError};
use crate::drain::Drain;
use crate::drain::document::{Leaving, Stay};
use crate::model::finding::Finding;
use crate::model::format::Format;
use crate::model::time::Timestamp;

const UNPROVED: &str = "The search ended at its limit: another plan may move more guests.";

const NOT_KNOWN: &str = "Not known, and checked by libvirt or QEMU before a guest is paused";

/// Destinations of a page, as long as not all of them get guests.
const LISTED: usize = 50;

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

/// What became of something, as an event.
#[derive(Debug, Serialize)]
struct Named<'a, T> {
    event: &'static str,
    #[serde(flatten)]
    what: &'a T,
}

/// Prints what became of one guest as an event.
pub(crate) fn moved(printer: &Printer, came: &Came) -> Result<(), StdoutError> {
    printer.document(&Told::new(Named { event: "moved", what: came }))
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
        Format::Ndjson => printer.document(&Told::new(Named { event: "drained", what: result })),
        _ => printer.document(&Document { plan, unreachable, result: Some(result) }),
    }
}

/// Prints the plan.
pub(crate) fn print(printer: &Printer, plan: &Drain, unreachable: &[Unreachable]) -> Result<(), StdoutError> {
    match printer.format {
        Format::Table => printer.result(&render(plan, unreachable, None)),
        Format::Html => printer.result(&page(plan, unreachable)),
        _ => printer.document(&Document { plan, unreachable, result: None }),
    }
}

/// Whether the host can be emptied, and by when.
fn headline(plan: &Drain, now: Option<Timestamp>) -> String {
    let host = printable(&plan.host);
    let all = plan.moves.len() + plan.stays.len();
    #[expect(clippy::cast_possible_truncation, reason = "an hour for people")]
    let hour = |now: Timestamp| format!(", at {} when begun now", now.plus((plan.seconds * 1000.0) as i64).hour(now));
    let about = if plan.seconds < 0.5 { "in under 1s".to_owned() } else { format!("in about {}", time(plan.seconds)) };
    let after = format!("{about}{}", now.map(hour).unwrap_or_default());
    match (plan.stays.len(), plan.moves.len()) {
        (0, 0) => format!("{host} has no running guest to move"),
        (stay, _) if stay > 0 && plan.stays.iter().all(|stay| stay.is_unknown) => {
            format!("Whether {host} can be emptied is not known: {stay} of {} may have to stay", guests(all))
        }
        (0, _) => format!("{host} can be emptied of {} {after}", guests(all)),
        (1, 0) => format!("{host} cannot be emptied: its guest cannot leave"),
        (_, 0) => format!("{host} cannot be emptied: none of {} can leave", guests(all)),
        (stay, leave) => {
            format!("{host} cannot be emptied: {leave} of {} can leave, {after}; staying: {stay}", guests(all))
        }
    }
}

/// The page of HTML.
fn page(plan: &Drain, unreachable: &[Unreachable]) -> String {
    let mut page = Page::new(&format!("Drain of {}", plan.host));
    page.paragraph(&format!("{}.", headline(plan, None)));
    if !plan.moves.is_empty() {
        page.heading("Guests that leave");
        let devices = |leaving: &Leaving| {
            let moved = leaving.map.iter().map(|moved| format!("{} -> {}", moved.source, moved.destination));
            moved.collect::<Vec<_>>().join(", ")
        };
        let row = |leaving: &'_ Leaving| -> Vec<Cell<'static>> {
            let cells = cells(leaving).map(|cell| (Cow::Owned(cell.into_owned()), Mark::Plain));
            cells.into_iter().chain([(devices(leaving).into(), Mark::Plain)]).collect()
        };
        let heads = ["Guest", "To", "Start", "Duration", "Downtime", "Devices"];
        page.table(&heads, &plan.moves.iter().map(row).collect::<Vec<_>>());
        page.paragraph(&rests(plan));
    }
    let policies = plan.moves.iter().flat_map(|leaving| {
        leaving
            .policies
            .iter()
            .map(|kept| format!("{}: {}: {}, by {}", leaving.guest, kept.policy, kept.value, kept.by))
    });
    page.list("Policies that are kept to", policies);
    page.list(NOT_KNOWN, not_known(&plan.moves));
    if !plan.stays.is_empty() {
        page.heading("Guests that stay");
        let row = |stay: &Stay| -> Vec<Cell<'static>> {
            let mark = if stay.is_unknown { Mark::Open } else { Mark::Bad };
            let code = stay.code.as_ref().map_or(String::new(), |code| format!("{code}: "));
            let near = if stay.nearest.is_empty() { "any host".to_owned() } else { stay.nearest.clone() };
            let helps = stay.remedy.clone().unwrap_or_default();
            vec![
                (stay.guest.clone().into(), Mark::Plain),
                (near.into(), Mark::Plain),
                (format!("{code}{}", stay.why).into(), mark),
                (helps.into(), Mark::Plain),
            ]
        };
        let rows: Vec<_> = plan.stays.iter().map(row).collect();
        page.table(&["Guest", "Nearest host", "Why it stays", "What would let it go"], &rows);
    }
    page.list("Unreachable", unreachable.iter().map(|host| format!("{}: {}", host.host, host.why)));
    if !plan.is_proved {
        page.paragraph(UNPROVED);
    }
    page.heading("Hosts");
    let taken = |at: &str| if at.is_empty() { "not known".to_owned() } else { at.to_owned() };
    let row = |host: &str, guests: String, at: &str| -> Vec<Cell<'static>> {
        [host.to_owned(), guests, taken(at)].into_iter().map(|text| (text.into(), Mark::Plain)).collect()
    };
    let getting = plan.destinations.iter().filter(|host| host.guests > 0 || plan.destinations.len() <= LISTED);
    let to = getting.map(|host| row(&host.host, format!("gets {}", host.guests), &host.taken_at));
    let from = row(&plan.host, "is emptied".to_owned(), &plan.taken_at);
    page.table(&["Host", "Guests", "Facts of"], &std::iter::once(from).chain(to).collect::<Vec<_>>());
    page.finish()
}

/// What the times of a plan rest on.
fn rests(plan: &Drain) -> String {
    let known = "A downtime between two times is so for 9 of 10 migrations of guests like it on record.";
    let known = if plan.moves.iter().any(|leaving| leaving.pause.is_some()) { known } else { "" };
    let rests = format!(
        "Times are for {}, without memory that is written again meanwhile; they could be 3x longer. {known}",
        plan.source
    );
    rests.trim_end().to_owned()
}

/// The page; `now` where it can begin at once.
fn render(plan: &Drain, unreachable: &[Unreachable], now: Option<Timestamp>) -> String {
    let mut text = String::new();
    let line = headline(plan, now);
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
        let unknown = not_known(&plan.moves);
        if !unknown.is_empty() {
            let head = format!("{NOT_KNOWN}: --yes covers it, --dry-run ends with 3:");
            let _ = writeln!(text, "\n{}", folded("", &head, ""));
        }
        for line in unknown {
            let _ = writeln!(text, "{}", folded("  ", &line, "      "));
        }
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
        let _ = writeln!(text, "\n{UNPROVED}");
    }
    if !plan.moves.is_empty() {
        let _ = writeln!(text, "\n{}", folded("", &rests(plan), ""));
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
    let downtime = match (leaving.pause, leaving.downtime_ms) {
        (Some(pause), _) => format!("{} to {} ms", pause.from_ms, pause.to_ms),
        (None, Some(ms)) => format!("{ms} ms"),
        (None, None) => "unknown".to_owned(),
    };
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
fn not_known(moves: &[Leaving]) -> Vec<String> {
    let mut rows: Vec<(&Finding, Vec<&str>)> = Vec::new();
    for (leaving, row) in moves.iter().flat_map(|leaving| leaving.unknown.iter().map(move |row| (leaving, row))) {
        let finding = &row.finding;
        match rows.iter_mut().find(|(known, _)| (&known.code, &known.message) == (&finding.code, &finding.message)) {
            Some((_, guests)) => guests.push(&leaving.guest),
            None => rows.push((finding, vec![&leaving.guest])),
        }
    }
    let line = |(finding, mut of): (&Finding, Vec<&str>)| {
        of.dedup();
        let whose = if of.len() == moves.len() && of.len() > 1 {
            "all".to_owned()
        } else {
            let names: Vec<_> = of.iter().take(NAMED).map(|guest| printable(guest)).collect();
            let more = of.len().saturating_sub(NAMED);
            if more > 0 { format!("{} and {more} more", names.join(", ")) } else { names.join(", ") }
        };
        format!("{}: {} ({whose})", finding.code, printable(&finding.message))
    };
    rows.into_iter().map(line).collect()
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
