//! oslo.config's dialect of INI (`oslo_config/iniparser.py`), with every error of the file and every value's way back.

use crate::model::finding::{Finding, rules};
use crate::nova::python::words::{is_space, strip};
use crate::text::{FileId, MappedText, SourceFile, Span, Spanned};

rules! {
    /// A line of the file is not what oslo.config can read; no Nova service starts.
    ///
    /// # Meaning
    /// oslo.config reads a file line by line. A section header ends with ] and nothing follows it. An option is NAME =
    /// VALUE (or NAME: VALUE) in a section. A line that starts with a blank continues the option above; a blank line, a
    /// comment or a header ends that option. A comment has # or ; in the first column.
    /// # Check by hand
    /// grep -n '^[[:space:]]' FILE shows every continuation line.
    /// # Fix
    /// Indent what belongs to a value, start everything else in the first column.
    INI_SYNTAX = "ini-syntax", Error;

    /// A file has more errors or entries than pvm looks at, so its verdict is not complete.
    ///
    /// # Meaning
    /// pvm stops after 50 lines of one file that are no configuration, and reads 10,000 device_specs and 10,000
    /// aliases. Beyond that the file is something else, or made to keep a checker busy.
    /// # Check by hand
    /// file PATH; wc -l PATH
    /// # Fix
    /// Name the right file, or correct the errors shown and run again.
    pub(crate) TOO_MUCH = "too-much", Warning;
}

/// One assignment.
#[derive(Debug, Clone)]
pub struct Assignment {
    /// Section as written, without its brackets.
    pub section: Spanned<String>,
    /// Key as written.
    pub key: Spanned<String>,
    /// Value: first line and continuation lines, joined by `\n`.
    pub value: MappedText,
    /// What ended the value.
    pub ended_by: End,
}

/// What ended a value that could have gone on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Another assignment, a section, or the end of the file.
    Next,
    /// A blank line.
    Blank(Span),
    /// A comment in the first column.
    Comment(Span),
}

/// One file, read line by line.
#[derive(Debug, Default)]
pub struct Ini {
    /// Assignments in file order.
    pub assignments: Vec<Assignment>,
    /// Section headers in file order.
    pub sections: Vec<Spanned<String>>,
    /// Everything that stops Nova, not only the first.
    pub findings: Vec<Finding>,
}

/// A file with more errors is no configuration.
const MOST_ERRORS: usize = 50;

/// Splits a file as oslo.config does, but goes on after an error.
pub(crate) fn parse(id: FileId, file: &SourceFile) -> Ini {
    let mut reader =
        Reader { id, file, ini: Ini::default(), section: Section::None, open: None, after_error: false, line: 0 };
    for line in 1..=file.line_count() {
        reader.line = line;
        reader.read(line);
    }
    reader.close(End::Next);
    reader.ini
}

enum Section {
    /// Before the first header.
    None,
    /// In this one.
    Named(Spanned<String>),
    /// Behind a header that could not be read: nothing there is taken for anything.
    Unreadable,
}

struct Reader<'a> {
    id: FileId,
    file: &'a SourceFile,
    ini: Ini,
    section: Section,
    open: Option<(Spanned<String>, MappedText)>,
    /// Continuation lines after a line that was refused say nothing new.
    after_error: bool,
    line: usize,
}

