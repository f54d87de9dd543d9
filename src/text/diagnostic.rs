//! What a reader or a lint has to say about places in files. Data only; [`Diagnostic::to_finding`] makes the document's form.

use std::fmt;

use super::{Sources, Span};
use crate::model::finding::{Finding, Rule, Severity};

/// A place and what was found there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// The place.
    pub span: Span,
    /// A few words; may be empty.
    pub text: String,
}

/// What Nova would answer: the exception's class and its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NovaError {
    /// Class name without its module.
    pub class: &'static str,
    /// The message.
    pub message: String,
}

impl NovaError {
    /// The exception `class` with `message`.
    pub fn new(class: &'static str, message: impl Into<String>) -> Self {
        Self { class, message: message.into() }
    }
}

impl fmt::Display for NovaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.class, self.message)
    }
}

/// A change to the file that cannot change a meaning the operator may have wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fix {
    /// What is replaced.
    pub span: Span,
    /// What stands there instead.
    pub text: String,
}

/// One finding with its places.
#[derive(Debug, Clone)]
pub struct Diagnostic {
    /// The rule it comes from.
    pub rule: &'static Rule,
    /// How much it weighs here.
    pub severity: Severity,
    /// What is wrong, one sentence.
    pub message: String,
    /// The place, and what was found there.
    pub primary: Option<Label>,
    /// Other places that matter.
    pub related: Vec<Label>,
    /// Nova's rule, or more of the story.
    pub note: Option<String>,
    /// What to write instead.
    pub remedy: Option<String>,
    /// What Nova would answer.
    pub nova_error: Option<NovaError>,
    /// The device it concerns, with `--host`.
    pub device: Option<String>,
    /// Harmless changes that cure it.
    pub fixes: Vec<Fix>,
}

impl Diagnostic {
    /// A finding of `rule`.
    pub fn new(rule: &'static Rule, message: impl Into<String>) -> Self {
        Self {
            rule,
            severity: rule.severity,
            message: message.into(),
            primary: None,
            related: Vec::new(),
            note: None,
            remedy: None,
            nova_error: None,
            device: None,
            fixes: Vec::new(),
        }
    }

    /// Says where, and what was found there.
    #[must_use]
    pub fn at(mut self, span: Span, found: impl Into<String>) -> Self {
        self.primary = Some(Label { span, text: found.into() });
        self
    }

    /// Adds another place.
    #[must_use]
    pub fn also(mut self, span: Span, text: impl Into<String>) -> Self {
        self.related.push(Label { span, text: text.into() });
        self
    }

    /// Adds Nova's rule.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.note = Some(note.into());
        self
    }

    /// Adds what to write instead.
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

    /// Adds a harmless change that cures it.
    #[must_use]
    pub fn fix(mut self, span: Span, text: impl Into<String>) -> Self {
        self.fixes.push(Fix { span, text: text.into() });
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

    /// The document's form: the place as lines and columns.
    pub fn to_finding(&self, sources: &Sources) -> Finding {
        let mut finding = Finding::new(self.rule, self.message.clone()).severity(self.severity);
        if let Some(Label { span, .. }) = &self.primary {
            let file = sources.file(span.file);
            let (start, end) = (file.position(span.start), file.position(span.end));
            finding.file = Some(file.name.clone());
            finding.line = Some(start.line);
            finding.column = Some(start.column);
            finding.end_line = Some(end.line);
            finding.end_column = Some(end.column);
            finding.start_byte = Some(span.start);
            finding.end_byte = Some(span.end);
        }
        finding.device.clone_from(&self.device);
        finding.remedy.clone_from(&self.remedy);
        finding.nova_error = self.nova_error.as_ref().map(ToString::to_string);
        finding
    }
}
