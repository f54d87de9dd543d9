//! How wide output is: one rule for tables and one for text.

use std::io::{self, IsTerminal};
use std::os::fd::AsFd;
use std::sync::LazyLock;

/// Columns where no terminal says otherwise, and of a line of text at most: a longer one is hard to read.
const USUAL: usize = 80;

/// Fewer columns hold no table.
const LEAST: usize = 40;

/// Columns of a table at most: those of the terminal that it goes to, else as many as usual.
pub(crate) fn width() -> usize {
    static WIDTH: LazyLock<usize> = LazyLock::new(|| match rustix::termios::tcgetwinsize(io::stdout()) {
        Ok(size) if io::stdout().is_terminal() && size.ws_col > 0 => usize::from(size.ws_col).max(LEAST),
        _ => USUAL,
    });
    *WIDTH
}

/// Columns of a line of text at most where it goes to a terminal. A file or another program gets whole lines.
pub(super) fn of_terminal(to: &(impl IsTerminal + AsFd)) -> Option<usize> {
    if !to.is_terminal() {
        return None;
    }
    let columns = rustix::termios::tcgetwinsize(to).map_or(0, |size| usize::from(size.ws_col));
    Some(if columns == 0 { USUAL } else { columns.clamp(LEAST, USUAL) })
}

/// Columns of a line of text at most.
pub(crate) fn line_width() -> usize {
    width().min(USUAL)
}
