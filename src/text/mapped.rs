//! A value that was put together from pieces of a file, with the way back.

use std::ops::Range;

use crate::model::span::{FileId, Span};

/// Text assembled from one file: continuation lines joined, quotes dropped, variables substituted. Every byte of it knows
/// which bytes of the file it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MappedText {
    /// The text as the next reader sees it.
    pub text: String,
    file: FileId,
    /// Where the text would stand if it is empty.
    anchor: usize,
    segments: Vec<Segment>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Segment {
    value_start: usize,
    source: Range<usize>,
    /// Whether the bytes are the file's own, one for one; else the whole segment stands for the whole source range.
    verbatim: bool,
}

impl MappedText {
    /// An empty text that stands at `anchor`.
    pub fn new(file: FileId, anchor: usize) -> Self {
        Self { text: String::new(), file, anchor, segments: Vec::new() }
    }

    /// Appends a piece of the file as it is.
    pub fn push_verbatim(&mut self, text: &str, start: usize) {
        if !text.is_empty() {
            let source = start..start + text.len();
            self.segments.push(Segment { value_start: self.text.len(), source, verbatim: true });
            self.text.push_str(text);
        }
    }

    /// Appends text that stands for a piece of the file.
    pub fn push_replaced(&mut self, text: &str, source: Range<usize>) {
        if !text.is_empty() {
            self.segments.push(Segment { value_start: self.text.len(), source, verbatim: false });
            self.text.push_str(text);
        }
    }

    /// Appends a range of another mapped text of the same file.
    pub fn push_range(&mut self, other: &MappedText, range: Range<usize>) {
        for (i, segment) in other.segments.iter().enumerate() {
            let end = other.segments.get(i + 1).map_or(other.text.len(), |next| next.value_start);
            let (from, to) = (range.start.max(segment.value_start), range.end.min(end));
            if from >= to {
                continue;
            }
            if segment.verbatim {
                self.push_verbatim(&other.text[from..to], segment.source.start + from - segment.value_start);
            } else {
                self.push_replaced(&other.text[from..to], segment.source.clone());
            }
        }
    }

    /// The file it came from.
    pub fn file(&self) -> FileId {
        self.file
    }

    /// The place of a range of bytes of the text.
    pub fn span(&self, range: Range<usize>) -> Span {
        let start = self.source_start(range.start);
        let end = if range.end > range.start { self.source_end(range.end) } else { start };
        Span::new(self.file, start.min(end), end.max(start))
    }

    /// The place of the whole text.
    pub fn whole(&self) -> Span {
        self.span(0..self.text.len())
    }

    fn at(&self, offset: usize) -> Option<&Segment> {
        self.segments[..self.segments.partition_point(|s| s.value_start <= offset)].last()
    }

    fn source_start(&self, offset: usize) -> usize {
        if offset >= self.text.len() {
            return self.segments.last().map_or(self.anchor, |last| last.source.end);
        }
        self.at(offset)
            .map_or(self.anchor, |s| if s.verbatim { s.source.start + offset - s.value_start } else { s.source.start })
    }

    fn source_end(&self, offset: usize) -> usize {
        let Some(before) = offset.min(self.text.len()).checked_sub(1) else { return self.anchor };
        self.at(before).map_or(self.anchor, |s| {
            if s.verbatim { s.source.start + before + 1 - s.value_start } else { s.source.end }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::{SourceFile, Sources};

    #[test]
    fn maps_joined_lines_back() {
        let mut sources = Sources::default();
        let file = sources.add(SourceFile::new("f", "k = {\n    \"a\": $x}\n".to_owned()));
        let mut value = MappedText::new(file, 4);
        value.push_verbatim("{", 4);
        value.push_replaced("\n", 5..10);
        value.push_verbatim("\"a\": ", 10);
        value.push_replaced("long value", 15..17);
        value.push_verbatim("}", 17);
        let cut = |range| sources.text(value.span(range));
        assert_eq!(cut(2..5), "\"a\"");
        assert_eq!(cut(7..12), "$x");
        assert_eq!(cut(17..18), "}");
        assert_eq!(cut(0..value.text.len()), "{\n    \"a\": $x}");
        assert_eq!(value.span(18..18), Span::new(file, 18, 18));

        let mut part = MappedText::new(file, 4);
        part.push_range(&value, 2..5);
        assert_eq!((part.text.as_str(), sources.text(part.whole())), ("\"a\"", "\"a\""));
    }
}
