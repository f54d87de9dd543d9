//! What Python does to the text of Nova's configuration: its JSON, its `re`, its `int` and `repr`.

pub mod json;
pub mod node;
pub mod number;
pub mod regex;
pub mod words;
