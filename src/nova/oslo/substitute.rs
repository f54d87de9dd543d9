//! `$name` in values, as oslo.config replaces it before Nova sees the value.
//!
//! Only options that cannot hold a secret are looked up: those of `[pci]`, the ones pvm knows, the host's name and address.
//! Any other known option makes the value unknown, never printed.

use std::collections::HashSet;
use std::sync::LazyLock;

use super::ini::Ini;
use crate::model::finding::{Finding, NovaError, rules};
use crate::nova::config::options::{self, Kind, OptionDef};
use crate::nova::python::words;
use crate::text::{MappedText, Span};

rules! {
    /// $NAME in a value names no option; the service stops when it reads the value.
    ///
    /// # Meaning
    /// Before Nova sees a value, oslo.config replaces $NAME and ${NAME} by the value of that option (first of [pci],
    /// then of [DEFAULT]; ${GROUP.NAME} of that group). An unknown name is fatal, a value that contains itself too. A $
    /// that no name follows stays as it is.
    /// # Check by hand
    /// grep -n '[$]' FILE
    /// # Fix
    /// Write $$ for one $.
    pub SUBSTITUTION = "substitution", Error;

    /// $NAME in a value stands for an option pvm does not look up, so the value is not known.
    ///
    /// # Meaning
    /// oslo.config replaces $NAME by the value of that option. pvm looks up only options that cannot hold a secret:
    /// those of [pci], the host's name ($host) and address ($my_ip). For any other it cannot say what Nova will read,
    /// and says so instead of guessing.
    /// # Check by hand
    /// grep -n '[$]' FILE
    /// # Fix
    /// Write the value itself.
    pub(crate) SUBSTITUTION_UNKNOWN = "substitution-unknown", Warning;
}

/// Names of Nova's options by group: `[group]` lines and the names below them.
static NOVA_OPTIONS: LazyLock<HashSet<(&str, &str)>> = LazyLock::new(|| {
    let mut group = "";
    let mut names = HashSet::new();
    for line in include_str!("../config/data/nova_options.txt").lines() {
        match line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
            Some(name) => group = name,
            None => {
                names.insert((group, line));
            }
        }
    }
    names
});

/// What substitution may know about the machine.
#[derive(Debug, Clone, Default)]
pub struct Machine {
    /// Its host name: the default of `$host`.
    pub hostname: Option<String>,
    /// Its address: the default of `$my_ip`.
    pub address: Option<String>,
}

/// Why a value has no text.
#[derive(Debug, Clone)]
pub(crate) enum Unresolved {
    /// Nova stops here.
    Fatal {
        /// The variable.
        span: Span,
        /// Its name.
        name: String,
        /// What Nova says.
        nova: NovaError,
    },
    /// pvm does not look the option up, or does not know its value.
    Unknown {
        /// The variable.
        span: Span,
        /// Its name.
        name: String,
    },
}

impl Unresolved {
    /// The finding that says so.
    pub(crate) fn finding(self) -> Finding {
        match self {
            Self::Fatal { span, name, nova } => {
                let mut finding = Finding::new(&SUBSTITUTION, format!("${name} cannot be replaced"))
                    .at(span, "taken for an option's name")
                    .remedy("write $$ for one $");
                finding.nova_error = Some(nova);
                finding
            }
            Self::Unknown { span, name } => {
                Finding::new(&SUBSTITUTION_UNKNOWN, format!("the value of ${name} is not known here"))
                    .at(span, "not looked up")
                    .remedy("write the value itself")
            }
        }
    }
}

/// Replaces variables in values of one set of files.
#[derive(Debug)]
pub(crate) struct Substitution<'a> {
    /// The files in Nova's order.
    pub files: &'a [Ini],
    /// What is known about the machine.
    pub machine: &'a Machine,
}

/// A value is repeated at most so far by its own variables.
const MOST_BYTES: usize = 1 << 20;

