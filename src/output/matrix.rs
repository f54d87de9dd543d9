//! The matrix for people: who can go nowhere first, then guests by hosts, then what the marks of its cells stand for.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::html::{Cell, Mark, Page};
use super::text::{folded, printable};
use super::width::width;
use super::{Printer, StdoutError};
use crate::model::format::Format;
use crate::preflight::Compatibility;
use crate::preflight::matrix::{Answer, Column, Matrix, MatrixRow};

/// Columns of a name of a guest or host; a longer one is cut.
const NAME: usize = 20;

/// Guests and hosts that the summary names; the document has all.
const NAMED: usize = 5;

/// Hosts of which a page tells when their facts were read.
const LISTED: usize = 200;

/// Prints the matrix.
pub(crate) fn print(printer: &Printer, matrix: &Matrix) -> Result<(), StdoutError> {
    match printer.format {
        Format::Table => printer.result(&render(matrix, width())),
        Format::Html => printer.result(&page(matrix)),
        _ => printer.document(matrix),
    }
}

fn render(matrix: &Matrix, width: usize) -> String {
    let mut text = String::new();
    let (line, points) = summary(matrix);
    let _ = writeln!(text, "{}", folded("", &line, "  "));
    for point in points {
        let _ = writeln!(text, "{}", folded("  ", &point, "      "));
    }
    let marks = Marks::of(matrix);
    if !matrix.rows.is_empty() {
        table(&mut text, matrix, &marks, width);
        marks.legend(&mut text);
    }
    text
}

/// The same as a page of HTML.
fn page(matrix: &Matrix) -> String {
    let (line, points) = summary(matrix);
    let mut page = Page::new("Which guests can go where");
    page.paragraph(&line);
    page.list("In the way", points);
    let marks = Marks::of(matrix);
    let columns = columns(matrix, &marks);
    let hosts: Vec<String> = columns.iter().map(|column| named(&column.hosts)).collect();
    let heads: Vec<&str> = std::iter::once("Guest").chain(hosts.iter().map(String::as_str)).collect();
    let row = |(at, row): (usize, &MatrixRow)| {
        let name = guests(row);
        let cells = columns.iter().map(|column| (Cow::Borrowed(&*column.cells[at]), mark(&column.cells[at])));
        std::iter::once((name.into(), Mark::Plain)).chain(cells).collect()
    };
    let rows: Vec<Vec<Cell<'_>>> = matrix.rows.iter().enumerate().map(row).collect();
    page.heading("Guests and hosts");
    page.table(&heads, &rows);
    page.list("What the marks say", marks.meanings().map(|(mark, meaning)| format!("{mark}: {meaning}")));
    page.heading("Hosts");
    page.table(&["Host", "Guests", "Facts of"], &matrix.hosts.iter().take(LISTED).map(fact).collect::<Vec<_>>());
    let more = matrix.hosts.len().saturating_sub(LISTED);
    if more > 0 {
        page.paragraph(&format!("and {more} more: -o json has all"));
    }
    page.finish()
}

/// When the facts of a host were read, and how many guests are asked about.
fn fact(host: &Column) -> Vec<Cell<'_>> {
    let guests = host.guests.map_or("not known".into(), |count| count.to_string().into());
    let taken: Cow<'_, str> = if host.taken_at.is_empty() { "not known".into() } else { (&*host.taken_at).into() };
    vec![((&*host.host).into(), Mark::Plain), (guests, Mark::Plain), (taken, Mark::Plain)]
}

/// What the colour of a cell says, by its text.
fn mark(cell: &str) -> Mark {
    match cell.split(' ').next() {
        Some("ok") => Mark::Good,
        Some("no") => Mark::Bad,
        Some("?" | "unreachable") => Mark::Open,
        _ => Mark::Plain,
    }
}

/// How the guests of a row fare: whether one host takes them, or may.
fn best(row: &MatrixRow) -> Option<Compatibility> {
    row.answers.first().map(|answer| answer.verdict)
}

