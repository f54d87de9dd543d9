//! What Nova takes in silence: one file per trap, each with its rule and its page.

use super::{Matcher, ParsedConfig};
use crate::finding::Rule;
use crate::snapshot::Snapshot;
use crate::source::Diagnostic;

/// What a lint looks at.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The configuration.
    pub config: &'a ParsedConfig,
    /// Its specs, compiled.
    pub matcher: &'a Matcher,
    /// The host it is for, if one was named.
    pub host: Option<&'a Snapshot>,
}

/// One trap.
#[derive(Debug)]
pub struct Lint {
    /// Its rule.
    pub rule: &'static Rule,
    /// Looks for it.
    pub run: fn(&Subject<'_>, &mut Vec<Diagnostic>),
}

/// Every lint.
pub const LINTS: &[&Lint] = &[];

/// Everything the lints have to say, sorted by place.
pub fn run(subject: &Subject<'_>) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for lint in LINTS {
        (lint.run)(subject, &mut found);
    }
    found
}
