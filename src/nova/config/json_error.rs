//! Why a value is not JSON, in the operator's words.

use std::ops::Range;

use super::alias::AliasEntry;
use super::options::OptionDef;
use super::parsed::Entry;
use crate::model::finding::{Finding, rules};
use crate::nova::oslo::ini::End;
use crate::nova::python::json::{self, JsonError};
use crate::nova::python::node::Node;
use crate::text::{MappedText, SourceFile, Sources};

rules! {
    /// A value is not JSON; nova-compute does not start.
    ///
    /// # Meaning
    /// Each device_spec and each alias is one JSON text: names and text in double quotes, true, false and null in lower
    /// case, no comma after the last member, no comments.
    /// # Check by hand
    /// echo 'VALUE' | python3 -m json.tool
    /// # Fix
    /// As the finding says. A value over several lines needs a blank before each line after the first.
    JSON_SYNTAX = "json-syntax", Error;

    /// A value is written as Python, not as JSON; nova-compute does not start.
    ///
    /// # Meaning
    /// Single quotes, True, False, None and a comma after the last member are Python. Nova reads JSON and refuses them,
    /// although some of its own documentation shows them.
    /// # Check by hand
    /// echo 'VALUE' | python3 -m json.tool
    /// # Fix
    /// "text" for 'text', true for True, false for False, null for None, no last comma.
    PYTHON_NOT_JSON = "python-not-json", Error;

    /// A comment after or inside a value became part of it.
    ///
    /// # Meaning
    /// oslo.config knows a comment only by # or ; in the first column of a line. After a value, or indented inside a
    /// value of several lines, it is part of the value, and the value is no JSON any more.
    /// # Check by hand
    /// grep -nE '^[^#;].*[}]].*[#;]' FILE
    /// # Fix
    /// Move the comment to a line of its own above the option.
    COMMENT_IN_VALUE = "comment-in-value", Error;

    /// A value over several lines is cut by a blank line, a comment or a line that is not indented.
    ///
    /// # Meaning
    /// A value goes on only over lines that start with a blank. A blank line, a comment in the first column or a line
    /// that starts in the first column ends it; such a line as "name": "a1" is then taken for an option of its own,
    /// silently.
    /// # Check by hand
    /// grep -n -A5 '^device_spec' FILE
    /// # Fix
    /// Indent every line after the first, without blank lines and comments between them.
    VALUE_CUT = "value-cut", Error;
}

/// The finding for a value that `json::parse` refused, and what was meant, where that is plain.
pub(super) fn explain(error: &JsonError, entry: &Entry, def: &OptionDef, sources: &Sources) -> (Finding, Option<Node>) {
    let Some(mapped) = &entry.text else {
        return (Finding::new(&JSON_SYNTAX, "the value is not JSON"), None);
    };
    let text = mapped.text.as_str();
    let nova = error.python_message(text);
    let (finding, meant) = comment(error, mapped, def)
        .or_else(|| cut(error, entry, mapped, def, sources.file(mapped.file())).map(|finding| (finding, None)))
        .or_else(|| python(error, mapped, def))
        .or_else(|| several(error, entry, mapped, def, sources.file(mapped.file())).map(|finding| (finding, None)))
        .unwrap_or_else(|| (plain(error, mapped, def), None));
    let finding = if error.too_deep {
        finding.nova("RecursionError", "maximum recursion depth exceeded while decoding a JSON array")
    } else if def.name == "alias" {
        finding.nova("PciInvalidAlias", format!("Invalid PCI alias definition: {nova}"))
    } else {
        finding.nova("PciConfigInvalidSpec", format!("Invalid [pci]device_spec config: Invalid entry: '{text}'"))
    };
    (finding, meant)
}

