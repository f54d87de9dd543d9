//! The report of `pvm preflight` for people: verdict, map, then only what needs attention.

use std::fmt::Write as _;

use serde::Serialize;

use super::table::{Column, table};
use super::text::{folded, printable};
use super::width::width;
use super::{Printer, StdoutError};
use crate::model::device_move::{Action, DeviceMove};
use crate::model::format::Format;
use crate::model::snapshot::Unknown;
use crate::preflight::report::{Estimate, first_reason};
use crate::preflight::{CheckResult, Compatibility, InstanceReport, Report, Row};

/// Several destinations in one document.
#[derive(Serialize)]
struct Reports<'a> {
    schema: &'static str,
    destinations: &'a [Report],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    unreachable: &'a [Unreachable],
}

/// A destination that could not be asked.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Unreachable {
    /// The host.
    pub host: String,
    /// Why.
    pub why: String,
}

/// Prints the reports, best destination first.
pub(crate) fn print(printer: &Printer, reports: &[Report]) -> Result<(), StdoutError> {
    print_all(printer, reports, &[], false)
}

/// The same, with destinations that could not be asked. Of several destinations `details` or `-v` shows every check, else each has
/// its verdict and the first reason.
pub(crate) fn print_all(
    printer: &Printer,
    reports: &[Report],
    unreachable: &[Unreachable],
    details: bool,
) -> Result<(), StdoutError> {
    match (printer.format, reports) {
        (Format::Table, _) => {
            let mut text = String::new();
            let are_several = reports.len() + unreachable.len() > 1;
            let details = details || printer.verbose > 0;
            if are_several {
                summary(&mut text, reports, unreachable, details);
            }
            for report in reports.iter().filter(|_| details || !are_several) {
                if !text.is_empty() {
                    text.push('\n');
                }
                let most = match (printer.quiet, details) {
                    (_, true) => Told::Everything,
                    (false, false) => Told::Briefly,
                    (true, false) => Told::OnlyWhatHinders,
                };
                render(&mut text, report, most);
            }
            printer.result(&text)
        }
        (_, [only]) if unreachable.is_empty() => printer.document(only),
        (_, all) => printer.document(&Reports { schema: "pvm.preflights/1", destinations: all, unreachable }),
    }
}

const COLUMNS: [Column; 3] = [Column::left("HOST"), Column::left("VERDICT"), Column::left("GUESTS")];

fn summary(text: &mut String, reports: &[Report], unreachable: &[Unreachable], details: bool) {
    text.push_str("Best first:\n");
    let guests = |report: &Report| {
        let can = report.instances.iter().filter(|i| i.verdict < Compatibility::Unknown).count();
        format!("{can} of {}", report.instances.len())
    };
    let rows: Vec<_> = reports
        .iter()
        .map(|report| [(&*report.destination).into(), report.verdict.as_str().into(), guests(report).into()])
        .chain(unreachable.iter().map(|host| [(&*host.host).into(), "unreachable".into(), "".into()]))
        .collect();
    let table = table(&COLUMNS, &rows, width() - 2);
    let mut lines = table.lines();
    let _ = writeln!(text, "  {}", lines.next().unwrap_or_default());
    for report in reports {
        let _ = writeln!(text, "  {}", lines.next().unwrap_or_default());
        let rows = report.checks.iter().chain(report.instances.iter().flat_map(|instance| &instance.checks));
        if let Some(reason) = first_reason(rows, report.verdict).filter(|_| !details) {
            check(text, reason, "    ");
        }
    }
    for host in unreachable {
        let _ = writeln!(text, "  {}", lines.next().unwrap_or_default());
        let _ = writeln!(text, "{}", folded("    ", &printable(&host.why), "    "));
    }
    if !details {
        text.push_str("-v shows every check and which device each guest would get.\n");
    }
}

/// How much of a report is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    /// Each check by itself.
    Everything,
    /// All that a host without its own pvm leaves unknown in one line.
    Briefly,
    /// That, the verdicts, and what stands in the way.
    OnlyWhatHinders,
}

/// What stays unknown however many facts there are, the hooks of a host that was asked for them first.
const UNKNOWN_TO_ALL: &[&str] = &["hooks", "nova-stored-request", "requests-known", "libvirt-connection"];

/// The codes that stand for themselves where what a host without its own pvm leaves unknown is one line; none: each row does.
fn open_codes(report: &Report, told: Told) -> Option<&'static [&'static str]> {
    if told == Told::Everything || report.by_libvirt.is_empty() {
        return None;
    }
    let hooks_asked = report.by_libvirt.iter().all(|host| *host.fact != *report.destination);
    Some(&UNKNOWN_TO_ALL[usize::from(!hooks_asked)..])
}

