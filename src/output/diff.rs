//! The lines in which two texts differ, for `--diff`.

use std::fmt::Write as _;

use similar::TextDiff;

use super::text::printable;

/// Lines shown around a change.
const CONTEXT: usize = 2;

/// A unified diff without line numbers; empty when the texts are equal.
pub(crate) fn diff(before: &str, after: &str) -> String {
    let diff = TextDiff::from_lines(before, after);
    let mut text = String::new();
    for group in diff.grouped_ops(CONTEXT) {
        text.push_str("@@\n");
        for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{}{}", change.tag(), printable(change.value().trim_end_matches('\n')));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_what_changed_and_two_lines_around() {
        assert_eq!(diff("a\nb\nc\nd\ne\nf\n", "a\nb\nc\nD\ne\nf\n"), "@@\n b\n c\n-d\n+D\n e\n f\n");
        assert_eq!(diff("a\nb\n", "a\nx\ny\nb\n"), "@@\n a\n+x\n+y\n b\n");
        assert_eq!(diff("same\n", "same\n"), "");
        let long: String = (0..20).fold(String::new(), |text, n| text + &n.to_string() + "\n");
        let two = long.replace("\n3\n", "\nthree\n").replace("\n15\n", "\nfifteen\n");
        assert_eq!(diff(&long, &two).matches("@@").count(), 2);
    }

    #[test]
    fn neighbours_are_shown_once() {
        assert_eq!(diff("a\nb\nc\nd\n", "A\nb\nc\nD\n"), "@@\n-a\n+A\n b\n c\n-d\n+D\n");
        assert_eq!(diff("a\nb\nc\n", "A\nb\nC\n"), "@@\n-a\n+A\n b\n-c\n+C\n");
    }
}
