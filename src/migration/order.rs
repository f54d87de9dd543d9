//! What the engine is told to do: a plan in the terms of libvirt.

use crate::journal;
use crate::model::device_move::DeviceMove;
use crate::model::options::Options;

/// One migration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// Its id.
    pub id: String,
    /// The machine that keeps its journal.
    pub machine: String,
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
    pub map: Vec<DeviceMove>,
    /// Ports, in the order in which they are unplugged.
    pub ports: Vec<journal::Port>,
    /// Whether the guest has a persistent definition, which then moves along.
    pub persistent: bool,
    /// Whether it starts with its host.
    pub autostart: bool,
    /// Whether it is paused, and stays so.
    pub paused: bool,
    /// Whether it is aborted before switch-over.
    pub rehearsal: bool,
    /// How it is done.
    pub options: Options,
}

impl Order {
    /// The devices that move with their state. Ports are unplugged by then.
    pub fn moving_state(&self) -> impl Iterator<Item = &DeviceMove> {
        self.map.iter().filter(|moved| moved.moves_state())
    }

    /// The first record of its journal.
    pub fn journal_plan(&self) -> journal::Plan {
        journal::Plan {
            id: self.id.clone(),
            pvm_version: env!("CARGO_PKG_VERSION").to_owned(),
            instance: self.instance.clone(),
            source: self.source.clone(),
            destination: self.destination.clone(),
            map: self.map.clone(),
            direct: self.options.direct,
            undefine_source: self.persistent,
            persist_destination: self.persistent,
            autostart: self.autostart,
            rehearsal: self.rehearsal,
            parameters: self.options.clone(),
        }
    }
}