fn plain(error: &JsonError, mapped: &MappedText, def: &OptionDef) -> Finding {
    let len = mapped.text[error.offset..].chars().next().map_or(0, char::len_utf8);
    let remedy = match error.message {
        "Expecting value" if mapped.text.is_empty() => {
            format!("remove the line: an empty {} is not no {}", def.name, def.name)
        }
        "Expecting ',' delimiter" => "put a comma between the members, and close every bracket".to_owned(),
        "Expecting ':' delimiter" => "write \"name\": value".to_owned(),
        "Extra data" if def.name == "alias" => {
            "write one object for each option: an alias = … line for each alias".to_owned()
        }
        "Extra data" => "write one object, or a list of objects, for each option".to_owned(),
        "Unterminated string starting at" => "close the text with a double quote".to_owned(),
        _ => "names and text in double quotes; true, false, null in lower case".to_owned(),
    };
    Finding::new(&JSON_SYNTAX, format!("this {} is not JSON", def.name))
        .at(mapped.span(error.offset..error.offset + len), error.message)
        .remedy(remedy)
}

/// Several aliases in one value: each gets a line of its own.
fn several(
    error: &JsonError,
    entry: &Entry,
    mapped: &MappedText,
    def: &OptionDef,
    file: &SourceFile,
) -> Option<Finding> {
    let (key, finding) = (entry.key.as_ref()?, plain(error, mapped, def));
    if def.name != "alias" || error.message != "Extra data" {
        return None;
    }
    let line = file.line_range(file.position(key.span.start).line);
    let indent = file.text.get(line.start..key.span.start).filter(|before| before.trim().is_empty())?;
    let (mut names, mut fixes) = (Vec::new(), Vec::new());
    let mut at = 0;
    loop {
        let mut rest = MappedText::new(mapped.file(), 0);
        rest.push_range(mapped, at..mapped.text.len());
        let end = match json::parse(&rest) {
            Ok(_) => rest.text.len(),
            Err(more) if more.message == "Extra data" => rest.text[..more.offset].trim_end().len(),
            Err(_) => return Some(finding),
        };
        let mut one = MappedText::new(mapped.file(), 0);
        one.push_range(&rest, 0..end);
        // What is no alias by itself is not made one.
        let mut wrong = Vec::new();
        let alias = AliasEntry::read(&json::parse(&one).ok()?, &mut wrong);
        let name = alias.map(|alias| alias.name.value).filter(|name| !names.contains(name));
        if !wrong.is_empty() || name.is_none() {
            return Some(finding);
        }
        names.extend(name);
        let between = at + end;
        if between == mapped.text.len() {
            break;
        }
        let next = mapped.text[between..].find('{').map(|next| between + next);
        let Some(next) = next.filter(|next| mapped.text[between..*next].trim() == ",") else { return Some(finding) };
        fixes.push(between..next);
        at = next;
    }
    let new = format!("\n{indent}{} = ", key.value);
    Some(
        fixes
            .into_iter()
            .fold(finding, |finding, range| finding.fix(mapped.span(range.clone()), &mapped.text[range], new.as_str())),
    )
}

/// A `#` or `;` where JSON goes on, or after its end.
fn comment(error: &JsonError, mapped: &MappedText, def: &OptionDef) -> Option<(Finding, Option<Node>)> {
    let rest = &mapped.text[error.offset..];
    if !rest.starts_with(['#', ';']) {
        return None;
    }
    let len = rest.find('\n').unwrap_or(rest.len());
    let behind = error.message == "Extra data";
    let span = mapped.span(error.offset..error.offset + len);
    let mut finding = Finding::new(&COMMENT_IN_VALUE, format!("this comment is part of the {}'s value", def.name))
        .at(span, "not a comment for Nova")
        .note("a comment has # or ; in the first column of a line of its own, and it ends the value above")
        .remedy("move the comment to a line of its own above the option");
    let mut meant = None;
    if behind && len == rest.len() {
        // Taking it away leaves exactly the JSON that was meant.
        let before = mapped.text[..error.offset].trim_end().len();
        let mut kept = MappedText::new(mapped.file(), 0);
        kept.push_range(mapped, 0..before);
        if let Ok(node) = json::parse(&kept) {
            meant = Some(node);
            finding = finding.fix(mapped.span(before..mapped.text.len()), &mapped.text[before..], "");
        }
    }
    Some((finding, meant))
}