fn is_folded(row: &Row, open: Option<&[&str]>) -> bool {
    row.result == CheckResult::Unknown && open.is_some_and(|open| !open.contains(&row.finding.code.as_ref()))
}

/// The one line for all of them, and the one thing to do.
fn unknown_of(text: &mut String, report: &Report, open: Option<&[&str]>) {
    let all = || report.checks.iter().chain(report.instances.iter().flat_map(|instance| &instance.checks));
    let number = all().filter(|row| is_folded(row, open)).count();
    let (Some(first), true) = (report.by_libvirt.first(), number > 0) else { return };
    let names: Vec<_> = report.by_libvirt.iter().map(|host| printable(&host.fact)).collect();
    let checks = if number == 1 { "1 check wants".to_owned() } else { format!("{number} checks want") };
    let why = if first.why.is_empty() { "as pvm.yaml says" } else { &first.why };
    let line = format!("{checks} facts of {}, asked by libvirt only: {}", names.join(" and "), printable(why));
    let _ = writeln!(text, "{}", folded(&format!("  {} ", word(CheckResult::Unknown)), &line, "          "));
    for host in &report.by_libvirt {
        let name = &host.fact;
        let line =
            format!("install pvm on {name} and set facts: ssh for it in pvm.yaml; or: pvm preflight with --rehearse");
        let _ = writeln!(text, "      {}", printable(&line));
    }
    text.push_str("      -v lists the checks\n");
}

/// One pair of hosts.
fn render(text: &mut String, report: &Report, told: Told) {
    let brief = told == Told::OnlyWhatHinders;
    let open = open_codes(report, told);
    let _ = writeln!(
        text,
        "{} -> {}: {}",
        printable(&report.source),
        printable(&report.destination),
        paint(report.verdict)
    );
    if open.is_some() {
        unknown_of(text, report, open);
    }
    rows(text, &report.checks, brief, open);
    let unlisted = report.unknown.iter().find(|unknown| unknown.fact == "domains");
    if let Some(Unknown { why, .. }) = unlisted {
        let _ = writeln!(text, "  the guests of {} are not known: {}", printable(&report.source), printable(why));
    } else if report.instances.is_empty() {
        text.push_str("  no guest with a host device\n");
    }
    if report.others > 0 && !brief {
        let (number, guests) = (report.others, if report.others == 1 { "guest" } else { "guests" });
        let _ = writeln!(text, "  {number} {guests} without host devices not looked at: --instance NAME");
    }
    for instance in &report.instances {
        guest(text, instance, brief, open);
    }
    if !report.capacity.is_empty() && !brief {
        text.push_str("\nFree matching VFs:\n");
        for kind in &report.capacity {
            let mut line = printable(&kind.kind).into_owned();
            let ways = [
                (&report.destination, kind.to_destination, kind.source_used, &report.source),
                (&report.source, kind.to_source, kind.destination_used, &report.destination),
            ];
            for (at, (host, room, used, other)) in ways.into_iter().filter(|way| way.2 > 0).enumerate() {
                let (host, other) = (printable(host), printable(other));
                let mark = if at == 0 { ':' } else { ';' };
                let _ = write!(line, "{mark} {host} has room for {room} of the {used} in use on {other}");
            }
            let _ = writeln!(text, "{}", folded("  ", &line, "      "));
        }
    }
}

fn guest(text: &mut String, instance: &InstanceReport, brief: bool, open: Option<&[&str]>) {
    let _ =
        writeln!(text, "\n{} ({}): {}", printable(&instance.name), printable(&instance.uuid), paint(instance.verdict));
    if brief {
        return rows(text, &instance.checks, brief, open);
    }
    for entry in &instance.map {
        let _ = writeln!(text, "{}", folded("  ", &map_line(entry), "      "));
    }
    if !instance.nova.map.is_empty() && differs(instance) {
        let pairs: Vec<String> = instance.nova.map.iter().map(|(s, d)| format!("{s} -> {d}")).collect();
        let _ = writeln!(text, "{}", folded("  Nova would take ", &pairs.join(", "), "      "));
    }
    if let Some(estimate) = instance.estimate.as_ref().filter(|_| !instance.map.is_empty()) {
        let _ = writeln!(text, "{}", folded("  ", &expected(estimate), "      "));
    }
    rows(text, &instance.checks, brief, open);
}

