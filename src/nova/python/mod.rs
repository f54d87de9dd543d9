//! What Python does to the text of Nova's configuration: its JSON, its `re`, its `int` and `repr`.

pub(crate) mod json;
pub(crate) mod node;
pub(crate) mod number;
pub(crate) mod regex;
pub(crate) mod words;
