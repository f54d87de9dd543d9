//! Manual pages as roff: the few macros they need, and Markdown written with them.

use std::fmt::Write as _;

use pulldown_cmark::{Event, HeadingLevel, Options, Parser, Tag, TagEnd};

/// `text` without anything that roff would read as a request. A hyphen that is typed stays one when it is copied.
pub fn escape(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-");
    let lines: Vec<String> = text
        .split('\n')
        .map(|line| if line.starts_with(['.', '\'']) { format!("\\&{line}") } else { line.to_owned() })
        .collect();
    lines.join("\n")
}

/// When the texts were last gone through: a page with the date of its rendering would differ each time.
const DATE: &str = "2026-11-28";

/// The title line of a page.
pub fn title(name: &str, section: &str) -> String {
    let source = concat!("pvm ", env!("CARGO_PKG_VERSION"));
    let comment = ".\\\" Rendered by tests/it/generated.rs from the command line's definition and man/text.";
    format!("{comment}\n.TH {} {section} \"{DATE}\" \"{source}\" \"pvm manual\"\n", escape(&name.to_uppercase()))
}

/// An entry of a list: a term as roff, and its text.
pub fn entry(page: &mut String, term: &str, text: &str) {
    let _ = writeln!(page, ".TP\n{term}\n{}", escape(text.trim()));
}

/// Sections written in Markdown. A heading of the first level is a section, one of the second a subsection.
pub fn markdown(text: &str) -> String {
    let mut page = Writer::default();
    for event in Parser::new_ext(text, Options::ENABLE_TABLES) {
        page.event(event);
    }
    page.out
}

#[derive(Default)]
struct Writer {
    out: String,
    /// Numbers of the lists that are open; `None`: with bullets.
    lists: Vec<Option<u64>>,
    /// Whether the next paragraph goes on a line that was begun.
    begun: bool,
    heading: bool,
    /// A paragraph is begun by the heading before it.
    after_heading: bool,
    code: bool,
    /// The column of a table, in its head or not.
    cell: usize,
    head: bool,
}

impl Writer {
    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::Text(text) if self.code => self.out.push_str(&escape(&text)),
            Event::Text(_) | Event::Code(_) if self.head => {}
            Event::Text(text) if self.heading => self.out.push_str(&escape(&text)),
            // What looks like HTML is XML of libvirt, or a placeholder.
            Event::Text(text) | Event::InlineHtml(text) | Event::Html(text) => self.text(&escape(&text)),
            Event::Start(Tag::HtmlBlock) => self.out.push_str(".PP\n"),
            Event::End(TagEnd::HtmlBlock) => {}
            Event::Start(tag) => self.start(tag),
            Event::End(tag) => self.end(tag),
            Event::Code(text) => self.text(&format!("\\fB{}\\fR", escape(&text).replace(' ', "\\ "))),
            Event::SoftBreak => self.out.push('\n'),
            other => panic!("manual pages have no {other:?}"),
        }
    }

    /// Text of a line, which does not begin with a blank or a dot of its own.
    fn text(&mut self, text: &str) {
        let at_start = self.out.ends_with('\n');
        self.out.push_str(if at_start { text.trim_start() } else { text });
    }

    fn start(&mut self, tag: Tag<'_>) {
        let after_heading = std::mem::take(&mut self.after_heading);
        match tag {
            Tag::Heading { level, .. } => {
                self.heading = true;
                self.out.push_str(if level == HeadingLevel::H1 { ".SH " } else { ".SS " });
            }
            Tag::Paragraph if self.begun => self.begun = false,
            Tag::Paragraph if after_heading => {}
            Tag::Paragraph => self.out.push_str(if self.lists.is_empty() { ".PP\n" } else { ".IP\n" }),
            Tag::CodeBlock(_) => {
                self.code = true;
                self.out.push_str(if after_heading { ".RS 4\n.EX\n" } else { ".PP\n.RS 4\n.EX\n" });
            }
            Tag::List(first) => self.lists.push(first),
            Tag::Item => {
                match self.lists.last_mut() {
                    Some(Some(number)) => {
                        let _ = writeln!(self.out, ".IP {number}. 3");
                        *number += 1;
                    }
                    _ => self.out.push_str(".IP \\(bu 2\n"),
                }
                self.begun = true;
            }
            Tag::Strong => self.out.push_str("\\fB"),
            Tag::Emphasis => self.out.push_str("\\fI"),
            Tag::TableHead => self.head = true,
            Tag::TableRow => {
                self.cell = 0;
                self.out.push_str(".TP\n");
            }
            Tag::TableCell if !self.head => {
                self.out.push_str(["", "\n", " ("].get(self.cell).expect("a table has up to three columns"));
            }
            Tag::Table(_) | Tag::TableCell | Tag::Link { .. } => {}
            other => panic!("manual pages have no {other:?}"),
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Heading(_) => {
                self.heading = false;
                self.after_heading = true;
                self.out.push('\n');
            }
            TagEnd::Paragraph | TagEnd::TableRow => self.out.push('\n'),
            TagEnd::CodeBlock => {
                self.code = false;
                self.out.push_str(".EE\n.RE\n");
            }
            TagEnd::List(_) => drop(self.lists.pop()),
            TagEnd::Item => {
                self.begun = false;
                if !self.out.ends_with('\n') {
                    self.out.push('\n');
                }
            }
            TagEnd::Strong | TagEnd::Emphasis => self.out.push_str("\\fR"),
            TagEnd::TableHead => self.head = false,
            TagEnd::TableCell if !self.head => {
                if self.cell == 2 {
                    self.out.push(')');
                }
                self.cell += 1;
            }
            _ => {}
        }
    }
}

#[test]
fn markdown_becomes_roff() {
    let text = "# NAME\n\npvm - `--x y`\n.dot\n\n- one\n- two\n  more\n\n```sh\n$ a \\ b\n.c\n```\n\n| a | b |\n| --- | --- |\n| `k` | v |\n";
    assert_eq!(
        markdown(text),
        ".SH NAME\npvm \\- \\fB\\-\\-x\\ y\\fR\n\\&.dot\n.IP \\(bu 2\none\n.IP \\(bu 2\ntwo\nmore\n.PP\n.RS 4\n.EX\n$ a \\e b\n\\&.c\n.EE\n.RE\n.TP\n\\fBk\\fR\nv\n"
    );
}
