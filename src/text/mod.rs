//! Text with places in it: what a finding points at. Knows nothing of what the text means.

pub(crate) mod file;
pub(crate) mod mapped;

pub(crate) use crate::model::span::{FileId, Span, Spanned};
pub(crate) use file::{SourceFile, Sources};
pub(crate) use mapped::MappedText;
