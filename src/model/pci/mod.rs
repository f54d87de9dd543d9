//! The vocabulary of PCI: addresses and ids. Knows no other module of pvm.

pub mod address;
pub mod ids;

pub use address::PciAddress;
pub use ids::PciId;
