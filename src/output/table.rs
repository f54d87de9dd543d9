//! Tables of short cells: every column as wide as its widest cell while the whole fits.
//!
//! Nothing is cut and no cell is broken, so that a name can be copied. Where a table is wider than the terminal, its widest
//! columns get narrower; a cell that is wider than its column moves the rest of its own row to the right.

use std::borrow::Cow;

use textwrap::core::display_width;

use super::text::printable;

/// Blanks between two columns.
const GAP: usize = 2;

/// The head of a column, and on which side its cells stand.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Column {
    head: &'static str,
    is_right: bool,
}

impl Column {
    /// A column of text.
    pub(crate) const fn left(head: &'static str) -> Self {
        Self { head, is_right: false }
    }

    /// A column of numbers.
    pub(crate) const fn right(head: &'static str) -> Self {
        Self { head, is_right: true }
    }
}

/// A cell and its width.
type Cell<'a> = (Cow<'a, str>, usize);

/// The heads and below them a line for each row, for a terminal with so many columns.
pub(crate) fn table<const N: usize>(columns: &[Column; N], rows: &[[Cow<'_, str>; N]], width: usize) -> String {
    let heads = columns.map(|column| measured(column.head));
    let rows: Vec<[Cell<'_>; N]> = rows.iter().map(|row| row.each_ref().map(|cell| measured(cell))).collect();
    let mut widths = heads.each_ref().map(|(_, width)| *width);
    for row in &rows {
        for (widest, (_, width)) in widths.iter_mut().zip(row) {
            *widest = (*widest).max(*width);
        }
    }
    narrow(&mut widths, heads.each_ref().map(|(_, width)| *width), width);
    let mut text = String::with_capacity((rows.len() + 1) * (widths.iter().sum::<usize>() + GAP * N));
    for row in std::iter::once(&heads).chain(&rows) {
        line(&mut text, columns, row, &widths);
    }
    text
}

fn measured(cell: &str) -> Cell<'_> {
    let cell = printable(cell);
    let width = if cell.is_ascii() { cell.len() } else { display_width(&cell) };
    (cell, width)
}

/// Takes from the widest column what does not fit, but no head is narrower than it is.
fn narrow<const N: usize>(widths: &mut [usize; N], least: [usize; N], width: usize) {
    let all = |widths: &[usize; N]| widths.iter().sum::<usize>() + GAP * N.saturating_sub(1);
    while all(widths) > width {
        let widest = (0..N).filter(|at| widths[*at] > least[*at]).max_by_key(|at| widths[*at]);
        let Some(widest) = widest else { return };
        widths[widest] -= 1;
    }
}

fn line<const N: usize>(text: &mut String, columns: &[Column; N], row: &[Cell<'_>; N], widths: &[usize; N]) {
    let blanks = |text: &mut String, count: usize| text.extend(std::iter::repeat_n(' ', count));
    for (at, ((cell, width), column)) in row.iter().zip(columns).enumerate() {
        let room = widths[at].saturating_sub(*width);
        if column.is_right {
            blanks(text, room);
        }
        text.push_str(cell);
        if !column.is_right {
            blanks(text, room);
        }
        blanks(text, GAP);
    }
    text.truncate(text.trim_end_matches(' ').len());
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: [Column; 3] = [Column::left("GUEST"), Column::right("START"), Column::left("WAY")];

    fn rows() -> [[Cow<'static, str>; 3]; 2] {
        [["w\u{1b}1".into(), "+0s".into(), "a -> b".into()], ["größe".into(), "+120 s".into(), "cmp-1 -> cmp-2".into()]]
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell_and_drive_no_terminal() {
        insta::assert_snapshot!(table(&COLUMNS, &rows(), 80), @r"
        GUEST      START  WAY
        w\u{1b}1     +0s  a -> b
        größe     +120 s  cmp-1 -> cmp-2
        ");
    }

    #[test]
    fn what_is_too_wide_moves_the_rest_of_its_own_row() {
        insta::assert_snapshot!(table(&COLUMNS, &rows(), 16), @r"
        GUEST  START  WAY
        w\u{1b}1    +0s  a -> b
        größe  +120 s  cmp-1 -> cmp-2
        ");
    }

    #[test]
    fn a_table_that_is_too_wide_loses_no_text() {
        for width in 0..60 {
            let text = table(&COLUMNS, &rows(), width);
            assert_eq!(text.lines().count(), 3);
            assert!(text.contains("cmp-1 -> cmp-2") && text.lines().all(|line| !line.ends_with(' ')), "{text}");
        }
    }
}
