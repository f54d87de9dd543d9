//! Corrected text: only what cannot change a meaning the operator may have wanted.

use std::fmt::Write as _;

use super::ParsedConfig;
use crate::model::finding::{Finding, Fix};
use crate::text::{FileId, SourceFile, Span};

/// The text of a file with every fix of these findings made. Of fixes that overlap the first counts.
pub fn corrected(id: FileId, file: &SourceFile, findings: &[Finding]) -> String {
    let mut fixes: Vec<&Fix> = findings.iter().flat_map(|d| &d.text.fixes).filter(|fix| fix.span.file == id).collect();
    fixes.sort_by_key(|fix| (fix.span.start, fix.span.end));
    let mut text = String::with_capacity(file.text.len());
    let mut at = 0;
    for fix in fixes {
        if fix.span.start >= at
            && let Some(kept) = file.text.get(at..fix.span.start)
        {
            text.push_str(kept);
            text.push_str(&fix.text);
            at = fix.span.end;
        }
    }
    text.push_str(file.text.get(at..).unwrap_or_default());
    text
}

/// Lines around a change that a patch shows, as far as they may be shown.
const CONTEXT: usize = 3;

/// A unified diff from a file to its corrected text, of the same number of lines: a patch of the whole file. Lines that may hold
/// secrets are never part of it, so that a change may have less context, or none.
pub fn diff(config: &ParsedConfig, id: FileId, file: &SourceFile, corrected: &str) -> String {
    let (before, after): (Vec<&str>, Vec<&str>) =
        (file.text.split_inclusive('\n').collect(), corrected.split_inclusive('\n').collect());
    let changes = |line: usize| before.get(line) != after.get(line);
    // With other line ends the numbers of lines are not those of a patch.
    let countable = file.line_count() == before.len() + usize::from(file.text.ends_with('\n') || file.text.is_empty());
    let shows = |line: usize| {
        let range = file.line_range(line + 1);
        countable && (before[line].trim().is_empty() || config.is_visible(Span::new(id, range.start, range.end)))
    };
    let mut text = String::new();
    let mut next = 0;
    while let Some(first) = (next..before.len()).find(|line| changes(*line)) {
        let mut start = first;
        while start > next && first - start < CONTEXT && shows(start - 1) {
            start -= 1;
        }
        let (mut end, mut last) = (first + 1, first);
        while end < before.len() && (changes(end) || (end - last <= CONTEXT && shows(end))) {
            if changes(end) {
                last = end;
            }
            end += 1;
        }
        if text.is_empty() {
            let _ = writeln!(text, "--- {name}\n+++ {name}", name = file.name);
        }
        let _ = writeln!(text, "@@ -{0},{1} +{0},{1} @@", start + 1, end - start);
        let mut line = start;
        while line < end {
            let run = (line..end).take_while(|line| changes(*line)).count();
            for (sign, lines) in [('-', &before), ('+', &after)] {
                lines[line..line + run].iter().for_each(|line| put(&mut text, sign, line));
            }
            line += run;
            if run == 0 {
                put(&mut text, ' ', before[line]);
                line += 1;
            }
        }
        next = end;
    }
    text
}

fn put(text: &mut String, sign: char, line: &str) {
    text.push(sign);
    text.push_str(line);
    if !line.ends_with('\n') {
        text.push_str("\n\\ No newline at end of file\n");
    }
}
