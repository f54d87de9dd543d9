//! Findings for people: the line of the file, underlined, and what to write instead.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::ops::Range;

use annotate_snippets::{Annotation, AnnotationKind, Element, Level, Origin, Renderer, Snippet};

use super::text::{is_dangerous, printable};
use crate::model::finding::{Finding, Label, Severity};
use crate::nova::config::{ParsedConfig, alias};
use crate::text::{FileId, Span};

/// Renders one finding. Lines that may hold secrets are named, not shown.
pub fn render(finding: &Finding, config: &ParsedConfig, width: usize) -> String {
    let level = match finding.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Info => Level::INFO,
    };
    let message = printable(&finding.message).into_owned();
    let mut group = level.primary_title(message).id(finding.code.to_string()).elements(places(finding, config, width));
    if let Some(device) = &finding.device {
        group = group.element(Level::NOTE.message(format!("device {}", printable(device))));
    }
    if let Some(note) = &finding.text.note {
        group = group.element(Level::NOTE.message(lines(note)));
    }
    if let Some(error) = &finding.nova_error {
        group = group
            .element(Level::NOTE.with_name("nova").message(printable(&shortened(&error.to_string())).into_owned()));
    }
    if let Some(remedy) = &finding.remedy {
        group = group.element(Level::HELP.message(lines(remedy)));
    }
    let mut text = Renderer::styled().term_width(width).render(&[group]);
    text.push_str("\n\n");
    text
}

/// One line that counts what was found.
pub(crate) fn summary(findings: &[Finding], config: &ParsedConfig) -> String {
    let count = |severity| findings.iter().filter(|d| d.severity == severity).count();
    let mut text = String::new();
    let verdict = match config.nova_accepts_with(findings) {
        Some(true) => "Nova accepts this configuration",
        Some(false) => "Nova refuses this configuration",
        None => "whether Nova accepts this configuration is unknown",
    };
    let _ = write!(
        text,
        "{verdict}: {}, {}",
        plural(config.device_specs.len(), "device spec", "s"),
        plural(alias::documents(&config.aliases).len(), "alias", "es")
    );
    for (severity, word) in [(Severity::Error, "error"), (Severity::Warning, "warning"), (Severity::Info, "note")] {
        if count(severity) > 0 {
            let _ = write!(text, ", {}", plural(count(severity), word, "s"));
        }
    }
    text.push('\n');
    text
}

/// Lines of one file that are shown together, and what is labelled in them (true: the primary place).
type Run<'a> = (FileId, Range<usize>, Vec<(bool, &'a Label)>);

fn plural(n: usize, word: &str, ending: &str) -> String {
    format!("{n} {word}{}", if n == 1 { "" } else { ending })
}

/// Snippets of every place that may be shown, grouped by runs of lines; of the others only file, line and column.
fn places<'a>(finding: &'a Finding, config: &'a ParsedConfig, width: usize) -> Vec<Element<'a>> {
    let mut elements = Vec::new();
    let mut runs: Vec<Run<'_>> = Vec::new();
    let labels = finding.text.primary.iter().map(|label| (true, label));
    for (primary, label) in labels.chain(finding.text.related.iter().map(|label| (false, label))) {
        let file = config.sources.file(label.span.file);
        let (start, end) = (file.position(label.span.start), file.position(label.span.end));
        if !config.is_visible(label.span) {
            if let Some(part) = config.visible_part(label.span) {
                elements.push(excerpt(config, part, start.line, [(primary, label)], width).into());
                continue;
            }
            let name = printable(&file.name).into_owned();
            elements.push(Origin::path(name).line(start.line).char_column(start.column).into());
            continue;
        }
        let lines = start.line..end.line + 1;
        let touching =
            runs.iter_mut().find(|(id, run, _)| *id == label.span.file && together(config, *id, run, &lines));
        match touching {
            Some((_, run, labels)) => {
                *run = run.start.min(lines.start)..run.end.max(lines.end);
                labels.push((primary, label));
            }
            None => runs.push((label.span.file, lines, vec![(primary, label)])),
        }
    }
    for (id, lines, labels) in runs {
        let file = config.sources.file(id);
        let start = file.line_range(lines.start).start;
        let end = file.line_range(lines.end - 1).end;
        elements.push(excerpt(config, Span::new(id, start, end), lines.start, labels, width).into());
    }
    elements
}

