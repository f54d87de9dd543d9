//! The snapshot: what one host says at one moment, one serialisable value (`pvm.inventory/1`).
//!
//! Planner, preflight and rewriter see nothing but snapshots. A fact that could not be read is `None` with an entry in the
//! `unknown` list of the same object; an empty list or `false` is an answer. Fields are only added within a version, and all
//! are optional on input, so that older documents still read.

pub(crate) mod config;
pub(crate) mod device;
pub(crate) mod domain;
pub(crate) mod host;
pub(crate) mod reach;
pub(crate) mod storage;
pub(crate) mod tags;
mod unknown;

pub(crate) use config::{AddressDoc, AliasDoc, ConfigDoc, OptionDoc, SpecDoc};
pub(crate) use device::{DevType, Device, Supported};
pub(crate) use domain::{Domain, Hostdev, HostdevKind};
pub(crate) use host::Host;
pub(crate) use tags::{AliasSpec, Declared, Tags};
pub(crate) use unknown::Unknown;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserializer, Error as _, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};

use crate::model::finding::Finding;
use crate::model::pci::PciAddress;

/// The schema this build writes and reads.
pub(crate) const SCHEMA: &str = "pvm.inventory/1";

/// Where a snapshot came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Via {
    /// Read on this machine.
    #[default]
    Local,
    /// pvm inventory over there, by ssh or another command.
    Ssh,
    /// libvirt's node devices alone.
    Libvirt,
    /// A saved document.
    File,
}

/// What Placement would be told about one resource provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provider {
    /// Name of the resource provider.
    pub provider: String,
    /// Its one resource class.
    pub resource_class: String,
    /// How many devices it has.
    pub total: u32,
    /// Its traits, sorted.
    pub traits: Vec<String>,
}

/// What Placement holds of one resource provider.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct HeldProvider {
    /// Name of the resource provider.
    pub provider: String,
    /// Its UUID.
    pub uuid: String,
    /// How many it has of each resource class.
    pub totals: BTreeMap<String, u64>,
    /// Its traits.
    pub traits: BTreeSet<String>,
    /// What is set aside of it, by consumer and resource class. A consumer is a server or a migration, by UUID.
    pub allocations: BTreeMap<String, BTreeMap<String, u64>>,
}

/// What one host says at one moment.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Snapshot {
    /// [`SCHEMA`].
    pub schema: String,
    /// Version of the pvm that made it.
    pub pvm_version: String,
    /// When, RFC 3339 UTC. Empty for a fixture read under `--root`, so that the same tree gives the same bytes.
    pub taken_at: String,
    /// Which way the facts came.
    pub via: Via,
    /// Whether it was read with root's rights.
    pub privileged: bool,
    /// Whether it was read under `--root`.
    pub fixture: bool,
    /// Facts of the host itself.
    pub host: Host,
    /// The parsed Nova configuration.
    pub config: ConfigDoc,
    /// Every PCI function, ascending by address.
    #[serde(deserialize_with = "bounded")]
    pub devices: Vec<Device>,
    /// Every domain, by name. Empty with an entry in `unknown` when libvirt did not answer.
    #[serde(deserialize_with = "bounded")]
    pub domains: Vec<Domain>,
    /// Placement as Nova would report it.
    pub placement: Vec<Provider>,
    /// What Placement holds of the host, its own provider first; none where it was not asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub placement_held: Option<Vec<HeldProvider>>,
    /// What pvm found wrong.
    pub findings: Vec<Finding>,
    /// Facts that could not be read.
    pub unknown: Vec<Unknown>,
}

impl Snapshot {
    /// The device at `address`. Relies on the order of `devices`, which every producer and [`Snapshot::normalise`] keep.
    pub fn device(&self, address: PciAddress) -> Option<&Device> {
        self.devices.binary_search_by_key(&address, |d| d.address).ok().map(|i| &self.devices[i])
    }

    /// Everything but the devices.
    #[must_use]
    pub fn without_devices(&self) -> Self {
        // Each field is named: one that is added must not be forgotten here.
        Self {
            schema: self.schema.clone(),
            pvm_version: self.pvm_version.clone(),
            taken_at: self.taken_at.clone(),
            via: self.via,
            privileged: self.privileged,
            fixture: self.fixture,
            host: self.host.clone(),
            config: self.config.clone(),
            devices: Vec::new(),
            domains: self.domains.clone(),
            placement: self.placement.clone(),
            placement_held: self.placement_held.clone(),
            findings: self.findings.clone(),
            unknown: self.unknown.clone(),
        }
    }

    /// Puts lists into the documented order; called on every document that was read from outside.
    pub fn normalise(&mut self) {
        self.devices.sort_by_key(|d| d.address);
        self.devices.dedup_by_key(|d| d.address);
    }

    /// Index of the domain with this name, UUID, or Nova display name if only one has it; else a sentence that says why not.
    pub fn find_domain(&self, name: &str) -> Result<usize, String> {
        let by = |is: &dyn Fn(&Domain) -> bool| -> Vec<usize> {
            self.domains.iter().enumerate().filter(|(_, domain)| is(domain)).map(|(at, _)| at).collect()
        };
        let exact = by(&|domain| domain.name == name || domain.uuid.eq_ignore_ascii_case(name));
        let displayed = by(&|domain| domain.nova.as_ref().is_some_and(|nova| nova.name.as_deref() == Some(name)));
        match (exact.as_slice(), displayed.as_slice()) {
            ([only], _) | ([], [only]) => Ok(*only),
            ([], []) => Err(match self.why_unknown("domains") {
                Some(why) => format!("the domains of {} are not known: {why}", self.host.name),
                None => format!("{} has no guest {name:?}", self.host.name),
            }),
            _ => Err(format!("{} has several domains {name:?}: give the UUID", self.host.name)),
        }
    }

    /// Why a fact of the snapshot itself is unknown.
    pub fn why_unknown(&self, fact: &str) -> Option<&str> {
        self.unknown.iter().find(|u| u.fact == fact).map(|u| u.why.as_str())
    }
}

/// More entries than any host has devices or domains: a longer list is an attack on memory, not a snapshot.
pub(crate) const MOST_ENTRIES: usize = 1 << 15;

/// Reads a list of at most [`MOST_ENTRIES`].
fn bounded<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    struct Entries<T>(PhantomData<T>);

    impl<'de, T: Deserialize<'de>> Visitor<'de> for Entries<T> {
        type Value = Vec<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<T>, A::Error> {
            let mut entries = Vec::new();
            while let Some(entry) = list.next_element()? {
                if entries.len() == MOST_ENTRIES {
                    return Err(A::Error::custom(format_args!("a list of more than {MOST_ENTRIES} entries")));
                }
                entries.push(entry);
            }
            Ok(entries)
        }
    }

    deserializer.deserialize_seq(Entries(PhantomData))
}
