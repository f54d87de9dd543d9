//! The vocabulary that every room shares: PCI names, the snapshot of a host, findings, outcomes and times. It uses no other room.

pub mod both;
pub mod causes;
pub mod device_move;
pub mod finding;
pub mod format;
pub mod functions;
pub mod identity;
pub mod known;
pub mod near_miss;
pub mod options;
pub mod outcome;
pub mod paste;
pub mod pci;
pub mod regular;
pub mod size;
pub mod snapshot;
pub mod span;
pub mod time;
pub mod vfio_drivers;
