//! Tables of short cells: every column as wide as its widest cell while the whole fits.
//!
//! Nothing is cut and no word is broken, so that a name can be copied. Where a table is wider than the terminal, columns stand
//! closer, and the widest get narrower; a cell that is wider than its column moves the rest of its own row to the right. The cell
//! of the last column goes on in the next line.

use std::borrow::Cow;

use textwrap::core::display_width;
use textwrap::{Options, WordSeparator, WordSplitter};

use super::text::printable;

/// Blanks between two columns, and where they stand closer.
const GAPS: [usize; 2] = [2, 1];

/// Columns that the last cell of a row has at least before it goes on in the next line.
const LEAST: usize = 12;

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
    let all = |widths: &[usize; N], gap: usize| widths.iter().sum::<usize>() + gap * N.saturating_sub(1);
    let gap = GAPS.into_iter().find(|gap| all(&widths, *gap) <= width).unwrap_or(GAPS[1]);
    // Where it still does not fit, the widest column gives, but no head is narrower than it is.
    while all(&widths, gap) > width {
        let widest = (0..N).filter(|at| widths[*at] > heads[*at].1).max_by_key(|at| widths[*at]);
        let Some(widest) = widest else { break };
        widths[widest] -= 1;
    }
    let mut text = String::with_capacity((rows.len() + 1) * all(&widths, gap));
    for row in std::iter::once(&heads).chain(&rows) {
        line(&mut text, columns, row, &widths, [gap, width]);
    }
    text
}

fn measured(cell: &str) -> Cell<'_> {
    let cell = printable(cell);
    let width = if cell.is_ascii() { cell.len() } else { display_width(&cell) };
    (cell, width)
}

fn line<const N: usize>(
    text: &mut String,
    columns: &[Column; N],
    row: &[Cell<'_>; N],
    widths: &[usize; N],
    [gap, width]: [usize; 2],
) {
    let blanks = |text: &mut String, count: usize| text.extend(std::iter::repeat_n(' ', count));
    let mut used = 0;
    for (at, ((cell, wide), column)) in row.iter().zip(columns).enumerate() {
        let room = widths[at].saturating_sub(*wide);
        if column.is_right {
            blanks(text, room);
        }
        if at + 1 < N {
            text.push_str(cell);
            blanks(text, if column.is_right { gap } else { room + gap });
        } else {
            last(text, cell, used, width);
        }
        used += wide + room + gap;
    }
    text.truncate(text.trim_end_matches(' ').len());
    text.push('\n');
}

/// The last cell of a row, which begins after so many columns.
fn last(text: &mut String, cell: &str, used: usize, width: usize) {
    let room = width.saturating_sub(used).max(LEAST);
    if cell.len() <= room {
        return text.push_str(cell);
    }
    let options = Options::new(room).break_words(false).word_separator(WordSeparator::AsciiSpace);
    for (at, part) in textwrap::wrap(cell, options.word_splitter(WordSplitter::NoHyphenation)).iter().enumerate() {
        if at > 0 {
            text.push('\n');
            text.extend(std::iter::repeat_n(' ', used));
        }
        text.push_str(part);
    }
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
        insta::assert_snapshot!(table(&COLUMNS, &rows(), 22), @r"
        GUEST    START WAY
        w\u{1b}1    +0s a -> b
        größe   +120 s cmp-1 ->
                       cmp-2
        ");
    }

    #[test]
    fn a_table_that_is_too_wide_loses_no_text() {
        for width in 0..60 {
            let text = table(&COLUMNS, &rows(), width);
            let words = ["GUEST", "w\\u{1b}1", "größe", "+0s", "+120 s", "cmp-1", "cmp-2", "->"];
            assert!(words.iter().all(|word| text.contains(word)), "{width}: {text}");
            assert!(text.lines().all(|line| !line.ends_with(' ')), "{width}: {text}");
            assert!(width < 32 || text.lines().all(|line| display_width(line) <= width), "{width}: {text}");
        }
    }
}
