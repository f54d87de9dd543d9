//! How oslo.config reads a file: sections and repeated options, `$substitution`, boolean words.

pub mod bool_word;
pub mod ini;
pub mod substitute;
