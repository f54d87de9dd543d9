//! Whether a migration failed because another guest has taken a device of the plan.

use crate::domain;
use crate::libvirt::{DomainXml, Hypervisor};
use crate::migration::forward::{self, Order};
use crate::model::pci::PciAddress;

/// The device of the plan that another guest has by now. libvirt names it in its refusal; over ssh that refusal is often lost
/// ("End of file while reading data", seen with libvirt 11.3), so that the destination is asked as well.
pub(super) fn taken(destination: &dyn Hypervisor, order: &Order, why: &str) -> Option<PciAddress> {
    let is_planned = |device: &PciAddress| super::gets(&order.map, *device);
    if order.map.is_empty() {
        return None;
    }
    forward::taken_device(why).filter(is_planned).or_else(|| {
        let others = destination.domains().ok()?.into_iter();
        others.filter(|guest| guest.state.is_active() && guest.uuid != order.instance.uuid).find_map(|guest| {
            let xml = destination.xml(&guest.uuid, DomainXml::Live).ok()?;
            let described = domain::read::read(&xml).ok()?;
            described.hostdevs.iter().filter_map(|hostdev| hostdev.source).find(is_planned)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::{Action, DeviceMove};
    use crate::libvirt::{RunReason, State};
    use crate::migration::recover::scripted::{Has, OFF, Scripted};

    #[test]
    fn a_device_that_another_guest_has_is_found_whatever_libvirt_said() {
        let device: PciAddress = "0000:c1:00.1".parse().unwrap();
        let map = vec![DeviceMove::new("0000:81:00.1".parse().unwrap(), device, Action::Migrate)];
        let order = Order { map, ..forward::engine_tests::order() };
        let host = |state, devices: &[&str]| {
            let host = Scripted::default();
            let devices = devices.iter().map(|&device| device.to_owned()).collect();
            *host.0.lock().unwrap() = Has { state, devices, ..Has::default() };
            host
        };
        let running = Some(State::Running(RunReason::Other(1)));
        let (named, lost) =
            ("PCI device 0000:c1:00.1 is in use by driver QEMU, domain x", "End of file while reading data");
        assert_eq!(taken(&host(None, &[]), &order, named), Some(device));
        assert_eq!(taken(&host(None, &[]), &order, &named.replace("00.1", "00.7")), None, "not of this plan");
        for (state, devices, found) in [
            (running, &["0000:c1:00.1"][..], Some(device)),
            (running, &["0000:c1:00.2"], None),
            (Some(OFF), &["0000:c1:00.1"], None),
            (None, &[], None),
        ] {
            assert_eq!(taken(&host(state, devices), &order, lost), found, "{state:?}, {devices:?}");
        }
    }
}
