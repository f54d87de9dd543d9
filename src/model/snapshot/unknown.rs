//! Facts that could not be read.

use serde::{Deserialize, Serialize};

use crate::model::causes::plain;

/// A fact that could not be read, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unknown {
    /// The field that is null.
    pub fact: String,
    /// Why, in one sentence; where possible the command that would find out.
    pub why: String,
}

impl Unknown {
    /// An entry for `fact`.
    pub fn new(fact: impl Into<String>, why: impl Into<String>) -> Self {
        Self { fact: fact.into(), why: plain(&why.into()).into_owned() }
    }
}
