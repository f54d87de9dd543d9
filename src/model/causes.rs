//! An error with its causes as one sentence.

use std::error::Error;

/// The sentence of an error: its message, then each cause after a colon.
pub(crate) fn sentence(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}
