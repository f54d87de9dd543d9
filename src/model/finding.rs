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

/// One kind of finding: a lint, a check, a mismatch or an error, as `pvm explain` lists it.
///
/// Each rule lives in the file that applies it; registries are `const` lists of them.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// Stable kebab-case code.
    pub code: &'static str,
    /// Severity of the findings it makes, unless a finding says otherwise.
    pub severity: Severity,
    /// One line: what is wrong when it fires.
    pub summary: &'static str,
    /// The page of `pvm explain`: what it means, how to check by hand, how to fix. Plain text, paragraphs apart by blank lines.
    pub page: &'static str,
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
    /// Column just behind the place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_column: Option<usize>,
    /// First byte of the place in the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_byte: Option<usize>,
    /// The byte just behind the place.
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