impl Substitution<'_> {
    /// The value of an option of `group` after substitution.
    pub(crate) fn apply(&self, value: &MappedText, group: &str) -> Result<MappedText, Unresolved> {
        self.replace(value, group, &mut Vec::new())
    }

    fn replace(&self, value: &MappedText, group: &str, open: &mut Vec<&'static str>) -> Result<MappedText, Unresolved> {
        if !value.text.contains('$') {
            return Ok(value.clone());
        }
        let value = &escape_backslashes(value);
        let text = &value.text;
        let mut out = MappedText::new(value.file(), value.whole().start);
        let mut at = 0;
        while let Some(dollar) = text[at..].find('$').map(|i| i + at) {
            out.push_range(value, at..dollar);
            let rest = &text[dollar + 1..];
            let (name, len) = variable(rest);
            if name.is_empty() {
                out.push_range(value, dollar..dollar + 1);
                at = dollar + 1 + usize::from(rest.starts_with('$'));
                continue;
            }
            at = dollar + 1 + len;
            let span = value.span(dollar..at);
            let found = self.look_up(name, group, span, open)?;
            out.push_replaced(&found, span.start..span.end);
            if out.text.len() > MOST_BYTES {
                return Err(Unresolved::Unknown { span, name: name.to_owned() });
            }
        }
        out.push_range(value, at..text.len());
        Ok(out)
    }

    fn look_up(&self, name: &str, group: &str, span: Span, open: &mut Vec<&'static str>) -> Result<String, Unresolved> {
        let fatal = |class, message: String| Unresolved::Fatal {
            span,
            name: name.to_owned(),
            nova: NovaError::new(class, message),
        };
        let candidates: Vec<(&str, &str)> = match name.split_once('.') {
            // The options outside of any group are in none that could be named.
            Some(("DEFAULT", _)) => {
                return Err(fatal("NoSuchGroupError", "no such group [DEFAULT]".to_owned()));
            }
            Some((group, option)) => vec![(group, option)],
            None => vec![(group, name), ("DEFAULT", name)],
        };
        for (group, option) in &candidates {
            if let Some(def) = options::KNOWN.iter().find(|def| def.group == *group && def.name == *option) {
                if open.contains(&def.name) {
                    return Err(fatal("RecursionError", "maximum recursion depth exceeded".to_owned()));
                }
                open.push(def.name);
                let found = self.value_of(def, span, name, open);
                open.pop();
                return found;
            }
            if NOVA_OPTIONS.contains(&(*group, *option)) {
                return Err(Unresolved::Unknown { span, name: name.to_owned() });
            }
        }
        if NOVA_OPTIONS.iter().any(|(group, _)| *group == name) {
            return Err(fatal("TemplateSubstitutionError", format!("substituting group {name} not supported")));
        }
        let (group, option) = candidates.last().copied().unwrap_or(("DEFAULT", name));
        Err(fatal("NoSuchOptError", format!("no such option {option} in group [{group}]")))
    }

    /// A known option's value as Python prints it.
    fn value_of(
        &self,
        def: &OptionDef,
        span: Span,
        name: &str,
        open: &mut Vec<&'static str>,
    ) -> Result<String, Unresolved> {
        let unknown = || Unresolved::Unknown { span, name: name.to_owned() };
        if def.kind == Kind::Multi {
            let mut items = Vec::new();
            for occurrence in def.occurrences(self.files) {
                items.push(words::repr(&self.replace(&occurrence.value, def.group, open)?.text));
            }
            return Ok(format!("[{}]", items.join(", ")));
        }
        let written = match def.effective(self.files) {
            Some(assignment) => Some(self.replace(&assignment.value, def.group, open)?.text),
            None => None,
        };
        match (def.kind, written) {
            (Kind::Boolean(default), text) => {
                let value = text.map_or(Some(default), |text| options::boolean(&text)).ok_or_else(unknown)?;
                Ok(if value { "True" } else { "False" }.to_owned())
            }
            (Kind::Integer(default, _), None) => Ok(default.to_string()),
            (Kind::Choice(words), None) => Ok(words[0].to_owned()),
            (_, Some(text)) => Ok(text),
            (_, None) if def.name == "host" => self.machine.hostname.clone().ok_or_else(unknown),
            (_, None) => self.machine.address.clone().ok_or_else(unknown),
        }
    }
}

/// `\$` is written `$$` first; both give one sign.
fn escape_backslashes(value: &MappedText) -> MappedText {
    let text = &value.text;
    let mut out = MappedText::new(value.file(), value.whole().start);
    let mut at = 0;
    while let Some(escape) = text[at..].find("\\$").map(|i| i + at) {
        out.push_range(value, at..escape);
        let span = value.span(escape..escape + 1);
        out.push_replaced("$", span.start..span.end);
        out.push_range(value, escape + 1..escape + 2);
        at = escape + 2;
    }
    out.push_range(value, at..text.len());
    out
}

/// The variable's name behind a `$`, and how many bytes it takes with its braces; empty when there is none.
fn variable(rest: &str) -> (&str, usize) {
    if let Some(inside) = rest.strip_prefix('{') {
        let name = identifier(inside);
        return if !name.is_empty() && inside[name.len()..].starts_with('}') {
            (name, name.len() + 2)
        } else {
            ("", 0)
        };
    }
    let name = identifier(rest);
    (name, name.len())
}

/// The longest `[_a-z][._a-z0-9]*` without regard to case. Python folds four letters beyond ASCII into that range.
fn identifier(text: &str) -> &str {
    let letter = |c: char| c == '_' || c.is_ascii_alphabetic() || matches!(c, 'İ' | 'ı' | 'ſ' | 'K');
    if !text.starts_with(letter) {
        return "";
    }
    let end = text.find(|c: char| !(letter(c) || c == '.' || c.is_ascii_digit())).unwrap_or(text.len());
    &text[..end]
}
