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

/// `corrected`, with lines that may hold secrets left out and counted.
pub fn shown(config: &ParsedConfig, id: FileId, file: &SourceFile, corrected: &str) -> String {
    let mut text = String::new();
    let mut hidden = 0;
    let tell = |text: &mut String, hidden: &mut usize| {
        if *hidden > 0 {
            let _ = writeln!(text, "# ({hidden} lines left out: they are of nothing that pvm reads)");
        }
        *hidden = 0;
    };
    for (i, line) in corrected.lines().enumerate() {
        let range = file.line_range(i + 1);
        if line.trim().is_empty() || config.is_visible(Span::new(id, range.start, range.end)) {
            tell(&mut text, &mut hidden);
            let _ = writeln!(text, "{line}");
        } else {
            hidden += 1;
        }
    }
    tell(&mut text, &mut hidden);
    text
}

/// A unified diff of two texts that have the same number of lines, without context: other lines may hold secrets.
pub fn diff(name: &str, before: &str, after: &str) -> String {
    let mut text = String::new();
    for (i, (old, new)) in before.lines().zip(after.lines()).enumerate() {
        if old == new {
            continue;
        }
        if text.is_empty() {
            let _ = writeln!(text, "--- {name}\n+++ {name} (corrected)");
        }
        let _ = writeln!(text, "@@ -{line} +{line} @@\n-{old}\n+{new}", line = i + 1);
    }
    text
}
