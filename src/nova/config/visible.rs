//! Which places of a file may be shown to people: nova.conf holds passwords elsewhere.

use std::ops::Range;

use super::options;
use super::parsed::ParsedConfig;
use crate::nova::oslo::ini::Ini;
use crate::text::{FileId, SourceFile, Span};

/// Longer lines, in bytes, are named and not shown.
const MOST_SHOWN: usize = 1 << 16;

impl ParsedConfig {
    /// Whether all lines that a place touches may be shown to people. Brackets and blanks around what may be shown do no harm.
    pub fn is_visible(&self, span: Span) -> bool {
        let file = self.sources.file(span.file);
        let first = file.position(span.start).line;
        let last = file.position(span.end.max(span.start)).line;
        let (mut at, end) = (file.line_range(first).start, file.line_range(last).end);
        if end - at > MOST_SHOWN {
            return false;
        }
        let harmless = |range: Range<usize>| {
            file.text.get(range).is_some_and(|text| text.bytes().all(|b| b" \t[]{},-'\"\r\n".contains(&b)))
        };
        for place in self.visible.iter().filter(|place| place.file == span.file) {
            if place.end <= at {
                continue;
            }
            if place.start >= end {
                break;
            }
            if !harmless(at..place.start.max(at)) {
                return false;
            }
            at = place.end;
        }
        at >= end || harmless(at..end)
    }

    /// What may be shown around a place of whose lines not all may be: the line up to its end.
    pub fn visible_part(&self, span: Span) -> Option<Span> {
        let file = self.sources.file(span.file);
        let start = file.line_range(file.position(span.start).line).start;
        let around = |place: &&Span| place.file == span.file && place.start == start && span.end <= place.end;
        self.visible.iter().find(around).copied().filter(|place| place.end - place.start <= MOST_SHOWN)
    }
}

/// Lines that may be shown: those of `[pci]` and of the options pvm knows.
pub(super) fn places(id: FileId, file: &SourceFile, ini: &Ini) -> Vec<Span> {
    let mut places = Vec::new();
    let is_pci = |section: &str| options::normal_section(section) == "pci";
    for section in ini.sections.iter().filter(|section| is_pci(&section.value)) {
        let line = file.line_range(file.position(section.span.start).line);
        places.push(Span::new(id, line.start, line.end));
    }
    for assignment in &ini.assignments {
        let start = file.line_range(file.position(assignment.key.span.start).line).start;
        if options::KNOWN.iter().any(|def| def.is_set_by(assignment)) {
            let place = assignment.key.span.to(assignment.value.whole());
            let end = file.line_range(file.position(place.end).line).end;
            places.push(Span::new(id, start, end));
        } else if is_pci(&assignment.section.value) {
            // Its value may be another section's, whose header is commented out.
            places.push(Span::new(id, start, assignment.key.span.end));
        }
    }
    places.sort_unstable();
    places
}
