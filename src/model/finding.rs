//! Findings: what pvm has to say about a place, with a stable code and a remedy. Data only; `output` renders them.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::span::Span;

/// How much a finding weighs. Ordered: `Info` < `Warning` < `Error`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing; never changes an exit code.
    Info,
    /// Counts with `--strict`.
    Warning,
    /// Exit code 1.
    Error,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

/// One kind of finding: a lint, a check, a mismatch or an error, as `pvm explain` lists it.
///
/// Each rule is declared in the file that applies it, by one of the macros `rules!`, `check!` and `lint!`, with its page as
/// a doc comment: one sentence that says what is wrong when it fires, then the three [`HEADINGS`]. A page that lacks one of
/// them does not compile.
#[derive(Debug, PartialEq, Eq)]
pub struct Rule {
    /// Stable kebab-case code.
    pub code: &'static str,
    /// Severity of the findings it makes, unless a finding says otherwise.
    pub severity: Severity,
    page: &'static str,
}

/// What the page of every rule says, in this order.
pub(crate) const HEADINGS: [&str; 3] = ["# Meaning", "# Check by hand", "# Fix"];

impl Rule {
    /// A rule with its page, as the lines of a doc comment are: each begins with a space.
    ///
    /// # Panics
    ///
    /// When the page lacks one of the [`HEADINGS`] or says nothing below one; in a constant that is an error of the compiler.
    pub const fn new(code: &'static str, severity: Severity, page: &'static str) -> Self {
        let mut at = 0;
        let mut next = 0;
        while next < HEADINGS.len() {
            let found = find(page.as_bytes(), at, HEADINGS[next].as_bytes());
            assert!(
                found > at + 3,
                "a page has a first sentence, # Meaning, # Check by hand and # Fix, each with its text"
            );
            at = found + HEADINGS[next].len();
            next += 1;
        }
        assert!(page.len() > at + 3, "a page says something below # Fix");
        Self { code, severity, page }
    }

    /// The sentence that says what is wrong when the rule fires.
    pub fn summary(&self) -> String {
        self.lines().take_while(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
    }

    /// The lines of the page below the summary: headings, text, and between fences what is to be pasted.
    pub fn page(&self) -> impl Iterator<Item = &'static str> {
        self.lines().skip_while(|line| !line.is_empty()).skip(1)
    }

    fn lines(&self) -> impl Iterator<Item = &'static str> {
        self.page.lines().map(|line| line.strip_prefix(' ').unwrap_or(line))
    }
}

/// Where a line ` LINE` begins in `page`, at or after `from`; 0 if there is none.
const fn find(page: &[u8], from: usize, line: &[u8]) -> usize {
    let mut at = from;
    while at + line.len() + 2 <= page.len() {
        let mut same = 0;
        while same < line.len() && page[at + 1 + same] == line[same] {
            same += 1;
        }
        if same == line.len() && page[at] == b' ' && page[at + 1 + same] == b'\n' {
            return at;
        }
        at += 1;
    }
    0
}

/// The rule of a page, for the macros that declare rules.
macro_rules! rule {
    ($code:expr, $severity:ident, $($page:literal)+) => {
        $crate::model::finding::Rule::new(
            $code,
            $crate::model::finding::Severity::$severity,
            concat!($($page, "\n"),+),
        )
    };
}

/// Declares the rules of a file, and their list `RULES`, which the list of the file's room names once:
///
/// ```text
/// rules! {
///     /// The file is not UTF-8; no Nova service starts.
///     ///
///     /// # Meaning
///     /// Nova opens its files as UTF-8 text and stops at the first byte that is not.
///     /// # Check by hand
///     /// iconv -f UTF-8 -t UTF-8 FILE >/dev/null says where.
///     /// # Fix
///     /// Save the file as UTF-8.
///     NOT_UTF8 = "not-utf8", Error;
/// }
/// ```
macro_rules! rules {
    ($($(#[doc = $page:literal])+ $vis:vis $name:ident = $code:literal, $severity:ident;)+) => {
        $(
            #[allow(
                rustdoc::broken_intra_doc_links,
                rustdoc::invalid_html_tags,
                reason = "a page is read in a terminal: [pci] and <address> are what they say"
            )]
            $(#[doc = $page])+
            $vis static $name: $crate::model::finding::Rule =
                $crate::model::finding::rule!($code, $severity, $($page)+);
        )+

        /// Every rule of this file, for `pvm explain`.
        pub(crate) const RULES: &[&$crate::model::finding::Rule] = &[$(&$name),+];
    };
}

pub(crate) use {rule, rules};

/// The answer of a comparison or a check. What is unknown is never shown as a yes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// It was compared, and all is well.
    Yes,
    /// It was compared, and it is not.
    No,
    /// A fact is missing.
    Unknown,
}

impl From<bool> for Answer {
    fn from(yes: bool) -> Self {
        if yes { Self::Yes } else { Self::No }
    }
}

