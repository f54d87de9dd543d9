//! Past migrations as a table.

use std::borrow::Cow;

use super::table::{self, Column};
use super::width::width;

/// What a line says, column by column.
pub(crate) type Line<'a> = [Cow<'a, str>; 5];

const COLUMNS: [Column; 5] = [
    Column::left("MIGRATION"),
    Column::left("GUEST"),
    Column::left("FROM -> TO"),
    Column::left("RESULT"),
    Column::left("DOWNTIME"),
];

/// The table of these migrations; empty when there are none.
pub(crate) fn table(lines: &[Line<'_>]) -> String {
    if lines.is_empty() { String::new() } else { table::table(&COLUMNS, lines, width()) }
}

/// What a line says of a drain, column by column.
pub(crate) type DrainLine<'a> = [Cow<'a, str>; 5];

const DRAIN_COLUMNS: [Column; 5] = [
    Column::left("DRAIN"),
    Column::left("HOST"),
    Column::right("MOVED"),
    Column::right("STAYED"),
    Column::left("TOOK"),
];

/// The table of these drains; empty when there are none.
pub(crate) fn drains(lines: &[DrainLine<'_>]) -> String {
    if lines.is_empty() { String::new() } else { table::table(&DRAIN_COLUMNS, lines, width()) }
}

/// A time in milliseconds or seconds.
pub(crate) fn time(ms: u64) -> String {
    if ms < 1000 { format!("{ms} ms") } else { format!("{}.{} s", ms / 1000, ms % 1000 / 100) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_short() {
        assert_eq!((time(0), time(999), time(61_250)), ("0 ms".into(), "999 ms".into(), "61.2 s".into()));
    }
}
