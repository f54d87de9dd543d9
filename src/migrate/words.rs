//! The end of a migration in one sentence.

use super::order::Order;
use super::step::{End, Place};
use super::way::NAMES_DIRECT;
use crate::hypervisor::{Failure, HypervisorError};
use crate::outcome::Outcome;
use crate::pci::PciAddress;

/// Where the guest is, and why if that is not what was wanted.
pub(super) fn message(order: &Order, end: &End, missing: &[PciAddress]) -> String {
    let (instance, source, destination) = (&order.instance.name, &order.source_label, &order.destination.name);
    let why = end.why.as_deref().unwrap_or("no reason is known");
    let id = &order.id;
    let ports: Vec<_> = missing.iter().map(PciAddress::to_string).collect();
    let ports = ports.join(", ");
    match (end.place, end.outcome) {
        (Place::Destination, Outcome::Fine) => format!("{instance} runs on {destination}"),
        (Place::Destination, _) if end.open => {
            format!("{instance} runs on {destination}, but is not finished: {why}; see: pvm recover {id}")
        }
        (Place::Destination, _) if !missing.is_empty() => {
            format!("{instance} runs on {destination}, but has no port in place of {ports}")
        }
        (Place::Destination, _) => {
            format!("{instance} runs on {destination}, but the state of its devices is lost or not proved")
        }
        (Place::Source, _) if end.open => {
            format!("{instance} stays on {source}, but is not undone: {why}; see: pvm recover {id}")
        }
        (Place::Source, Outcome::Findings | Outcome::Unknown) => {
            format!("{instance} stays on {source}, nothing was changed: {why}")
        }
        (Place::Source, Outcome::Incomplete) if !missing.is_empty() => {
            format!("{instance} stays on {source}, but without port {ports}: {why}")
        }
        (Place::Source, Outcome::Incomplete) => {
            format!("{instance} stays on {source}, but its devices are not proved: {why}")
        }
        (Place::Source, _) => format!("{instance} stays on {source}, all was undone: {why}"),
        (Place::Unclear, _) => {
            format!("where {instance} runs is not clear: {why}; nothing is released, see: pvm recover {id}")
        }
    }
}

/// The device of a host that libvirt says another guest has taken (`virHostdevPreparePCIDevices`: "PCI device … is in use by
/// driver …, domain …").
pub fn taken_device(message: &str) -> Option<PciAddress> {
    let (_, behind) = message.split_once("PCI device ")?;
    let (address, behind) = behind.split_once(' ')?;
    if behind.starts_with("is in use by driver") { address.parse().ok() } else { None }
}

/// libvirt's error when nothing has moved, with the way round if it may be that the source's daemon does not reach the
/// destination's.
pub(super) fn before_anything_moved(order: &Order, error: &HypervisorError) -> String {
    if error.failure != Failure::PeerUnreached {
        return error.message.clone();
    }
    format!(
        "{}; the daemon of {} opens {} as its own user: where it cannot, {NAMES_DIRECT}",
        error.message, order.source_label, order.destination_uri
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_device_is_read_from_libvirts_words() {
        let address: PciAddress = "0000:02:10.0".parse().unwrap();
        let said = "all was undone: Requested operation is not valid: PCI device 0000:02:10.0 is in use by driver QEMU, domain x";
        assert_eq!(taken_device(said), Some(address));
        assert_eq!(taken_device("Unable to reset PCI device 0000:02:10.0: no FLR"), None);
        assert_eq!(taken_device("PCI device nonsense is in use by driver QEMU"), None);
    }
}