/// What is expected of a migration. A downtime that nobody can tell is never a number.
fn expected(estimate: &Estimate) -> String {
    let Estimate { source, error, pause, .. } = estimate;
    let time = if estimate.seconds < 1.0 { "under 1 s".to_owned() } else { format!("{:.0} s", estimate.seconds) };
    if let Some(pause) = pause {
        return format!("Estimate: {time} ({source}; {error}), downtime: {}", pause.words());
    }
    if let Some(ms) = estimate.downtime_ms {
        return format!("Estimate: {time}, downtime {ms} ms ({source}; {error})");
    }
    let link = source.trim_end_matches(" assumed");
    format!("Estimate: {time}, downtime unknown (device state size not reported). Assumes {link}; {error}.")
}

/// Whether Nova's claim pairs a device with another one than pvm's map.
fn differs(instance: &InstanceReport) -> bool {
    instance.nova.map.iter().any(|(source, destination)| {
        instance.map.iter().any(|entry| entry.source == *source && entry.destination != *destination)
    })
}

fn map_line(entry: &DeviceMove) -> String {
    let mut line = format!("{} -> {}", entry.source, entry.destination);
    if let Some(address) = entry.guest_address {
        let address = address.to_string();
        let _ = write!(line, "  guest {}", address.strip_prefix("0000:").unwrap_or(&address));
    }
    line.push_str(match entry.action {
        Action::Migrate => "  migrate",
        Action::Reattach => "  detach and attach",
    });
    for (label, value) in [("", &entry.variant_driver), ("alias ", &entry.alias)] {
        if let Some(value) = value {
            let _ = write!(line, " {label}{}", printable(value));
        }
    }
    if let Some(managed) = entry.managed {
        line.push_str(if managed { " managed" } else { " unmanaged" });
    }
    line
}

/// What forbids comes first. A remedy that several rows in a row share is printed once, after the last of them.
fn rows(text: &mut String, rows: &[Row], brief: bool, open: Option<&[&str]>) {
    let told = |row: &&Row| !brief || matches!(row.result, CheckResult::Error | CheckResult::Unknown);
    let mut sorted: Vec<&Row> = rows.iter().filter(told).filter(|row| !is_folded(row, open)).collect();
    sorted.sort_by_key(|row| match row.result {
        CheckResult::Error => 0,
        CheckResult::Unknown => 1,
        CheckResult::Warning => 2,
        CheckResult::Info => 3,
        CheckResult::Ok => 4,
    });
    for (at, row) in sorted.iter().enumerate() {
        check(text, row, "  ");
        let same = sorted
            .get(at + 1)
            .is_some_and(|next| next.finding.remedy == row.finding.remedy && next.result == row.result);
        // A command stays in one line, to be pasted.
        for remedy in row.finding.remedy.iter().filter(|_| !same).flat_map(|remedy| remedy.lines()) {
            let _ = writeln!(text, "      {}", printable(remedy));
        }
    }
}

fn check(text: &mut String, row: &Row, indent: &str) {
    let mut line = row.finding.code.to_string();
    if let Some(device) = &row.finding.device {
        let _ = write!(line, " {}", printable(device));
    }
    if !row.finding.message.is_empty() {
        let _ = write!(line, ": {}", printable(&row.finding.message));
    } else if let (Some(source), Some(destination)) = (&row.source, &row.destination) {
        let facts = [source, destination].map(|fact| printable(fact));
        let _ = match [source.as_str(), destination.as_str()] {
            ["", _] => write!(line, ": {}", facts[1]),
            [a, b] if a == b || b.is_empty() => write!(line, ": {}", facts[0]),
            _ => write!(line, ": {} | {}", facts[0], facts[1]),
        };
    }
    let _ =
        writeln!(text, "{}", folded(&format!("{indent}{} ", word(row.result)), &line, &format!("{indent}        ")));
}

fn word(result: CheckResult) -> String {
    let (open, close) = match result {
        CheckResult::Error => ("\u{1b}[1;31m", "\u{1b}[0m"),
        CheckResult::Warning | CheckResult::Unknown => ("\u{1b}[33m", "\u{1b}[0m"),
        CheckResult::Ok | CheckResult::Info => ("", ""),
    };
    format!("{open}{:<7}{close}", result.as_str())
}

fn paint(verdict: Compatibility) -> String {
    let color = match verdict {
        Compatibility::Compatible => "32",
        Compatibility::Warnings | Compatibility::Unknown => "33",
        Compatibility::Incompatible => "1;31",
    };
    format!("\u{1b}[{color}m{}\u{1b}[0m", verdict.as_str())
}
