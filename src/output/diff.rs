//! The lines in which two texts differ, for `--diff`.

use std::fmt::Write as _;

use super::text::printable;

/// Lines shown around a change.
const CONTEXT: usize = 2;

/// A unified diff without line numbers; empty when the texts are equal. Lines that were added or taken away between equal
/// beginnings and ends are shown in one piece: a rewritten definition keeps its lines.
pub fn diff(before: &str, after: &str) -> String {
    let (before, after): (Vec<_>, Vec<_>) = (before.lines().collect(), after.lines().collect());
    let changes = changes(&before, &after);
    let mut text = String::new();
    let mut shown_to = 0;
    for (index, (start, old, new)) in changes.iter().enumerate() {
        let from = start.saturating_sub(CONTEXT).max(shown_to);
        if from > shown_to || index == 0 {
            text.push_str("@@\n");
        }
        let mut write = |sign: char, line: &str| {
            let _ = writeln!(text, "{sign}{}", printable(line));
        };
        before[from..*start].iter().for_each(|line| write(' ', line));
        old.iter().for_each(|line| write('-', line));
        new.iter().for_each(|line| write('+', line));
        let end = start + old.len();
        let next = changes.get(index + 1).map_or(before.len(), |(start, _, _)| *start);
        shown_to = (end + CONTEXT).min(next);
        before[end..shown_to].iter().for_each(|line| write(' ', line));
    }
    text
}

/// Where the texts differ: position in `before`, the lines there, and those instead.
fn changes<'a>(before: &'a [&'a str], after: &'a [&'a str]) -> Vec<(usize, &'a [&'a str], &'a [&'a str])> {
    if before.len() == after.len() {
        // The usual case: lines changed in place.
        let mut found = Vec::new();
        let mut at = 0;
        while at < before.len() {
            let same = before[at..].iter().zip(&after[at..]).take_while(|(a, b)| a == b).count();
            at += same;
            let different = before[at..].iter().zip(&after[at..]).take_while(|(a, b)| a != b).count();
            if different > 0 {
                found.push((at, &before[at..at + different], &after[at..at + different]));
            }
            at += different;
        }
        return found;
    }
    let head = before.iter().zip(after).take_while(|(a, b)| a == b).count();
    let most = before.len().min(after.len()) - head;
    let tail = before.iter().rev().zip(after.iter().rev()).take(most).take_while(|(a, b)| a == b).count();
    vec![(head, &before[head..before.len() - tail], &after[head..after.len() - tail])]
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
