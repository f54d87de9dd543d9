//! JSON as Python's `json.loads` reads it, with places: `NaN` and lone surrogates are fine, a control character in text is not.

use super::node::{Member, Node, Value};
use crate::text::{MappedText, Spanned};

/// Deeper than any configuration. Python gives up at some thousand levels.
const MOST_DEEP: usize = 200;

/// Python refuses to convert longer numbers.
const MOST_DIGITS: usize = 4300;

/// Why a text is not JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct JsonError {
    /// Python's words.
    pub message: &'static str,
    /// Byte offset in the text.
    pub offset: usize,
    /// Whether it is nested too deeply, which is no `ValueError` in Python.
    pub too_deep: bool,
}

impl JsonError {
    /// Python's whole sentence: `Expecting value: line 1 column 1 (char 0)`.
    pub(crate) fn python_message(&self, text: &str) -> String {
        let before = &text[..self.offset];
        let line = before.matches('\n').count() + 1;
        let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
        format!("{}: line {line} column {column} (char {})", self.message, before.chars().count())
    }
}

/// Reads one JSON text.
pub(crate) fn parse(text: &MappedText) -> Result<Node, JsonError> {
    let mut reader = Reader { text: &text.text, map: text, at: 0 };
    if text.text.starts_with('\u{feff}') {
        return Err(reader.error("Unexpected UTF-8 BOM (decode using utf-8-sig)", 0));
    }
    reader.space();
    let node = reader.value(0)?;
    reader.space();
    if reader.at < reader.text.len() {
        return Err(reader.error("Extra data", reader.at));
    }
    Ok(node)
}

struct Reader<'a> {
    text: &'a str,
    map: &'a MappedText,
    at: usize,
}

