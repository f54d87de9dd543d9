//! Text inside a line that is printed to be pasted into a shell.

use std::borrow::Cow;

/// The text as one word of a shell, whoever wrote it.
pub(crate) fn quoted(text: &str) -> Cow<'_, str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+=,".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(format!("'{}'", text.replace('\'', r"'\''")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_it_is_it_stays_one_word() {
        assert_eq!(quoted("qemu+tcp://host-b/system"), "qemu+tcp://host-b/system");
        assert_eq!(quoted("qemu:///system; touch x #"), "'qemu:///system; touch x #'");
        assert_eq!(quoted("a'b$(id)"), r"'a'\''b$(id)'");
        assert_eq!(quoted(""), "''");
    }
}
