//! Corrected text: only what cannot change a meaning the operator may have wanted.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::parsed::ParsedConfig;
use super::yaml;
use crate::model::finding::{Finding, Fix};
use crate::text::{FileId, SourceFile, Span};

/// The text of a file with the fixes of these findings made. Those of one finding are made together, and only where each of its
/// places holds what was read there, and no earlier finding changes it.
pub fn corrected(id: FileId, file: &SourceFile, findings: &[Finding]) -> String {
    let mut made: BTreeMap<usize, &Fix> = BTreeMap::new();
    for finding in findings {
        let fixes: BTreeMap<usize, &Fix> = finding.text.fixes.iter().map(|fix| (fix.span.start, fix)).collect();
        let is_apart = |fix: &Fix| {
            made.range(..fix.span.end).next_back().is_none_or(|(_, other)| other.span.end <= fix.span.start)
        };
        let is_own = |fix: &Fix| {
            let written = file.text.get(fix.span.start..fix.span.end);
            fix.span.file == id
                && written.is_some_and(|written| written.eq_ignore_ascii_case(&fix.old))
                && !yaml::is_tagged(file, fix.span)
        };
        let mut ends = fixes.values().zip(fixes.values().skip(1));
        if fixes.len() == finding.text.fixes.len()
            && ends.all(|(fix, next)| fix.span.end <= next.span.start)
            && fixes.values().all(|fix| is_own(fix) && is_apart(fix))
        {
            made.extend(fixes);
        }
    }
    let mut text = String::with_capacity(file.text.len());
    let mut at = 0;
    for fix in made.values() {
        text.push_str(&file.text[at..fix.span.start]);
        text.push_str(&fix.new);
        at = fix.span.end;
    }
    text.push_str(&file.text[at..]);
    text
}

/// Lines around a change that a patch shows, as far as they may be shown.
const CONTEXT: usize = 3;

