//! How the host where guests run reaches the one where they would go.

use serde::{Deserialize, Serialize};

/// What the source of a migration was asked about its way to this host.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Reach {
    /// The source's name.
    pub from: String,
    /// The daemon of this host under the URI of a migration, opened as the user of the source's daemon.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub libvirt: Option<Attempt>,
    /// The name that this host gives for the data, looked up on the source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<Attempt>,
    /// A port for the data, on which this host listened meanwhile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<Attempt>,
    /// For how many milliseconds that was over when the answer was given, which waits for the daemon too. Not kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_over_ms: Option<u64>,
}

/// One thing that was tried.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Attempt {
    /// A URI, a host name, or an address with its port.
    pub to: String,
    /// Whether it worked; none: it could not be tried.
    pub works: Option<bool>,
    /// Why not.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub why: String,
}

impl Attempt {
    /// An attempt that came to this.
    pub fn new(to: impl Into<String>, works: Option<bool>, why: impl Into<String>) -> Self {
        Self { to: to.into(), works, why: why.into() }
    }
}

/// What a host answers that listened for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Listened {
    /// For how many milliseconds; none: it could not.
    pub for_ms: Option<u64>,
}
