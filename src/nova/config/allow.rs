//! Codes that an operator has accepted, in a comment of the file: `# pvm: allow CODE, CODE`.

use std::ops::RangeInclusive;

use super::parsed::ParsedConfig;
use crate::model::finding::Finding;
use crate::text::{FileId, SourceFile};

/// What begins a comment that allows codes.
const MARK: &str = "pvm: allow ";

/// A comment that allows codes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Allowed {
    /// The lines it is about, from 1: those of the option or entry below it.
    lines: RangeInclusive<usize>,
    /// The line of the comment.
    pub line: usize,
    /// The codes.
    pub codes: Vec<String>,
}

/// The comments of a file that allow codes. One counts for the option or YAML entry below it, with all its lines; in YAML it may
/// stand after the entry.
pub(crate) fn comments(file: &SourceFile) -> Vec<Allowed> {
    let line = |number: usize| &file.text[file.line_range(number)];
    let is_blank = |text: &str| text.trim().is_empty() || text.trim_start().starts_with(['#', ';']);
    let depth = |text: &str| text.len() - text.trim_start().len();
    let mut found = Vec::new();
    let mut lines: Option<RangeInclusive<usize>> = None;
    for number in 1..=file.line_count() {
        let text = line(number);
        let Some((before, codes)) = text.split_once(MARK) else { continue };
        let Some(before) = before.trim_end().strip_suffix(['#', ';']) else { continue };
        let below = if before.trim().is_empty() { number + 1 } else { number };
        // Comments that stand together are about the same lines, which are looked for once.
        if lines.as_ref().is_none_or(|lines| *lines.start() < below) {
            // Below this comment, and so below every later one, is nothing more.
            let Some(first) = (below..=file.line_count()).find(|number| !is_blank(line(*number))) else { break };
            let deeper = |number: &usize| !line(*number).trim().is_empty() && depth(line(*number)) > depth(line(first));
            lines = Some(first..=first + (first + 1..=file.line_count()).take_while(deeper).count());
        }
        let Some(lines) = lines.clone() else { break };
        let codes = codes.split([',', ' ']).map(str::trim).filter(|code| !code.is_empty()).map(str::to_owned);
        found.push(Allowed { lines, line: number, codes: codes.collect() });
    }
    found
}

/// Whether a finding is one that a comment allows. What Nova refuses cannot be allowed.
pub(crate) fn is_allowed(finding: &Finding, config: &ParsedConfig, comments: &[(FileId, Vec<Allowed>)]) -> bool {
    let Some(label) = &finding.text.primary else { return false };
    let line = config.sources.file(label.span.file).position(label.span.start).line;
    comments
        .iter()
        .filter(|(file, _)| *file == label.span.file)
        .flat_map(|(_, allowed)| allowed)
        .any(|allowed| allowed.lines.contains(&line) && allowed.codes.iter().any(|code| *code == finding.code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_is_about_what_is_below_it() {
        let file = |text: &str| SourceFile::new("x", text.to_owned());
        let allowed = |lines, line, codes: &[&str]| Allowed {
            lines,
            line,
            codes: codes.iter().map(|code| (*code).to_owned()).collect(),
        };
        let ini = file("[pci]\n# pvm: allow a, b\n; why\ndevice_spec = {\n  1}\nalias = {}\n");
        assert_eq!(comments(&ini), [allowed(4..=5, 2, &["a", "b"])]);
        let yaml = file("alias:\n  # pvm: allow a\n  - name: x\n    product_id: y\n  - name: z  # pvm: allow c\n");
        assert_eq!(comments(&yaml), [allowed(3..=4, 2, &["a"]), allowed(5..=5, 5, &["c"])]);
        assert_eq!(comments(&file("x = pvm: allow a\n# pvm: allow b\n")), []);
        let many = file(&format!("{}x = 1\n  2\n# pvm: allow b\n\n; c\ny = 2\n", "# pvm: allow a\n".repeat(20_000)));
        let found = comments(&many);
        assert_eq!((found.len(), &found[19_999]), (20_001, &allowed(20_001..=20_002, 20_000, &["a"])));
        assert_eq!(found[20_000], allowed(20_006..=20_006, 20_003, &["b"]));
        assert_eq!(comments(&file(&"# pvm: allow a\n".repeat(20_000))), []);
    }
}
