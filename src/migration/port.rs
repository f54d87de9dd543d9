//! Plugs a port in on the destination: the device that was planned for it or, when that is taken by now, another of the same
//! physical network.

use crate::domain::element::rewrite_element;
use crate::journal::{Action, DeviceMove, Entry, Port};
use crate::libvirt::{Affect, Hypervisor};
use crate::model::pci::PciAddress;

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Plugged {
    /// It is in, as this device.
    In(PciAddress),
    /// It is missing: no device that it may get can be plugged in. What each was refused with.
    Missing(String),
    /// The host did not answer: it may be in.
    Unanswered(String),
}

/// The devices the port may get, the one in the map first, with the element for each. Devices of other moves are theirs.
fn places(port: &Port, map: &[DeviceMove]) -> Vec<(PciAddress, String)> {
    let Some(planned) = map.iter().find(|moved| moved.source == port.source).map(|moved| moved.destination) else {
        return Vec::new();
    };
    // The element was made for the device of the plan; a later map may name another.
    let made_for = port.planned.unwrap_or(planned);
    std::iter::once(planned)
        .chain(std::iter::once(made_for))
        .chain(port.alternatives.iter().copied())
        .enumerate()
        .filter(|(at, device)| *at == 0 || map.iter().all(|moved| moved.destination != *device))
        .filter_map(|(_, device)| {
            let moved = DeviceMove::new(made_for, device, Action::Reattach);
            let xml = if device == made_for {
                port.destination_xml.clone()
            } else {
                rewrite_element(&port.destination_xml, &moved).ok()?
            };
            Some((device, xml))
        })
        .collect()
}

/// Plugs it in. Each try is recorded before it is made; a device other than the planned one comes with a new map, so that it
/// is claimed. An error is one of `record`, and then nothing is plugged in.
pub(crate) fn plug_in<E>(
    host: &dyn Hypervisor,
    uuid: &str,
    port: &Port,
    map: &[DeviceMove],
    affect: Affect,
    mut record: impl FnMut(&Entry) -> Result<(), E>,
) -> Result<Plugged, E> {
    let source = port.source;
    let mut refused = Vec::new();
    for (at, (device, xml)) in places(port, map).into_iter().enumerate() {
        if at > 0 {
            let moved = |moved: &DeviceMove| DeviceMove {
                destination: if moved.source == source { device } else { moved.destination },
                ..moved.clone()
            };
            record(&Entry::Reclaim { map: map.iter().map(moved).collect() })?;
        }
        record(&Entry::AttachIntent { source, device })?;
        match host.attach_device(uuid, &xml, affect) {
            Ok(()) => {
                record(&Entry::Attached { source, device })?;
                return Ok(Plugged::In(device));
            }
            Err(e) if e.failure.is_silence() => return Ok(Plugged::Unanswered(format!("{device}: {e}"))),
            Err(e) => refused.push(format!("{device}: {e}")),
        }
    }
    if refused.is_empty() {
        refused.push("no device is planned for it".to_owned());
    }
    Ok(Plugged::Missing(refused.join("; ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> PciAddress {
        text.parse().unwrap()
    }

    #[test]
    fn the_planned_device_comes_first_and_none_that_another_move_has() {
        let moved = |source, destination| DeviceMove::new(address(source), address(destination), Action::Reattach);
        let map = [moved("0000:81:00.2", "0000:c1:00.2"), moved("0000:81:00.3", "0000:c1:00.4")];
        let port = Port {
            source: address("0000:81:00.2"),
            alias: None,
            source_xml: String::new(),
            destination_xml:
                "<interface type='hostdev'><source><address type='pci' domain='0x0000' bus='0xc1' slot='0x00' \
                              function='0x2'/></source><address type='pci' domain='0x0000' bus='0x00' slot='0x05' \
                              function='0x0'/></interface>"
                    .into(),
            persistent: false,
            planned: Some(address("0000:c1:00.2")),
            alternatives: vec![address("0000:c1:00.4"), address("0000:c1:00.7")],
        };
        let found = places(&port, &map);
        let devices: Vec<_> = found.iter().map(|(device, _)| device.to_string()).collect();
        assert_eq!(devices, ["0000:c1:00.2", "0000:c1:00.7"]);
        assert_eq!(found[0].1, port.destination_xml);
        assert_eq!(found[1].1, port.destination_xml.replace("function='0x2'", "function='0x7'"));

        // A recovery that goes on after the map was changed can come back to the first.
        let map = [moved("0000:81:00.2", "0000:c1:00.7")];
        let devices: Vec<_> = places(&port, &map).iter().map(|(device, _)| device.to_string()).collect();
        assert_eq!(devices, ["0000:c1:00.7", "0000:c1:00.2", "0000:c1:00.4"]);
        assert_eq!(places(&port, &[]), []);
    }
}