/// A value that ends too early because of what stands below it.
fn cut(error: &JsonError, entry: &Entry, mapped: &MappedText, def: &OptionDef, file: &SourceFile) -> Option<Finding> {
    let unfinished = error.offset >= mapped.text.len() || error.message.starts_with("Unterminated");
    if !unfinished || mapped.text.is_empty() {
        return None;
    }
    let last = mapped.text.char_indices().next_back().map_or(0, |(at, _)| at);
    let end = mapped.whole().end;
    let next = file.line_range(file.position(end).line + 1);
    let (found, remedy) = match entry.ended_by {
        End::Blank(_) => ("the blank line below ends the value", "remove the blank line"),
        End::Comment(_) => ("the comment below ends the value", "move the comment above the option"),
        End::Next if file.text[next].starts_with(['"', '}', ']', '{', '\'']) => {
            ("the next line does not start with a blank", "indent every line of the value after the first")
        }
        End::Next => return None,
    };
    Some(
        Finding::new(&VALUE_CUT, format!("this {} ends before its JSON does", def.name))
            .at(mapped.span(last..mapped.text.len()), found)
            .remedy(remedy),
    )
}

fn python(error: &JsonError, mapped: &MappedText, def: &OptionDef) -> Option<(Finding, Option<Node>)> {
    let text = mapped.text.as_str();
    let rest = &text[error.offset..];
    let word = ["True", "False", "None"].iter().find(|word| rest.starts_with(**word));
    let comma = rest.starts_with(['}', ']']) && text[..error.offset].trim_end().ends_with(',');
    if !rest.starts_with('\'') && word.is_none() && !comma {
        return None;
    }
    let len = word.map_or(1, |word| word.len());
    let found = if comma {
        "no comma after the last member"
    } else if word.is_some() {
        "true, false and null are lower case"
    } else {
        "text has double quotes"
    };
    let mut finding = Finding::new(&PYTHON_NOT_JSON, format!("this {} is written as Python, not as JSON", def.name))
        .at(mapped.span(error.offset..error.offset + len), found);
    if error.offset == 0 && text.ends_with('\'') && text.contains('\n') {
        let finding = finding
            .note("quotes around a value are dropped only where both stand on its first line")
            .remedy("remove the quotes around the value");
        let mut inside = MappedText::new(mapped.file(), 0);
        inside.push_range(mapped, 1..text.len() - 1);
        return Some((finding, json::parse(&inside).ok()));
    }
    let edits = conversions(text);
    let mut meant = MappedText::new(mapped.file(), 0);
    let mut at = 0;
    for (range, new) in &edits {
        let span = mapped.span(range.clone());
        meant.push_range(mapped, at..range.start);
        meant.push_replaced(new, span.start..span.end);
        at = range.end;
    }
    meant.push_range(mapped, at..text.len());
    if let Ok(node) = json::parse(&meant) {
        for (range, new) in edits {
            finding = finding.fix(mapped.span(range.clone()), &text[range], new);
        }
        return Some((finding.remedy(format!("{} = {}", def.name, meant.text.replace('\n', "\n  "))), Some(node)));
    }
    let remedy = "text in double quotes; true, false, null in lower case; no comma after the last member";
    Some((finding.remedy(remedy), None))
}

/// What turns Python's literals into JSON's.
fn conversions(text: &str) -> Vec<(Range<usize>, String)> {
    let mut edits = Vec::new();
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        let start = at;
        at += c.len_utf8();
        match c {
            '"' | '\'' => {
                let mut inner = String::new();
                let mut escaped = false;
                for d in text[at..].chars() {
                    at += d.len_utf8();
                    if !escaped && d == c {
                        break;
                    }
                    // Inside double quotes a single quote needs no backslash, a double one does.
                    if c == '\'' && d == '"' && !escaped {
                        inner.push('\\');
                    }
                    if escaped && d == '\'' {
                        inner.pop();
                    }
                    inner.push(d);
                    escaped = d == '\\' && !escaped;
                }
                if c == '\'' {
                    edits.push((start..at, format!("\"{inner}\"")));
                }
            }
            ',' if text[at..].trim_start().starts_with(['}', ']']) => edits.push((start..at, String::new())),
            _ if c.is_ascii_alphabetic() => {
                at = start + text[start..].find(|d: char| !d.is_ascii_alphanumeric()).unwrap_or(text.len() - start);
                let json = match &text[start..at] {
                    "True" => "true",
                    "False" => "false",
                    "None" => "null",
                    _ => continue,
                };
                edits.push((start..at, json.to_owned()));
            }
            _ => {}
        }
    }
    edits
}
