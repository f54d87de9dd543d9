//! The vocabulary that every room shares: PCI names, the snapshot of a host, findings, outcomes and times. It uses no other room.

pub(crate) mod both;
mod by_text;
pub(crate) mod causes;
pub(crate) mod device_move;
pub(crate) mod finding;
pub(crate) mod format;
pub(crate) mod functions;
pub(crate) mod identity;
pub(crate) mod known;
pub(crate) mod near_miss;
pub(crate) mod options;
pub(crate) mod outcome;
pub(crate) mod paste;
pub(crate) mod pattern;
pub(crate) mod pauses;
pub(crate) mod pci;
pub(crate) mod policy;
pub(crate) mod rebind;
pub(crate) mod regular;
pub(crate) mod size;
pub(crate) mod snapshot;
pub(crate) mod span;
pub(crate) mod time;
pub(crate) mod vfio_drivers;
