//! What is asked of libvirt for a migration.

use std::fmt;

use super::Hypervisor;

/// Which description of a domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DomainXml {
    /// The running one.
    Live,
    /// The persistent one.
    Inactive,
}

/// Where a device change takes effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Affect {
    /// The running domain.
    Live,
    /// The persistent definition.
    Config,
}

/// XML with console passwords. It is passed on to libvirt and never shown: no `Display`, and `Debug` hides it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct SecretXml(String);

impl SecretXml {
    /// Wraps XML that may hold secrets.
    pub(crate) fn new(xml: String) -> Self {
        Self(xml)
    }

    /// The XML, for libvirt or the rewriter only.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretXml {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretXml({} bytes)", self.0.len())
    }
}

/// Who talks to the destination's daemon.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Way<'a> {
    /// The source's daemon: the migration goes on if this process dies.
    PeerToPeer,
    /// This process, over the destination's connection. If it dies before switch-over, libvirt ends the migration.
    Direct(&'a dyn Hypervisor),
}

/// One live migration. What is not here is never used: post-copy, tunnelled, unsafe.
#[derive(Debug, Clone)]
pub(crate) struct MigrateRequest {
    /// URI under which the *source's* daemon reaches the destination's.
    pub destination_uri: String,
    /// Where the data goes; `None`: libvirt's choice.
    pub migrate_uri: Option<String>,
    /// Live XML for the destination.
    pub destination_xml: SecretXml,
    /// Persistent XML for the destination: the domain is defined there, and no longer on the source.
    pub persistent_xml: Option<SecretXml>,
    /// Limit in MiB per second.
    pub bandwidth: Option<u64>,
    /// Bandwidth that can be counted on at switch-over, in MiB per second.
    pub switchover_bandwidth: Option<u64>,
    /// Encrypt the data.
    pub tls: bool,
    /// Number of connections.
    pub parallel: Option<u32>,
    /// Disks to copy, by target name.
    pub copy_disks: Vec<String>,
}
