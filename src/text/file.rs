//! Files as they were read, with an index of their lines.

use crate::model::finding::{FilePlace, Finding, Range};
use crate::model::span::{FileId, Span};

/// One text and its name.
#[derive(Debug, Clone)]
pub struct SourceFile {
    /// The name the user knows it by.
    pub name: String,
    /// Its text.
    pub text: String,
    line_starts: Vec<usize>,
    /// Then a column is a matter of subtraction, on lines of any length.
    ascii: bool,
}

/// A place for people: both counted from 1, the column in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Line.
    pub line: usize,
    /// Column in characters.
    pub column: usize,
}

impl SourceFile {
    /// Indexes the lines of `text`. A line ends as Python's text mode ends it: at LF, CR LF or a lone CR.
    pub fn new(name: impl Into<String>, text: String) -> Self {
        let bytes = text.as_bytes();
        let mut line_starts = vec![0];
        for (i, byte) in bytes.iter().enumerate() {
            if *byte == b'\n' || (*byte == b'\r' && bytes.get(i + 1) != Some(&b'\n')) {
                line_starts.push(i + 1);
            }
        }
        Self { name: name.into(), ascii: text.is_ascii(), text, line_starts }
    }

    /// The line and column of a byte offset; offsets behind the end count as the end.
    pub fn position(&self, offset: usize) -> Position {
        let offset = self.floor(offset);
        let line = self.line_starts.partition_point(|start| *start <= offset);
        let start = self.line_starts[line - 1];
        if self.ascii {
            return Position { line, column: offset - start + 1 };
        }
        // Every byte but UTF-8's continuations begins a character.
        let characters = self.text.as_bytes()[start..offset].iter().filter(|b| **b & 0xc0 != 0x80).count();
        Position { line, column: characters + 1 }
    }

    /// The bytes of a line (from 1) without its line end.
    pub fn line_range(&self, line: usize) -> std::ops::Range<usize> {
        let start = self.line_starts.get(line.wrapping_sub(1)).copied().unwrap_or(self.text.len());
        let end = self.line_starts.get(line).copied().unwrap_or(self.text.len());
        let trimmed = self.text[start..end].trim_end_matches(['\n', '\r']).len();
        start..start + trimmed
    }

    /// How many lines there are.
    pub fn line_count(&self) -> usize {
        self.line_starts.len()
    }

    /// The nearest character boundary at or before `offset`.
    fn floor(&self, offset: usize) -> usize {
        let mut offset = offset.min(self.text.len());
        while !self.text.is_char_boundary(offset) {
            offset -= 1;
        }
        offset
    }
}

/// Every file a result was made from.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    files: Vec<SourceFile>,
}

impl Sources {
    /// Adds a file.
    pub fn add(&mut self, file: SourceFile) -> FileId {
        self.files.push(file);
        FileId(self.files.len() - 1)
    }

    /// The file of an id that [`Sources::add`] of this value gave.
    pub fn file(&self, id: FileId) -> &SourceFile {
        &self.files[id.0]
    }

    /// Every file in reading order.
    pub fn iter(&self) -> impl Iterator<Item = (FileId, &SourceFile)> {
        self.files.iter().enumerate().map(|(i, file)| (FileId(i), file))
    }

    /// The text a span cuts out; empty when the span does not lie on character boundaries of its file.
    pub fn text(&self, span: Span) -> &str {
        self.file(span.file).text.get(span.start..span.end).unwrap_or_default()
    }

    /// The finding as a document says it: the place in file, line and column.
    #[must_use]
    pub fn located(&self, mut finding: Finding) -> Finding {
        finding.file = finding.text.primary.as_ref().map(|label| {
            let file = self.file(label.span.file);
            let (start, end) = (file.position(label.span.start), file.position(label.span.end));
            FilePlace {
                name: file.name.clone(),
                line: start.line,
                range: Some(Range {
                    column: start.column,
                    end_line: end.line,
                    end_column: end.column,
                    start_byte: label.span.start,
                    end_byte: label.span.end,
                }),
            }
        });
        finding
    }

    /// 1-based line of a span's start.
    pub fn line(&self, span: Span) -> usize {
        self.file(span.file).position(span.start).line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_lines_as_python_does_and_columns_in_characters() {
        let file = SourceFile::new("f", "a\r\nbü c\rd\n".to_owned());
        assert_eq!(file.position(0), Position { line: 1, column: 1 });
        assert_eq!(file.position(3), Position { line: 2, column: 1 });
        assert_eq!(file.position(7), Position { line: 2, column: 4 });
        assert_eq!(file.position(9), Position { line: 3, column: 1 });
        assert_eq!(&file.text[file.line_range(2)], "bü c");
        assert_eq!(file.position(999), Position { line: 4, column: 1 });
        assert_eq!(file.line_count(), 4);
    }
}
