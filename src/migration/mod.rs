//! Moving one guest, and every way in which it can end.

pub mod forward;
pub mod recover;
