//! Text with places in it: what a finding points at. Knows nothing of what the text means.

pub mod file;
pub mod mapped;
pub mod near_miss;

pub use crate::model::span::{FileId, Span};
pub use file::{SourceFile, Sources};
pub use mapped::MappedText;

/// A value with the place it was read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spanned<T> {
    /// The value.
    pub value: T,
    /// Where it stands.
    pub span: Span,
}

impl<T> Spanned<T> {
    /// `value`, read at `span`.
    pub const fn new(value: T, span: Span) -> Self {
        Self { value, span }
    }
}