/// How many guests can leave their host, and what stands in the way of the others.
fn summary(matrix: &Matrix) -> (String, Vec<String>) {
    let mut points = Vec::new();
    let count = |is: &dyn Fn(Option<Compatibility>) -> bool| -> usize {
        matrix.rows.iter().filter(|row| is(best(row))).map(|row| row.guests.len()).sum()
    };
    let all = count(&|_| true);
    let can = count(&|best| best.is_some_and(|best| best < Compatibility::Unknown));
    let unknown = count(&|best| best == Some(Compatibility::Unknown));
    let reached = matrix.hosts.iter().filter(|host| host.unreachable.is_none()).count();
    let mut line = match matrix.hosts.len() - reached {
        0 => format!("{} on {}", counted(all, "guest"), counted(reached, "host")),
        dead => format!("{} on {}, {dead} more unreachable", counted(all, "guest"), counted(reached, "host")),
    };
    let _ = write!(line, ": {can} can leave their host");
    if unknown > 0 {
        let _ = write!(line, ", of {unknown} it is not known");
    }
    if all > can + unknown {
        let _ = write!(line, ", {} can go nowhere", all - can - unknown);
    }
    for row in matrix.rows.iter().filter(|row| best(row).is_none_or(|best| best >= Compatibility::Unknown)) {
        let word = match best(row) {
            Some(Compatibility::Unknown) => "not known",
            _ => "nowhere",
        };
        let why = row.answers.first().map_or("there is no other host that could be asked".to_owned(), reason);
        points.push(format!("{word}: {}: {why}", guests(row)));
    }
    let taking: BTreeSet<&str> = matrix.rows.iter().flat_map(open_to).collect();
    let is_idle = |host: &&Column| host.unreachable.is_none() && !taking.contains(&*host.host);
    let none: Vec<&str> = matrix.hosts.iter().filter(is_idle).map(|host| &*host.host).collect();
    if !none.is_empty() && all > 0 {
        points.push(format!("takes no guest: {}", named(&none)));
    }
    for host in &matrix.hosts {
        if let Some(why) = &host.unreachable {
            points.push(format!("unreachable: {}: {}", printable(&host.host), printable(why)));
        }
    }
    for host in &matrix.hosts {
        if let Some(why) = &host.unlisted {
            points.push(format!("not known: the guests of {}: {}", printable(&host.host), printable(why)));
        }
    }
    let others: usize = matrix.hosts.iter().map(|host| host.others).sum();
    if others > 0 {
        points.push(format!("{} without host devices not looked at: --instance NAME", counted(others, "guest")));
    }
    for short in &matrix.short {
        let (kind, host) = (printable(&short.kind), printable(&short.host));
        points.push(format!("short: {kind}: the guests of {host} hold {}, {} free elsewhere", short.held, short.free));
    }
    (line, points)
}

/// The hosts that take the guests of a row.
fn open_to(row: &MatrixRow) -> impl Iterator<Item = &str> {
    // A guest's own host is no destination, though its row may have an answer for it.
    let is_own = |host: &str| row.guests.iter().all(|guest| guest.host == host);
    let open = row.answers.iter().filter(|answer| answer.verdict < Compatibility::Unknown);
    open.flat_map(|answer| &answer.hosts).map(|place| &*place.host).filter(move |host| !is_own(host))
}

fn reason(answer: &Answer) -> String {
    match (&answer.code, &answer.why) {
        (Some(code), Some(why)) => format!("{code}: {}", printable(why)),
        _ => answer.verdict.as_str().to_owned(),
    }
}

fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

fn named(names: &[&str]) -> String {
    let shown: Vec<_> = names.iter().take(NAMED).map(|name| printable(name)).collect();
    let more = names.len().saturating_sub(NAMED);
    if more > 0 { format!("{} and {more} more", shown.join(", ")) } else { shown.join(", ") }
}

fn guests(row: &MatrixRow) -> String {
    let names: Vec<String> = row.guests.iter().map(|guest| format!("{} ({})", guest.guest, guest.host)).collect();
    named(&names.iter().map(String::as_str).collect::<Vec<_>>())
}

/// A letter for each reason.
struct Marks<'a> {
    /// In the order of their first use: code, and an answer that has it.
    list: Vec<(&'a str, &'a Answer)>,
}

impl<'a> Marks<'a> {
    fn of(matrix: &'a Matrix) -> Self {
        let mut list: Vec<(&str, &Answer)> = Vec::new();
        for answer in matrix.rows.iter().flat_map(|row| &row.answers) {
            if let Some(code) = &answer.code
                && list.iter().all(|(known, _)| known != code)
            {
                list.push((code, answer));
            }
        }
        Self { list }
    }

    /// The letter of a code: a to z, then aa and on.
    fn letter(&self, code: &str) -> String {
        let mut at = self.list.iter().position(|(known, _)| *known == code).unwrap_or(self.list.len());
        let mut letters = Vec::new();
        loop {
            letters.insert(0, b'a' + u8::try_from(at % 26).unwrap_or(0));
            if at < 26 {
                return letters.into_iter().map(char::from).collect();
            }
            at = at / 26 - 1;
        }
    }

    fn cell(&self, answer: &Answer, free: Option<usize>) -> String {
        let word = match answer.verdict {
            Compatibility::Compatible | Compatibility::Warnings => "ok",
            Compatibility::Unknown => "?",
            Compatibility::Incompatible => "no",
        };
        let is_open = answer.verdict < Compatibility::Unknown;
        match (is_open, free, &answer.code) {
            (true, Some(free), _) => format!("{word} {free}"),
            (false, _, Some(code)) => format!("{word} {}", self.letter(code)),
            _ => word.to_owned(),
        }
    }

