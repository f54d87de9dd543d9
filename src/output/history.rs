//! Past migrations as a table.

use std::fmt::Write as _;

use textwrap::core::display_width;

use super::text::printable;

/// What a line says, column by column.
pub(crate) type Line = [String; 5];

const HEAD: [&str; 5] = ["MIGRATION", "GUEST", "FROM -> TO", "RESULT", "DOWNTIME"];

/// The table of these migrations; empty when there are none.
pub(crate) fn table(lines: &[Line]) -> String {
    let mut text = String::new();
    if lines.is_empty() {
        return text;
    }
    let rows: Vec<Vec<String>> = std::iter::once(HEAD.map(str::to_owned).to_vec())
        .chain(lines.iter().map(|line| line.iter().map(|cell| printable(cell).into_owned()).collect()))
        .collect();
    let width = |column: usize| rows.iter().map(|row| display_width(&row[column])).max().unwrap_or(0);
    let widths: Vec<usize> = (0..HEAD.len()).map(width).collect();
    for row in &rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            let _ = write!(line, "{cell}{}", " ".repeat(width - display_width(cell) + 2));
        }
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}

/// A time in milliseconds or seconds.
pub(crate) fn time(ms: u64) -> String {
    if ms < 1000 { format!("{ms} ms") } else { format!("{}.{} s", ms / 1000, ms % 1000 / 100) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell_and_drive_no_terminal() {
        let line = |cells: [&str; 5]| cells.map(str::to_owned);
        let text =
            table(&[line(["a-1", "w\u{1b}1", "a -> b", "migrated", "9 ms"]), line(["b", "x", "y", "z", "1.2 s"])]);
        insta::assert_snapshot!(text, @r"
        MIGRATION  GUEST     FROM -> TO  RESULT    DOWNTIME
        a-1        w\u{1b}1  a -> b      migrated  9 ms
        b          x         y           z         1.2 s
        ");
        assert_eq!(table(&[]), "");
    }

    #[test]
    fn times_are_short() {
        assert_eq!((time(0), time(999), time(61_250)), ("0 ms".into(), "999 ms".into(), "61.2 s".into()));
    }
}