/// Whether two runs of lines touch, or have one line between them that may be shown as well.
fn together(config: &ParsedConfig, id: FileId, one: &Range<usize>, other: &Range<usize>) -> bool {
    if one.start > other.end + 1 || other.start > one.end + 1 {
        return false;
    }
    let file = config.sources.file(id);
    let between = one.end.min(other.end)..one.start.max(other.start);
    between
        .into_iter()
        .map(|line| file.line_range(line))
        .all(|line| config.is_visible(Span::new(id, line.start, line.end)))
}

/// A part of a file that may be shown, with what is labelled in it.
fn excerpt<'a>(
    config: &'a ParsedConfig,
    part: Span,
    first_line: usize,
    labels: impl IntoIterator<Item = (bool, &'a Label)>,
    width: usize,
) -> Snippet<'a, Annotation<'a>> {
    let file = config.sources.file(part.file);
    let text = &file.text[part.start..part.end];
    let annotations = labels.into_iter().map(|(primary, label)| {
        let kind = if primary { AnnotationKind::Primary } else { AnnotationKind::Context };
        let span = label.span.start - part.start..label.span.end.max(label.span.start) - part.start;
        kind.span(moved(text, underlined(text, span, width))).label(printable(&label.text).into_owned())
    });
    Snippet::source(harmless(text))
        .line_start(first_line)
        .path(printable(&file.name).into_owned())
        .annotations(annotations)
}

/// An excerpt for a terminal: characters that drive it are escaped, all others keep their places.
fn harmless(text: &str) -> Cow<'_, str> {
    // The lines stay lines; the renderer widens tabs.
    let stays = |at: usize, c: char| match c {
        '\n' | '\t' => true,
        '\r' => text[at + 1..].starts_with('\n'),
        _ => !is_dangerous(c),
    };
    if text.char_indices().all(|(at, c)| stays(at, c)) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 8);
    for (at, c) in text.char_indices() {
        if stays(at, c) { safe.push(c) } else { safe.extend(c.escape_unicode()) }
    }
    Cow::Owned(safe)
}

/// Where a place of `text` is in [`harmless`] text.
fn moved(text: &str, span: Range<usize>) -> Range<usize> {
    let start = harmless(&text[..span.start]).len();
    start..start + harmless(&text[span]).len()
}

/// As much of a place as leaves room for its label; the renderer would let the line run over the terminal's edge.
fn underlined(text: &str, span: Range<usize>, width: usize) -> Range<usize> {
    const LABEL_AND_MARGIN: usize = 36;
    let most = width.saturating_sub(LABEL_AND_MARGIN).max(8);
    let place = &text[span.clone()];
    match place.char_indices().nth(most) {
        Some((cut, _)) if !place.contains('\n') => span.start..span.start + cut,
        _ => span,
    }
}

/// Several lines stay several lines; everything else is made safe.
fn lines(text: &str) -> String {
    text.split('\n').map(printable).collect::<Vec<_>>().join("\n")
}

