//! Hosts as the operator names them.

pub mod reference;
pub mod settings;

pub use reference::{HostRef, HostRefError};
pub use settings::{Facts, HostSettings, Settings, SettingsError};
