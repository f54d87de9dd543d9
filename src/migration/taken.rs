//! Whether a migration failed because another guest has taken a device of the plan.

use crate::domain::read;
use crate::journal;
use crate::libvirt::{DomainXml, Failure, Hypervisor, HypervisorError};
use crate::model::pci::PciAddress;

/// The device of the plan that another guest has by now. libvirt says so in its refusal; over ssh that refusal is often lost
/// ("End of file while reading data", seen with libvirt 11.3), so that the destination is asked as well.
pub(crate) fn find(
    destination: &dyn Hypervisor,
    plan: &journal::Plan,
    error: Option<&HypervisorError>,
) -> Option<PciAddress> {
    let is_planned = |device: &PciAddress| plan.map.iter().any(|moved| moved.destination == *device);
    if plan.map.is_empty() {
        return None;
    }
    let named = match error?.failure {
        Failure::DeviceTaken(device) => Some(device).filter(is_planned),
        _ => None,
    };
    named.or_else(|| {
        let others = destination.domains().ok()?.into_iter();
        others.filter(|guest| guest.state.is_active() && guest.uuid != plan.instance.uuid).find_map(|guest| {
            let xml = destination.xml(&guest.uuid, DomainXml::Live).ok()?;
            let described = read::read(&xml).ok()?;
            described.hostdevs.iter().filter_map(|hostdev| hostdev.source).find(is_planned)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::{Action, DeviceMove};
    use crate::libvirt::scripted::{Has, OFF, Scripted};
    use crate::libvirt::{RunReason, State};
    use crate::migration::forward::engine_tests::plan;

    #[test]
    fn a_device_that_another_guest_has_is_found_whatever_libvirt_said() {
        let device: PciAddress = "0000:c1:00.1".parse().unwrap();
        let map = vec![DeviceMove::new("0000:81:00.1".parse().unwrap(), device, Action::Migrate)];
        let plan = journal::Plan { map, ..plan() };
        let host = |state, devices: &[&str]| {
            let host = Scripted::default();
            let devices = devices.iter().map(|&device| device.to_owned()).collect();
            *host.0.lock().unwrap() = Has { state, devices, ..Has::default() };
            host
        };
        let running = Some(State::Running(RunReason::Other(1)));
        let error = |failure| HypervisorError { doing: "migrate".into(), message: "no".into(), failure };
        let named = |device: &str| Some(error(Failure::DeviceTaken(device.parse().unwrap())));
        assert_eq!(find(&host(None, &[]), &plan, named("0000:c1:00.1").as_ref()), Some(device));
        assert_eq!(find(&host(None, &[]), &plan, named("0000:c1:00.7").as_ref()), None, "not of this plan");
        assert_eq!(find(&host(running, &["0000:c1:00.1"]), &plan, None), None, "it did not fail at a call");
        let lost = error(Failure::Other);
        for (state, devices, found) in [
            (running, &["0000:c1:00.1"][..], Some(device)),
            (running, &["0000:c1:00.2"], None),
            (Some(OFF), &["0000:c1:00.1"], None),
            (None, &[], None),
        ] {
            assert_eq!(find(&host(state, devices), &plan, Some(&lost)), found, "{state:?}, {devices:?}");
        }
    }
}
