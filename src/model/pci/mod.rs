//! The vocabulary of PCI: addresses and ids. Knows no other module of pvm.

pub(crate) mod address;
pub(crate) mod ids;

pub(crate) use address::PciAddress;
pub(crate) use ids::PciId;
