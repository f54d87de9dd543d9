//! Python's notions where they differ from Rust's: white space, `int()`, `repr()`. Nova's verdicts rest on them.

use std::fmt::Write as _;

/// Whether `str.isspace` holds: Unicode's white space and the four separators that Rust leaves out.
pub(crate) fn is_space(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\u{1c}'..='\u{1f}')
}

/// `str.strip`.
pub(crate) fn strip(text: &str) -> &str {
    text.trim_matches(is_space)
}

/// The zeros of Unicode's runs of decimal digits.
const ZEROS: [u32; 66] = [
    0x30, 0x660, 0x6f0, 0x7c0, 0x966, 0x9e6, 0xa66, 0xae6, 0xb66, 0xbe6, 0xc66, 0xce6, 0xd66, 0xde6, 0xe50, 0xed0,
    0xf20, 0x1040, 0x1090, 0x17e0, 0x1810, 0x1946, 0x19d0, 0x1a80, 0x1a90, 0x1b50, 0x1bb0, 0x1c40, 0x1c50, 0xa620,
    0xa8d0, 0xa900, 0xa9d0, 0xa9f0, 0xaa50, 0xabf0, 0xff10, 0x104a0, 0x10d30, 0x11066, 0x110f0, 0x11136, 0x111d0,
    0x112f0, 0x11450, 0x114d0, 0x11650, 0x116c0, 0x11730, 0x118e0, 0x11950, 0x11c50, 0x11d50, 0x11da0, 0x16a60,
    0x16ac0, 0x16b50, 0x1d7ce, 0x1d7d8, 0x1d7e2, 0x1d7ec, 0x1d7f6, 0x1e140, 0x1e2f0, 0x1e950, 0x1fbf0,
];

/// The value of any Unicode decimal digit (`\d` in a Python expression on text).
pub(crate) fn decimal_digit(c: char) -> Option<u32> {
    let c = u32::from(c);
    let zero = ZEROS[..ZEROS.partition_point(|zero| *zero <= c)].last()?;
    (c - zero < 10).then_some(c - zero)
}

/// `int(text, radix)` for radix 10 or 16: surrounding space, a sign, `0x`, single underscores between digits and every
/// Unicode decimal digit are fine. Values beyond 128 bits saturate.
pub(crate) fn int(text: &str, radix: u32) -> Option<i128> {
    // In text of ASCII alone the four separators are no space, unlike for `strip`.
    let text = if text.is_ascii() { text.trim_matches([' ', '\t', '\n', '\r', '\x0b', '\x0c']) } else { strip(text) };
    let (negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let mut digits = text;
    if radix == 16 {
        let mut chars = text.chars();
        // The prefix's zero may be any script's zero, its x may not.
        if chars.next().and_then(decimal_digit) == Some(0) && matches!(chars.next(), Some('x' | 'X')) {
            let rest = chars.as_str();
            digits = rest.strip_prefix('_').unwrap_or(rest);
        }
    }
    let mut value: i128 = 0;
    let mut after_digit = false;
    for c in digits.chars() {
        if c == '_' && after_digit {
            after_digit = false;
            continue;
        }
        let digit = decimal_digit(c).or_else(|| c.to_digit(radix))?;
        value = value.saturating_mul(i128::from(radix)).saturating_add(i128::from(digit));
        after_digit = true;
    }
    after_digit.then_some(if negative { -value } else { value })
}

/// `"%0WIDTHx" % value`: the sign counts towards the width.
pub(crate) fn hex(value: i128, width: usize) -> String {
    if value < 0 {
        format!("-{:0w$x}", value.unsigned_abs(), w = width.saturating_sub(1))
    } else {
        format!("{value:0width$x}")
    }
}

/// `repr(text)`.
pub(crate) fn repr(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    let mut out = String::with_capacity(text.len() + 2);
    out.push(quote);
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            _ if c == quote => {
                out.push('\\');
                out.push(c);
            }
            _ if c.is_control() && u32::from(c) < 0x100 => {
                let _ = write!(out, "\\x{:02x}", u32::from(c));
            }
            _ => out.push(c),
        }
    }
    out.push(quote);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_integers_as_python_does() {
        for (text, radix, value) in [
            ("0x15b3", 16, Some(0x15b3)),
            (" 1_5\t", 16, Some(0x15)),
            ("-1", 16, Some(-1)),
            ("+a", 16, Some(10)),
            ("0x_1f", 16, Some(0x1f)),
            ("٣", 10, Some(3)),
            ("1__0", 16, None),
            ("_1", 16, None),
            ("1_", 16, None),
            ("0x", 16, None),
            ("", 16, None),
            ("- 1", 16, None),
            ("1.0", 10, None),
            ("0x1", 10, None),
            ("\u{1c}1", 10, None),
            ("\u{1c}\u{a0}1", 10, Some(1)),
            ("\u{c}1\u{b}", 10, Some(1)),
        ] {
            assert_eq!(int(text, radix), value, "{text:?}");
        }
        assert_eq!(hex(-1, 4), "-001");
        assert_eq!(hex(0x1f, 4), "001f");
        assert_eq!(strip("\u{1c}\u{a0} x \u{1f}"), "x");
        assert_eq!(repr("it's"), "\"it's\"");
    }
}
