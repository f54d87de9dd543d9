//! How oslo.config reads a file: sections and repeated options, `$substitution`, boolean words.

pub(crate) mod bool_word;
pub(crate) mod ini;
pub(crate) mod substitute;