/// A unified diff from a file to its corrected text: a patch of the whole file. Lines that may hold
/// secrets are never part of it, so that a change may have less context, or none.
pub(crate) fn diff(config: &ParsedConfig, id: FileId, file: &SourceFile, corrected: &str) -> String {
    let (before, after): (Vec<&str>, Vec<&str>) =
        (file.text.split_inclusive('\n').collect(), corrected.split_inclusive('\n').collect());
    let after = lines_for(&before, &after);
    let changes = |line: usize| before.get(line).is_some_and(|own| after[line] != [*own]);
    // With other line ends the numbers of lines are not those of a patch.
    let countable = file.line_count() == before.len() + usize::from(file.text.ends_with('\n') || file.text.is_empty());
    let shows = |line: usize| {
        let range = file.line_range(line + 1);
        countable && (before[line].trim().is_empty() || config.is_visible(Span::new(id, range.start, range.end)))
    };
    let mut text = String::new();
    let (mut next, mut made) = (0, 0);
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
            let name = file_name(&file.name);
            let _ = writeln!(text, "--- {name}\n+++ {name}");
        }
        made += after[next..start].iter().map(Vec::len).sum::<usize>();
        let new: usize = after[start..end].iter().map(Vec::len).sum();
        let _ = writeln!(text, "@@ -{},{} +{},{new} @@", start + 1, end - start, made + 1);
        made += new;
        let mut line = start;
        while line < end {
            let run = (line..end).take_while(|line| changes(*line)).count();
            before[line..line + run].iter().for_each(|line| put(&mut text, '-', line));
            after[line..line + run].iter().flatten().for_each(|line| put(&mut text, '+', line));
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

/// For each line the lines that take its place.
fn lines_for<'t>(before: &[&'t str], after: &[&'t str]) -> Vec<Vec<&'t str>> {
    let mut lines: Vec<Vec<&str>> = before.iter().map(|line| vec![*line]).collect();
    for op in similar::capture_diff_slices(similar::Algorithm::Myers, before, after) {
        let (tag, old, new) = op.as_tag_tuple();
        if tag == similar::DiffTag::Equal {
            continue;
        }
        let mut new = after[new].iter().copied();
        // What is only added goes with the line above.
        for line in old.clone() {
            lines[line] = new.next().into_iter().collect();
        }
        let last = old.end.max(1) - 1;
        if let Some(line) = lines.get_mut(last) {
            line.extend(new);
        }
    }
    lines
}

/// A file's name as git and GNU patch write it: in double quotes with escapes where it holds what a patch cannot.
fn file_name(name: &str) -> String {
    if !name.contains(|c: char| c.is_control() || matches!(c, '"' | '\\')) {
        return name.to_owned();
    }
    let mut quoted = String::from("\"");
    for byte in name.bytes() {
        match byte {
            b'"' | b'\\' => quoted.extend(['\\', char::from(byte)]),
            b' '..=b'~' => quoted.push(char::from(byte)),
            _ => {
                let _ = write!(quoted, "\\{byte:03o}");
            }
        }
    }
    quoted + "\""
}

fn put(text: &mut String, sign: char, line: &str) {
    text.push(sign);
    text.push_str(line);
    if !line.ends_with('\n') {
        text.push_str("\n\\ No newline at end of file\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nova::config::{Input, Machine, NoHost, load};

    /// What `--fix` makes of a file.
    fn fixed(name: &str, text: &str) -> String {
        let input = Input { name: name.to_owned(), bytes: text.as_bytes().to_vec() };
        let config = load(vec![input], &NoHost, &Machine::default());
        let matcher = crate::nova::config::Matcher::new(&config.device_specs);
        let subject = crate::nova::lints::Subject { config: &config, matcher: &matcher, host: None };
        let found: Vec<Finding> = config.findings.iter().cloned().chain(crate::nova::lints::run(&subject)).collect();
        let (id, file) = config.sources.iter().next().unwrap();
        corrected(id, file, &found)
    }

    #[test]
    fn what_a_variable_stands_for_is_left_alone() {
        let unchanged = [
            "[DEFAULT]\nhost = 1, }\n[pci]\nalias = {\"name\": \"a\", \"vendor_id\": \"15b3\", \"product_id\": \"101e\"$host\n",
            "[DEFAULT]\nhost = True\n[pci]\nalias = {'name': 'a', 'vendor_id': '15b3', 'product_id': '101e', 'live_migratable': $host}\n",
            "[DEFAULT]\nhost = true\n[pci]\nalias = {\"name\": \"a\", \"vendor_id\": \"15b3\", \"product_id\": \"101e\", \"live_migratable\": $host}\n",
            "[DEFAULT]\nhost = # y\n[pci]\nalias = {\"name\": \"a\", \"vendor_id\": \"15b3\", \"product_id\": \"101e\"} $host\n",
        ];
        for text in unchanged {
            assert_eq!(fixed("nova.conf", text), text);
        }
        let text =
            "[DEFAULT]\nhost = 101e\n[pci]\nalias = {'name': 'a', 'vendor_id': '15b3', 'product_id': \"$host\"}\n";
        assert_eq!(fixed("nova.conf", text), text.replace('\'', "\""));
        let text = "[pci]\nalias = {\"name\": \"a\", \"vendor_id\": \"15b3\", \"product_id\": \"101e\", \"live_migratable\": true}\n";
        assert_eq!(fixed("nova.conf", text), text.replace("true", "\"yes\""));
    }

    #[test]
    fn several_aliases_in_one_value_get_a_line_each() {
        let alias = |name: &str| format!("{{\"name\": \"{name}\", \"vendor_id\": \"8086\", \"product_id\": \"1521\"}}");
        let (one, two, three) = (alias("a"), alias("b"), alias("c"));
        let text = format!("[pci]\nalias = {one}, {two} ,{three}\n# end\n");
        assert_eq!(fixed("nova.conf", &text), format!("[pci]\nalias = {one}\nalias = {two}\nalias = {three}\n# end\n"));
        for other in [format!("{one}, {one}"), format!("{one}, 7"), format!("{one} {two}"), format!("[{one}], {two}")] {
            let text = format!("[pci]\nalias = {other}\n");
            assert_eq!(fixed("nova.conf", &text), text);
        }
    }

    #[test]
    fn a_line_that_becomes_two_is_counted_in_the_patch() {
        let lines = lines_for(&["a\n", "b\n", "c\n"], &["a\n", "b1\n", "b2\n", "c\n"]);
        assert_eq!(lines, [vec!["a\n"], vec!["b1\n", "b2\n"], vec!["c\n"]]);
        assert_eq!(lines_for(&["a\n"], &["a\n", "b\n"]), [vec!["a\n", "b\n"]]);
    }

    #[test]
    fn a_value_with_a_tag_is_left_alone() {
        let text = |tag: &str, no: &str| {
            format!("alias:\n  - {{name: a, vendor_id: 15b3, product_id: 101e, live_migratable: {tag}{no}}}\n")
        };
        for tag in ["!!bool ", "!!str ", "! ", "!<tag:yaml.org,2002:bool> ", "!!bool &x ", "&x !!bool "] {
            assert_eq!(fixed("a.yaml", &text(tag, "no")), text(tag, "no"));
            assert_eq!(fixed("a.yaml", &text(tag, "True")), text(tag, "True"));
        }
        assert_eq!(fixed("a.yaml", &text("", "no")), text("", "\"no\""));
        assert_eq!(fixed("a.yaml", &text("&x ", "True")), text("&x ", "\"yes\""));
    }

    #[test]
    fn a_name_that_a_patch_cannot_hold_is_quoted() {
        assert_eq!(file_name("/etc/nova/nova.conf"), "/etc/nova/nova.conf");
        assert_eq!(file_name("a\u{1b}[1m\n\"ü"), "\"a\\033[1m\\012\\\"\\303\\274\"");
    }
}
