//! What the engine is told to do: a plan in the terms of libvirt.

use std::time::Duration;

use crate::domain::rewrite::Mapping;
use crate::journal;

/// One migration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// Its id.
    pub id: String,
    /// The guest.
    pub instance: journal::Instance,
    /// Where it runs.
    pub source: journal::Host,
    /// What to call it: `local` has a name too.
    pub source_label: String,
    /// Where it goes.
    pub destination: journal::Host,
    /// URI under which the source's daemon reaches the destination's.
    pub destination_uri: String,
    /// Where the data goes; `None`: libvirt's choice.
    pub migrate_uri: Option<String>,
    /// What happens to each host device.
    pub map: Vec<journal::Move>,
    /// The devices that move with their state, for the rewriter.
    pub mapping: Mapping,
    /// Every device, for the persistent definition.
    pub persistent_mapping: Mapping,
    /// Ports, in the order in which they are unplugged.
    pub ports: Vec<journal::Port>,
    /// Whether the guest has a persistent definition, which then moves along.
    pub persistent: bool,
    /// Whether it starts with its host.
    pub autostart: bool,
    /// Whether it is paused, and stays so.
    pub paused: bool,
    /// How it is done.
    pub options: Options,
}

/// How a migration is done.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Options {
    /// Limit of the downtime; `None`: libvirt's.
    pub max_downtime: Option<Duration>,
    /// Limit of the bandwidth in MiB per second; `None`: no limit.
    pub bandwidth: Option<u64>,
    /// After this time, unless it is in switch-over, it is aborted and undone.
    pub timeout: Option<Duration>,
    /// Encrypt the data.
    pub tls: bool,
    /// Number of connections; `None`: one.
    pub parallel: Option<u32>,
    /// Whether a device state that could not be proved is a failure.
    pub require_proof: bool,
}

impl Order {
    /// The first record of its journal.
    pub fn journal_plan(&self) -> journal::Plan {
        let options = &self.options;
        let milliseconds = |time: Option<Duration>| time.map(|t| t.as_millis().to_string());
        let parameters = [
            ("max_downtime_ms", milliseconds(options.max_downtime)),
            ("timeout_ms", milliseconds(options.timeout)),
            ("bandwidth_mib", options.bandwidth.map(|n| n.to_string())),
            ("parallel", options.parallel.map(|n| n.to_string())),
            ("tls", options.tls.then(|| "true".to_owned())),
            ("require_proof", options.require_proof.then(|| "true".to_owned())),
        ];
        journal::Plan {
            id: self.id.clone(),
            pvm_version: env!("CARGO_PKG_VERSION").to_owned(),
            instance: self.instance.clone(),
            source: self.source.clone(),
            destination: self.destination.clone(),
            map: self.map.clone(),
            direct: false,
            undefine_source: self.persistent,
            persist_destination: self.persistent,
            autostart: self.autostart,
            parameters: parameters
                .into_iter()
                .filter_map(|(name, value)| Some((name.to_owned(), value?.into())))
                .collect(),
        }
    }
}
