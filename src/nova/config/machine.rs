//! What the rules ask about the host a configuration is for. Off the compute node nothing is known, and the same
//! configuration matches differently there: Nova has the same limit.

use crate::model::snapshot::Device;

/// A network interface behind `devname`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Netdev {
    /// Name of its device in sysfs: a PCI address for a PCI function.
    pub device: String,
    /// Whether `sriov_totalvfs` of that device is above zero.
    pub is_pf: bool,
}

/// Look-ups in a host's sysfs.
pub trait PciLookup: std::fmt::Debug {
    /// Whether `/sys/bus/pci/devices/NAME/sriov_totalvfs` holds a number above zero.
    fn is_physical_function(&self, name: &str) -> bool;
    /// The device of a network interface; `None` when there is no such interface.
    fn netdev(&self, name: &str) -> Option<Netdev>;
}

/// No host at all.
#[derive(Debug, Clone, Copy)]
pub struct NoHost;

impl PciLookup for NoHost {
    fn is_physical_function(&self, _: &str) -> bool {
        false
    }

    fn netdev(&self, _: &str) -> Option<Netdev> {
        None
    }
}

/// The devices of a snapshot.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Devices<'a>(pub &'a [Device]);

fn is_pf(device: &Device) -> bool {
    device.sriov.as_ref().is_some_and(|sriov| sriov.total > 0)
}

impl PciLookup for Devices<'_> {
    fn is_physical_function(&self, name: &str) -> bool {
        // Nova looks for a directory of that very name: another spelling of the address is no device.
        name.parse().is_ok_and(|address: crate::model::pci::PciAddress| {
            address.to_string() == name && self.0.iter().any(|d| d.address == address && is_pf(d))
        })
    }

    fn netdev(&self, name: &str) -> Option<Netdev> {
        let device = self.0.iter().find(|d| d.netdev.as_deref() == Some(name))?;
        Some(Netdev { device: device.address.to_string(), is_pf: is_pf(device) })
    }
}