/// What a reader, a lint, the inventory or a check has to say, and where: in a file, or about a host, a device, an instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The rule's code; another host's pvm may have rules that this one does not know.
    pub code: Cow<'static, str>,
    /// How much it weighs here.
    pub severity: Severity,
    /// One sentence in the operator's words; empty where a check passed.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// Where in which file, once [`Text::primary`] was looked up there.
    #[serde(flatten)]
    pub file: Option<FilePlace>,
    /// Host it concerns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Device it concerns: a PCI address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// Instance it concerns: a domain's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// A command, or the text to write instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
    /// What Nova would answer, where Nova would answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nova_error: Option<NovaError>,
    /// What is shown beside the lines of the file.
    #[serde(skip)]
    pub text: Text,
}

/// A place in a file, for whoever does not have the file open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FilePlace {
    /// The file, as the user named it.
    #[serde(rename = "file")]
    pub name: String,
    /// 1-based line.
    pub line: usize,
    /// The characters; absent where only the line is known.
    #[serde(flatten)]
    pub range: Option<Range>,
}

/// The characters of a place in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Range {
    /// 1-based column in characters.
    pub column: usize,
    /// Line on which the place ends.
    pub end_line: usize,
    /// Column just after the place.
    pub end_column: usize,
    /// First byte of the place in the file.
    pub start_byte: usize,
    /// The byte just after the place.
    pub end_byte: usize,
}

/// What a finding shows of the file it is about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Text {
    /// The place, and what was found there.
    pub primary: Option<Label>,
    /// Other places that matter.
    pub related: Vec<Label>,
    /// Nova's rule, or more of the story.
    pub note: Option<String>,
    /// Changes to the file that cannot change a meaning the operator may have wanted.
    pub fixes: Vec<Fix>,
}

/// A place and what was found there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// The place.
    pub span: Span,
    /// A few words; may be empty.
    pub text: String,
}

/// A change to a file. Those of one finding are made together or not at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fix {
    /// The place that is replaced.
    pub span: Span,
    /// What was read there, whatever the case of its letters: a place where something else is written, such as a variable that
    /// stands for it, is left alone.
    pub old: String,
    /// What stands there instead.
    pub new: String,
}

/// What Nova would answer: the exception's class without its module, and its text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", from = "String")]
pub struct NovaError {
    /// Class name.
    pub class: Cow<'static, str>,
    /// The message; empty where only the class is certain.
    pub message: String,
}

impl NovaError {
    /// The exception `class` with `message`.
    pub fn new(class: &'static str, message: impl Into<String>) -> Self {
        Self { class: Cow::Borrowed(class), message: message.into() }
    }
}

impl fmt::Display for NovaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let between = if self.message.is_empty() { "" } else { ": " };
        write!(f, "{}{between}{}", self.class, self.message)
    }
}

impl From<NovaError> for String {
    fn from(error: NovaError) -> Self {
        error.to_string()
    }
}

impl From<String> for NovaError {
    fn from(text: String) -> Self {
        let (class, message) = text.split_once(": ").unwrap_or((&text, ""));
        Self { class: Cow::Owned(class.to_owned()), message: message.to_owned() }
    }
}

impl Finding {
    /// A finding of `rule` with its severity, without a place.
    pub fn new(rule: &Rule, message: impl Into<String>) -> Self {
        Self {
            code: Cow::Borrowed(rule.code),
            severity: rule.severity,
            message: message.into(),
            file: None,
            host: None,
            device: None,
            instance: None,
            remedy: None,
            nova_error: None,
            text: Text::default(),
        }
    }

    /// Whether `rule` made it.
    pub fn is(&self, rule: &Rule) -> bool {
        self.code == rule.code
    }

    /// Says where in a file, and what was found there.
    #[must_use]
    pub fn at(mut self, span: Span, found: impl Into<String>) -> Self {
        self.text.primary = Some(Label { span, text: found.into() });
        self
    }

    /// Adds another place.
    #[must_use]
    pub fn also(mut self, span: Span, text: impl Into<String>) -> Self {
        self.text.related.push(Label { span, text: text.into() });
        self
    }

    /// Adds Nova's rule.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.text.note = Some(note.into());
        self
    }

    /// Adds a harmless change that cures it.
    #[must_use]
    pub fn fix(mut self, span: Span, old: impl Into<String>, new: impl Into<String>) -> Self {
        self.text.fixes.push(Fix { span, old: old.into(), new: new.into() });
        self
    }

    /// Adds what to do about it, or what to write instead.
    #[must_use]
    pub fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }

    /// Adds what Nova would answer.
    #[must_use]
    pub fn nova(mut self, class: &'static str, message: impl Into<String>) -> Self {
        self.nova_error = Some(NovaError::new(class, message));
        self
    }

    /// Says which device it is about.
    #[must_use]
    pub fn device(mut self, device: &impl ToString) -> Self {
        self.device = Some(device.to_string());
        self
    }

    /// Gives it another weight than its rule's.
    #[must_use]
    pub fn severity(mut self, severity: Severity) -> Self {
        self.severity = severity;
        self
    }
}