impl Reader<'_> {
    #[allow(clippy::unused_self, reason = "reads like the other steps")]
    fn error(&self, message: &'static str, offset: usize) -> JsonError {
        JsonError { message, offset, too_deep: false }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn node(&self, start: usize, value: Value) -> Node {
        Node { span: self.map.span(start..self.at), value }
    }

    fn value(&mut self, depth: usize) -> Result<Node, JsonError> {
        if depth > MOST_DEEP {
            return Err(JsonError { message: "nested too deeply", offset: self.at, too_deep: true });
        }
        let start = self.at;
        let rest = &self.text[self.at..];
        for (word, value) in [
            ("null", Value::Null),
            ("true", Value::Bool(true)),
            ("false", Value::Bool(false)),
            ("NaN", Value::Float(f64::NAN)),
            ("Infinity", Value::Float(f64::INFINITY)),
            ("-Infinity", Value::Float(f64::NEG_INFINITY)),
        ] {
            if rest.starts_with(word) {
                self.at += word.len();
                return Ok(self.node(start, value));
            }
        }
        match self.peek() {
            Some(b'"') => {
                let text = self.string()?;
                Ok(self.node(start, Value::String(text)))
            }
            Some(b'{') => self.object(depth),
            Some(b'[') => self.array(depth),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => Err(self.error("Expecting value", start)),
        }
    }

    fn object(&mut self, depth: usize) -> Result<Node, JsonError> {
        let start = self.at;
        self.at += 1;
        self.space();
        let mut members = Vec::new();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(self.node(start, Value::Object(members)));
        }
        loop {
            let key_at = self.at;
            if self.peek() != Some(b'"') {
                return Err(self.error("Expecting property name enclosed in double quotes", key_at));
            }
            let key = self.string()?;
            let key = Spanned::new(key, self.map.span(key_at..self.at));
            self.space();
            if self.peek() != Some(b':') {
                return Err(self.error("Expecting ':' delimiter", self.at));
            }
            self.at += 1;
            self.space();
            let value = self.value(depth + 1)?;
            members.push(Member { key, value });
            self.space();
            match self.peek() {
                Some(b',') => {
                    self.at += 1;
                    self.space();
                }
                Some(b'}') => {
                    self.at += 1;
                    return Ok(self.node(start, Value::Object(members)));
                }
                _ => return Err(self.error("Expecting ',' delimiter", self.at)),
            }
        }
    }

    fn array(&mut self, depth: usize) -> Result<Node, JsonError> {
        let start = self.at;
        self.at += 1;
        self.space();
        let mut items = Vec::new();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(self.node(start, Value::Array(items)));
        }
        loop {
            items.push(self.value(depth + 1)?);
            self.space();
            match self.peek() {
                Some(b',') => {
                    self.at += 1;
                    self.space();
                }
                Some(b']') => {
                    self.at += 1;
                    return Ok(self.node(start, Value::Array(items)));
                }
                _ => return Err(self.error("Expecting ',' delimiter", self.at)),
            }
        }
    }

    fn number(&mut self) -> Result<Node, JsonError> {
        let start = self.at;
        let digits = |reader: &mut Self| {
            let from = reader.at;
            while matches!(reader.peek(), Some(b'0'..=b'9')) {
                reader.at += 1;
            }
            reader.at > from
        };
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else if !digits(self) {
            return Err(self.error("Expecting value", start));
        }
        let whole = self.at;
        if self.peek() == Some(b'.') {
            self.at += 1;
            if !digits(self) {
                self.at = whole;
            }
        }
        let fraction = self.at;
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            if !digits(self) {
                self.at = fraction;
            }
        }
        let text = &self.text[start..self.at];
        if self.at == whole {
            if text.trim_start_matches('-').len() > MOST_DIGITS {
                return Err(self.error("Exceeds the limit (4300 digits) for integer string conversion", start));
            }
            let text = if text == "-0" { "0" } else { text };
            return Ok(self.node(start, Value::Int(text.to_owned())));
        }
        let number = text.parse().expect("JSON's numbers are numbers to Rust");
        Ok(self.node(start, Value::Float(number)))
    }

    fn string(&mut self) -> Result<String, JsonError> {
        let start = self.at;
        self.at += 1;
        let mut out = String::new();
        loop {
            let rest = &self.text[self.at..];
            let plain = rest.find(|c: char| matches!(c, '"' | '\\') || c < ' ').unwrap_or(rest.len());
            out.push_str(&rest[..plain]);
            self.at += plain;
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(out);
                }
                Some(b'\\') => self.escape(start, &mut out)?,
                Some(_) => return Err(self.error("Invalid control character at", self.at)),
                None => return Err(self.error("Unterminated string starting at", start)),
            }
        }
    }

    fn escape(&mut self, start: usize, out: &mut String) -> Result<(), JsonError> {
        let at = self.at;
        let Some(escape) = self.text.as_bytes().get(at + 1).copied() else {
            return Err(self.error("Unterminated string starting at", start));
        };
        self.at += 2;
        out.push(match escape {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let first = self.code_unit(at)?;
                self.character(first)
            }
            _ => return Err(self.error("Invalid \\escape", at)),
        });
        Ok(())
    }

    /// The character a first code unit begins. Python keeps a lone surrogate, Rust has no such text: a replacement stands for it.
    fn character(&mut self, first: u32) -> char {
        if (0xd800..0xdc00).contains(&first) && self.text[self.at..].starts_with("\\u") {
            let before = self.at;
            self.at += 2;
            if let Ok(second) = self.code_unit(before)
                && (0xdc00..0xe000).contains(&second)
            {
                let both = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
                return char::from_u32(both).unwrap_or(char::REPLACEMENT_CHARACTER);
            }
            self.at = before;
        }
        char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER)
    }

    fn code_unit(&mut self, escape_at: usize) -> Result<u32, JsonError> {
        let digits = self.text.get(self.at..self.at + 4).filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()));
        let Some(digits) = digits else { return Err(self.error("Invalid \\uXXXX escape", escape_at + 1)) };
        self.at += 4;
        Ok(u32::from_str_radix(digits, 16).expect("four hex digits"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::{SourceFile, Sources};

    fn read(text: &str) -> Result<Node, String> {
        let file = Sources::default().add(SourceFile::new("f", text.to_owned()));
        let mut mapped = MappedText::new(file, 0);
        mapped.push_verbatim(text, 0);
        parse(&mapped).map_err(|e| e.python_message(text))
    }

    #[test]
    fn says_what_python_says() {
        for (text, message) in [
            ("", "Expecting value: line 1 column 1 (char 0)"),
            ("{'a': 1}", "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
            ("{\"a\": 1,}", "Expecting property name enclosed in double quotes: line 1 column 9 (char 8)"),
            ("{\"a\":\n True}", "Expecting value: line 2 column 2 (char 7)"),
            ("{\"a\" 1}", "Expecting ':' delimiter: line 1 column 6 (char 5)"),
            ("{\"a\": 01}", "Expecting ',' delimiter: line 1 column 8 (char 7)"),
            ("{} # x", "Extra data: line 1 column 4 (char 3)"),
            ("\"a", "Unterminated string starting at: line 1 column 1 (char 0)"),
            ("\"a\tb\"", "Invalid control character at: line 1 column 3 (char 2)"),
            ("\"\\x\"", "Invalid \\escape: line 1 column 2 (char 1)"),
        ] {
            assert_eq!(read(text), Err(message.to_owned()), "{text:?}");
        }
        assert!(read(&"[".repeat(2000)).is_err());
    }

    #[test]
    fn reads_what_python_reads() {
        let node = read(r#" {"a": [NaN, -0, 1e3, "\ud83d\ude00\ud800x"], "a": -Infinity, "b": null} "#).unwrap();
        assert_eq!(node.python_repr(), "{'a': -inf, 'b': None}");
        let Value::Object(members) = &node.value else { panic!("an object") };
        assert_eq!(members[0].value.python_repr(), "[nan, 0, 1000.0, '\u{1f600}\u{fffd}x']");
        assert_eq!((node.span.start, node.span.end), (1, 72));
    }
}
