//! An error with its causes as one sentence.

use std::borrow::Cow;
use std::error::Error;

/// The sentence of an error: its message, then each cause after a colon.
pub(crate) fn sentence(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    plain(&text).into_owned()
}

/// A sentence without the numbers that the standard library puts after the system's own words: `(os error 2)`.
pub(crate) fn plain(text: &str) -> Cow<'_, str> {
    const NUMBER: &str = " (os error ";
    if !text.contains(NUMBER) {
        return Cow::Borrowed(text);
    }
    let mut parts = text.split(NUMBER);
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match part.split_once(')') {
            Some((number, rest)) if number.bytes().all(|b| b.is_ascii_digit()) => plain.push_str(rest),
            _ => plain.extend([NUMBER, part]),
        }
    }
    Cow::Owned(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_of_system_errors_are_left_out() {
        assert_eq!(
            plain("a: No such file or directory (os error 2): b (os error 13)"),
            "a: No such file or directory: b"
        );
        for other in ["a (os error x) b", "a (os error 2", "nothing"] {
            assert_eq!(plain(other), other);
        }
    }
}
