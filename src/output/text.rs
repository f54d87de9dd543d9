//! Text from elsewhere, made safe for a terminal.

use std::borrow::Cow;
use std::fmt::Write as _;

use textwrap::{Options, WordSeparator, WordSplitter};

use super::width::line_width;

/// `text` with every control character and every character that reorders or hides text written as an escape, so that a
/// domain name or a VPD string cannot drive the terminal.
pub(crate) fn printable(text: &str) -> Cow<'_, str> {
    // Nearly all names are plain ASCII, and a history has many.
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) || !text.chars().any(is_dangerous) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if c == '\n' {
            safe.push_str("\\n");
        } else if is_dangerous(c) {
            safe.extend(c.escape_unicode());
        } else {
            safe.push(c);
        }
    }
    Cow::Owned(safe)
}

/// A JSON document in which such characters are written as JSON's own escapes; outside of its strings it has none.
pub(crate) fn escaped_json(text: &str) -> Cow<'_, str> {
    let is_raw = |c: char| is_dangerous(c) && !matches!(c, '\n' | '\r' | '\t');
    if !text.chars().any(is_raw) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if is_raw(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(safe, "\\u{unit:04x}");
            }
        } else {
            safe.push(c);
        }
    }
    Cow::Owned(safe)
}

/// `text` after `start`, broken at spaces where a line would be wider than the terminal, or than 80 columns; each further line begins with
/// `indent`. Words stay whole, so that a path or an address can be copied.
pub(crate) fn folded(start: &str, text: &str, indent: &str) -> String {
    let options = Options::new(line_width())
        .initial_indent(start)
        .subsequent_indent(indent)
        .break_words(false)
        .word_separator(WordSeparator::AsciiSpace)
        .word_splitter(WordSplitter::NoHyphenation);
    textwrap::fill(text, options)
}

/// Lines of text in so many columns: each that is longer goes on below, indented. What stands four blanks in is to be pasted and
/// stays whole.
pub(crate) fn fitted(text: &str, columns: usize) -> String {
    let fit = |line: &str| {
        if textwrap::core::display_width(line) <= columns || line.starts_with("    ") {
            return line.to_owned();
        }
        let words = line.trim_start_matches(' ');
        let start = &line[..line.len() - words.len()];
        let indent = format!("{start}  ");
        let options = Options::new(columns)
            .initial_indent(start)
            .subsequent_indent(&indent)
            .break_words(false)
            .word_separator(WordSeparator::AsciiSpace)
            .word_splitter(WordSplitter::NoHyphenation);
        textwrap::fill(words, options)
    };
    text.split('\n').map(fit).collect::<Vec<_>>().join("\n")
}

/// Whether a character drives a terminal, or reorders or hides text.
pub(crate) fn is_dangerous(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_are_broken_at_spaces() {
        assert_eq!(folded("  warning ", "short", "    "), "  warning short");
        let text = "word ".repeat(20) + &"x".repeat(90);
        let lines = folded("\u{1b}[33m  a \u{1b}[0m", &text, "    ");
        let lines: Vec<&str> = lines.lines().collect();
        assert_eq!(lines.len(), 3, "{lines:#?}");
        assert_eq!(textwrap::core::display_width(lines[0]), 78);
        assert!(lines[1].starts_with("    word") && lines[2] == "    ".to_owned() + &"x".repeat(90));
    }

    #[test]
    fn what_a_terminal_shows_fits_it_and_what_is_pasted_stays_whole() {
        let pasted = format!("    virsh -c qemu:///system {}", "x ".repeat(50));
        let text = format!("pvm: {}\n  {}\n{pasted}\n", "word ".repeat(20).trim_end(), "part ".repeat(20).trim_end());
        let fitted = fitted(&text, 60);
        let lines: Vec<&str> = fitted.split('\n').collect();
        assert!(lines[1].starts_with("  word") && lines[2].starts_with("  part") && lines[3].starts_with("    part"));
        assert!(lines.contains(&pasted.as_str()) && fitted.ends_with('\n'), "{fitted}");
        assert!(lines.iter().filter(|line| **line != pasted).all(|line| line.len() <= 60), "{fitted}");
    }

    #[test]
    fn a_document_keeps_its_value_and_drives_no_terminal() {
        let value = serde_json::json!({ "name": "a\u{9b}2J\u{202e}\u{e0041}\u{7f}ü\n" });
        let text = serde_json::to_string_pretty(&value).unwrap();
        let safe = escaped_json(&text);
        assert!(!safe.chars().any(|c| c != '\n' && is_dangerous(c)), "{safe}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&safe).unwrap(), value);
        assert!(safe.contains('ü'));
    }

    #[test]
    fn escapes_what_drives_a_terminal() {
        assert_eq!(printable("vm-1 ü"), "vm-1 ü");
        assert_eq!(printable("a\u{1b}[2Jb\n"), "a\\u{1b}[2Jb\\n");
        assert_eq!(printable("x\u{202e}y"), "x\\u{202e}y");
    }
}