    fn legend(&self, text: &mut String) {
        text.push('\n');
        for (mark, meaning) in self.meanings() {
            let _ = writeln!(text, "{}", folded(&format!("{mark:<6}"), &meaning, "      "));
        }
    }

    /// What the marks of cells stand for.
    fn meanings(&self) -> impl Iterator<Item = (String, String)> {
        let ok = ("ok N".to_owned(), "can go there; N of the host's free VFs would do for it".to_owned());
        let against = self.list.iter().filter(|(_, answer)| answer.verdict >= Compatibility::Unknown);
        let meaning = |(code, answer): &(&str, &Answer)| {
            (self.letter(code), format!("{code}: {}", printable(answer.why.as_deref().unwrap_or_default())))
        };
        std::iter::once(ok).chain(against.map(meaning))
    }
}

/// Guests by hosts, as many hosts beside each other as fit, the others below. Hosts with the same cells share a column.
fn table(text: &mut String, matrix: &Matrix, marks: &Marks<'_>, width: usize) {
    let names: Vec<String> = matrix.rows.iter().map(|row| cut(&row.guests[0].guest, row.guests.len())).collect();
    let columns = columns(matrix, marks);
    let first = names.iter().map(|name| name.chars().count()).max().unwrap_or(0).max("GUEST".len());
    let mut at = 0;
    while at < columns.len() {
        let mut used = first;
        let beside = columns[at..].iter().take_while(|column| {
            used += 2 + column.width;
            used <= width
        });
        let end = at + beside.count().max(1);
        let line = |first_cell: &str, cells: &mut dyn Iterator<Item = (&str, usize)>| {
            let mut line = format!("{first_cell:<first$}");
            for (cell, width) in cells {
                let _ = write!(line, "  {cell:<width$}");
            }
            line.trim_end().to_owned()
        };
        let shown = &columns[at..end];
        let _ = writeln!(text, "\n{}", line("GUEST", &mut shown.iter().map(|c| (&*c.name, c.width))));
        for (row, name) in names.iter().enumerate() {
            let _ = writeln!(text, "{}", line(name, &mut shown.iter().map(|c| (&*c.cells[row], c.width))));
        }
        at = end;
    }
}

/// Hosts with the same cells.
struct Beside<'a> {
    hosts: Vec<&'a str>,
    name: String,
    width: usize,
    cells: Vec<String>,
}

fn columns<'a>(matrix: &'a Matrix, marks: &Marks<'_>) -> Vec<Beside<'a>> {
    let place: BTreeMap<&str, usize> = matrix.hosts.iter().enumerate().map(|(at, host)| (&*host.host, at)).collect();
    let mut cells = vec![vec![String::new(); matrix.rows.len()]; matrix.hosts.len()];
    for (at, row) in matrix.rows.iter().enumerate() {
        for answer in &row.answers {
            for host in &answer.hosts {
                if let Some(column) = place.get(&*host.host) {
                    cells[*column][at] = marks.cell(answer, host.free);
                }
            }
        }
        for host in row.guests.iter().filter_map(|guest| place.get(&*guest.host)) {
            // Where all guests of the row are on one host.
            if row.guests.iter().all(|guest| guest.host == matrix.hosts[*host].host) {
                "-".clone_into(&mut cells[*host][at]);
            }
        }
    }
    let mut alike: Vec<(Vec<&'a Column>, Vec<String>)> = Vec::new();
    for (host, cells) in matrix.hosts.iter().zip(cells) {
        let cells = if host.unreachable.is_some() { vec!["unreachable".to_owned(); cells.len()] } else { cells };
        match alike.iter_mut().find(|(_, known)| *known == cells) {
            Some((hosts, _)) => hosts.push(host),
            None => alike.push((vec![host], cells)),
        }
    }
    let beside = |(hosts, cells): (Vec<&'a Column>, Vec<String>)| {
        let name = cut(&hosts[0].host, hosts.len());
        let widths = cells.iter().map(|cell| cell.chars().count()).chain([name.chars().count()]);
        let width = widths.max().unwrap_or(0);
        Beside { hosts: hosts.iter().map(|host| &*host.host).collect(), width, name, cells }
    };
    alike.into_iter().map(beside).collect()
}

/// A name of at most [`NAME`] columns, with how many more it stands for.
fn cut(name: &str, count: usize) -> String {
    let name = printable(name);
    let more = if count > 1 { format!(" +{}", count - 1) } else { String::new() };
    let room = NAME - more.len();
    if name.chars().count() <= room {
        return format!("{name}{more}");
    }
    let start: String = name.chars().take(room - 1).collect();
    format!("{start}…{more}")
}
