//! Findings: what pvm has to say about a place, with a stable code and a remedy. Data only; `output` renders them.

use serde::{Deserialize, Serialize};

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

impl std::fmt::Display for Severity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
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
pub const HEADINGS: [&str; 3] = ["# Meaning", "# Check by hand", "# Fix"];

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
        pub const RULES: &[&$crate::model::finding::Rule] = &[$(&$name),+];
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

/// One finding. The place is a position in a file, or a host, device or instance; what does not apply is absent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The rule's code.
    pub code: String,
    /// How much it weighs here.
    pub severity: Severity,
    /// One sentence in the operator's words.
    pub message: String,
    /// File the finding is in, as the user named it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// 1-based line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// 1-based column in characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<usize>,
    /// Line on which the place ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_line: Option<usize>,
    /// Column just after the place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_column: Option<usize>,
    /// First byte of the place in the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_byte: Option<usize>,
    /// The byte just after the place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_byte: Option<usize>,
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
    pub nova_error: Option<String>,
}

impl Finding {
    /// A finding of `rule` with its severity, without a place.
    pub fn new(rule: &Rule, message: impl Into<String>) -> Self {
        Self {
            code: rule.code.to_owned(),
            severity: rule.severity,
            message: message.into(),
            file: None,
            line: None,
            column: None,
            end_line: None,
            end_column: None,
            start_byte: None,
            end_byte: None,
            host: None,
            device: None,
            instance: None,
            remedy: None,
            nova_error: None,
        }
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }

    /// Says which device it is about.
    #[must_use]
    pub fn device(mut self, device: &impl ToString) -> Self {
        self.device = Some(device.to_string());
        self
    }

    /// Says which host it is about.
    #[must_use]
    pub fn host(mut self, host: impl Into<String>) -> Self {
        self.host = Some(host.into());
        self
    }

    /// Says which instance it is about.
    #[must_use]
    pub fn instance(mut self, instance: impl Into<String>) -> Self {
        self.instance = Some(instance.into());
        self
    }

    /// Gives it another weight than its rule's.
    #[must_use]
    pub fn severity(mut self, severity: Severity) -> Self {
        self.severity = severity;
        self
    }
}
