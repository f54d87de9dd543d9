//! Text with places in it: what a finding points at. Knows nothing of what the text means.

pub mod file;
pub mod mapped;

pub use crate::model::span::{FileId, Span, Spanned};
pub use file::{SourceFile, Sources};
pub use mapped::MappedText;