/// Nova repeats whole values in its errors.
fn shortened(text: &str) -> String {
    const MOST: usize = 200;
    if text.chars().count() <= MOST {
        return text.to_owned();
    }
    text.chars().take(MOST).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nova::config::{Input, Machine, NoHost, load};

    fn report(findings: &[Finding], config: &ParsedConfig, width: usize) -> String {
        let mut text: String = findings.iter().map(|d| render(d, config, width)).collect();
        text.push_str(&summary(findings, config));
        text
    }

    fn shown(name: &str, text: impl AsRef<[u8]>) -> String {
        let input = Input { name: name.to_owned(), bytes: text.as_ref().to_vec() };
        let config = load(vec![input], &NoHost, &Machine::default());
        let text = report(&config.findings, &config, 100);
        anstream::adapter::strip_str(&text).to_string()
    }

    #[test]
    fn underlines_what_it_names() {
        let text = shown(
            "nova.conf",
            "[pci]\ndevice_spec = {\n  \"vendor_id\": \"15b3\",\n  \"live_migratable\": \"maybe\"}\n",
        );
        insta::assert_snapshot!(text, @r#"
        error[spec-boolean]: live_migratable must be a boolean word, not 'maybe'
         --> nova.conf:4:22
          |
        4 |   "live_migratable": "maybe"}
          |                      ^^^^^^^ not a boolean word
          |
          = note: Nova takes yes, true, on, 1 or no, false, off, 0
          = nova: PciConfigInvalidSpec: Invalid [pci]device_spec config: Cannot parse tag 'live_migratable': Unrecognized value 'maybe', acceptable values are: '0', '1', 'f', 'false', 'n', 'no', 'off', 'on', 't', 'true…
          = help: "live_migratable": "yes" or "live_migratable": "no"

        Nova refuses this configuration: 0 device specs, 0 aliases, 1 error
        "#);
    }

    #[test]
    fn a_binary_file_is_one_finding() {
        let text = shown("nova.conf", b"\x7fELF\x02\0\0\n\xb4\xff\n= x\n");
        insta::assert_snapshot!(text, @r"
        error[not-utf8]: this is a binary file, not a configuration
        --> nova.conf:2:1
         = nova: UnicodeDecodeError: 'utf-8' codec can't decode byte
         = help: name the right file

        Nova refuses this configuration: 0 device specs, 0 aliases, 1 error
        ");
    }

    #[test]
    fn never_shows_a_value_that_is_not_known_to_be_novas() {
        for text in [
            "[pci]\ndevice_spec = {\n# [database]\nconnection = mysql://nova:s3cret@db/nova\n",
            "[pci]\npassword = s3cret\n  s3cret\n",
            "[pci]\ns3cret\n",
            "[pci]\na = 1\n# s3cret\nb = 2\npassword: s3cret\nc = 1\n",
            "[pci]\nalias = {\"name\": 1}\npassword = s3cret\nalias = {\"name\": 2}\n",
            "[pci]\ndevice_spec = {\n\"password\": \"s3cret\"}\n",
        ] {
            let input = Input { name: "nova.conf".to_owned(), bytes: text.as_bytes().to_vec() };
            let config = load(vec![input], &NoHost, &Machine::default());
            let matcher = crate::nova::config::Matcher::new(&config.device_specs);
            let subject = crate::nova::lints::Subject { config: &config, matcher: &matcher, host: None };
            let mut found = config.findings.clone();
            found.extend(crate::nova::lints::run(&subject));
            let shown = report(&found, &config, 100);
            assert!(!found.is_empty() && !shown.contains("s3cret"), "{text}: {shown}");
        }
    }

    #[test]
    fn an_excerpt_drives_no_terminal() {
        let text = shown("nova.conf", "[pci]\nalias = {\"name\": \"v\u{9b}31m\u{202e}\u{1b}[2J\", \"nope\": 1}\n");
        assert!(text.contains("\\u{9b}31m\\u{202e}\\u{1b}[2J"), "{text}");
        assert!(!text.chars().any(|c| c != '\n' && is_dangerous(c)), "{text}");
    }

    #[test]
    fn never_shows_a_line_outside_pci() {
        let text = shown(
            "nova.conf",
            "[database]\nconnection = mysql://nova:s3cret@db/nova\n  s3cret\n\n  s3cret s3cret\n[x\ns3cret = s3cret\n",
        );
        assert!(text.contains("nova.conf:5:3"), "{text}");
        assert!(!text.contains("s3cret"), "{text}");
    }
}