impl Reader<'_> {
    fn read(&mut self, number: usize) {
        let range = self.file.line_range(number);
        let line = self.file.text[range.clone()].trim_end_matches(is_space);
        let start = range.start;
        let span = Span::new(self.id, start, start + line.len());
        if line.is_empty() {
            self.close(End::Blank(Span::new(self.id, start, start)));
            self.after_error = false;
            return;
        }
        if line.starts_with([' ', '\t']) {
            self.continuation(line, span);
            return;
        }
        self.after_error = false;
        if line.starts_with(['#', ';']) {
            self.close(End::Comment(span));
            return;
        }
        self.close(End::Next);
        if line.starts_with('[') {
            self.section(line, span);
        } else {
            self.assignment(line, span);
        }
    }

    fn continuation(&mut self, line: &str, span: Span) {
        let text = line.trim_start_matches(is_space);
        let at = span.end - text.len();
        match &mut self.open {
            Some((_, value)) => {
                let before = value.whole().end;
                value.push_replaced("\n", before..at);
                value.push_verbatim(text, at);
            }
            None if self.after_error => {}
            None => {
                let message = "this line continues nothing: no option is open here";
                let found = Span::new(self.id, at, span.end);
                self.refuse(message, found, "starts with a blank", "Unexpected continuation line", |d| {
                    d.note("a line that starts with a blank belongs to the option above it; a blank line, a comment in the first column or a section header ends that option")
                        .remedy("start the line in the first column, or remove what separates it from its option")
                });
                self.after_error = true;
            }
        }
    }

    fn section(&mut self, line: &str, span: Span) {
        if !line.ends_with(']') {
            let close = line.find(']').filter(|i| *i > 1);
            // Only names that matter here are ever repeated: the line may hold anything.
            let name = line[1..close.unwrap_or(line.len())].trim_end_matches(is_space);
            let known = matches!(name.to_lowercase().as_str(), "pci" | "default" | "filter_scheduler" | "libvirt");
            let remedy = if known { format!("[{name}]") } else { "end the line with ]".to_owned() };
            let shown = close.map_or(span, |i| Span::new(self.id, span.start + i + 1, span.end));
            let found = if close.is_some() { "after the bracket" } else { "no closing bracket" };
            self.refuse("a section header must end with ]", shown, found, "Invalid section (must end with ])", |d| {
                d.note("there are no comments after a header").remedy(remedy)
            });
            // What follows is read as the section that was meant, where that is plain.
            self.section = if known || close.is_some() {
                let name = Spanned::new(name.to_owned(), span);
                self.ini.sections.push(name.clone());
                Section::Named(name)
            } else {
                Section::Unreadable
            };
            return;
        }
        if line.len() <= 2 {
            self.refuse("a section needs a name", span, "empty", "Empty section name", |d| d.remedy("[pci]"));
            return;
        }
        let name = Spanned::new(line[1..line.len() - 1].to_owned(), span);
        self.ini.sections.push(name.clone());
        self.section = Section::Named(name);
    }

    fn assignment(&mut self, line: &str, span: Span) {
        let Some(sign) = line.find([':', '=']) else {
            let (message, nova) =
                ("this line is no assignment: it has neither = nor :", "No ':' or '=' found in assignment");
            let first = line.starts_with('\u{feff}');
            self.refuse(message, span, if first { "starts with a byte order mark" } else { "not read" }, nova, |d| {
                if first {
                    d.remedy("save the file as UTF-8 without a byte order mark")
                } else {
                    d.note("a value that goes on over several lines needs a blank before each further line")
                        .remedy("indent the line if it belongs to the option above, or put # before it")
                }
            });
            self.after_error = true;
            return;
        };
        let key = strip(&line[..sign]);
        if key.is_empty() {
            self.refuse("an option needs a name before the sign", span, "no name", "Key cannot be empty", |d| {
                d.remedy("write NAME = VALUE")
            });
            self.after_error = true;
            return;
        }
        let key_at = span.start + line[..sign].len() - line[..sign].trim_start_matches(is_space).len();
        let key = Spanned::new(key.to_owned(), Span::new(self.id, key_at, key_at + key.len()));
        let rest = &line[sign + 1..];
        let mut text = strip(rest);
        let mut at = span.end - rest.trim_start_matches(is_space).len();
        if let Some(quote) = text.chars().next().filter(|c| matches!(c, '"' | '\''))
            && text.ends_with(quote)
        {
            text = if text.len() > 1 { &text[1..text.len() - 1] } else { "" };
            at += 1;
        }
        let mut value = MappedText::new(self.id, at);
        value.push_verbatim(text, at);
        self.open = Some((key, value));
    }

    fn close(&mut self, ended_by: End) {
        let Some((key, value)) = self.open.take() else { return };
        match &self.section {
            Section::Named(section) => {
                self.ini.assignments.push(Assignment { section: section.clone(), key, value, ended_by });
            }
            Section::Unreadable => {}
            Section::None => {
                let span = key.span;
                self.refuse(
                    "an option stands before any section",
                    span,
                    "in no section",
                    "Section must be started before assignment",
                    |d| d.remedy("[DEFAULT]"),
                );
            }
        }
    }

    fn refuse(&mut self, message: &str, span: Span, found: &str, nova: &str, more: impl FnOnce(Finding) -> Finding) {
        if self.ini.findings.len() >= MOST_ERRORS {
            if self.ini.findings.len() == MOST_ERRORS {
                self.ini.findings.push(
                    Finding::new(&TOO_MUCH, "further lines of this file that are no configuration are not shown")
                        .at(span, "and so on")
                        .remedy("correct the errors shown, or name the right file"),
                );
            }
            return;
        }
        let line = self.file.position(span.start).line;
        // Nova quotes the line; it may hold anything, so it is left out here.
        let finding = Finding::new(&INI_SYNTAX, message)
            .at(span, found)
            .nova("ConfigFileParseError", format!("at {}:{line}, {nova}", self.file.name));
        self.ini.findings.push(more(finding));
    }
}
