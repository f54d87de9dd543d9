//! Tags: what the configuration declares for each device, by the first spec that matches it, as Nova stores it.

use crate::model::snapshot::Device;
use crate::nova::config::ParsedConfig;
use crate::nova::config::matching::{Matcher, View};

/// Gives each device the tags of the first spec that matches it. `devices` are in ascending order.
pub fn tag(config: &ParsedConfig, devices: &mut [Device]) {
    let matcher = Matcher::new(&config.device_specs);
    if matcher.is_empty() {
        return;
    }
    let found: Vec<Option<usize>> = devices
        .iter()
        .map(|device| {
            let parent = device.parent_addr.and_then(|pf| at(devices, pf));
            matcher.first_match(&View::of(device, parent))
        })
        .collect();
    for (device, index) in devices.iter_mut().zip(found) {
        device.spec_index = index;
        let Some(spec) = index.and_then(|index| config.device_specs.get(index)) else { continue };
        device.tags.clone_from(&spec.tags);
        device.declared = spec.declared();
        device.physical_network.clone_from(&spec.tags.physical_network);
    }
}

fn at(devices: &[Device], address: crate::model::pci::PciAddress) -> Option<&Device> {
    devices.binary_search_by_key(&address, |d| d.address).ok().map(|i| &devices[i])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::pci::PciId;
    use crate::model::snapshot::Declared;
    use crate::nova::config::{Input, Machine, NoHost};

    fn device(address: &str, parent: Option<&str>) -> Device {
        Device {
            address: address.parse().unwrap(),
            parent_addr: parent.map(|p| p.parse().unwrap()),
            vendor_id: Some(PciId(0x15b3)),
            product_id: Some(PciId(0x101e)),
            ..Device::default()
        }
    }

    #[test]
    fn the_first_spec_that_matches_gives_the_tags() {
        let text = "[pci]\n\
            device_spec = {\"address\": \"0000:01:00.1\", \"physical_network\": \"physnet1\"}\n\
            device_spec = {\"vendor_id\": \"15b3\", \"product_id\": \"101e\", \"live_migratable\": \"yes\"}\n";
        let input = Input { name: "nova.conf".into(), bytes: text.into() };
        let config = crate::nova::config::load(vec![input], &NoHost, &Machine::default());
        let mut devices = [device("0000:01:00.1", None), device("0000:01:00.2", None)];
        devices[1].vendor_id = Some(PciId(0x15b3));
        tag(&config, &mut devices);
        assert_eq!((devices[0].spec_index, devices[0].declared), (Some(0), Declared::Unset));
        assert_eq!(devices[0].physical_network, Some("physnet1".into()));
        assert_eq!((devices[1].spec_index, devices[1].declared), (Some(1), Declared::Yes));
        assert_eq!(devices[1].tags.live_migratable, Some(Declared::Yes));
    }
    #[test]
    fn a_number_that_json_cannot_hold_is_no_text() {
        let text = "[pci]\ndevice_spec = {\"address\": \"0000:01:00.1\", \"resource_class\": NaN, \"color\": -Infinity}\n\
            report_in_placement = true\n";
        let input = Input { name: "nova.conf".into(), bytes: text.into() };
        let config = crate::nova::config::load(vec![input], &NoHost, &Machine::default());
        let mut devices = [device("0000:01:00.1", None)];
        tag(&config, &mut devices);
        assert_eq!(config.nova_accepts(), Some(true));
        let tags = &devices[0].tags;
        assert!(tags.resource_class.as_ref().is_some_and(crate::nova::python::number::is_nan), "{tags:?}");
        assert!(tags.get("color").is_some_and(|value| !value.is_string()), "{tags:?}");
        // Nova asks the value for its upper case, which only text has.
        let refused = crate::nova::placement::providers("host", &config.document(), &devices);
        assert_eq!(refused.unwrap_err().class, "AttributeError");
    }
}
