//! What Nova would report to Placement (`nova/compute/pci_placement_translator.py`): one resource provider for each PF or
//! plain device, with one resource class and one set of traits, or the reason why it refuses.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::model::pci::PciAddress;
use crate::model::snapshot::Declared;
use crate::model::snapshot::device::{DevType, Device};
use crate::model::snapshot::{ConfigDoc, Provider};
use crate::nova::config::placement_names;

/// Why Nova reports nothing and its compute service stops.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// Nova's exception.
    pub class: &'static str,
    /// What is inconsistent, with the device.
    pub message: String,
    /// The device it was found at.
    pub device: Option<PciAddress>,
}

struct Building {
    class: String,
    traits: BTreeSet<String>,
    total: u32,
    of_parent: bool,
}

/// Whether Nova reports PCI devices to Placement at all.
pub(crate) fn is_on(config: &ConfigDoc) -> bool {
    config.options.get("report_in_placement").is_some_and(|option| option.value == Value::Bool(true))
}

/// The providers of a host, by name; none where Nova does not report them.
pub fn providers(hostname: &str, config: &ConfigDoc, devices: &[Device]) -> Result<Vec<Provider>, Refusal> {
    if !is_on(config) {
        return Ok(Vec::new());
    }
    let refuse = |class, message: String, device| Refusal { class, message, device };
    if let Some(spec) = config.device_specs.iter().find(|s| s.devname.as_deref().is_some_and(|name| !name.is_empty())) {
        let message = format!("device_spec {} uses devname, which report_in_placement does not support", spec.index);
        return Err(refuse("PlacementPciException", message, None));
    }
    let mut building: BTreeMap<PciAddress, Building> = BTreeMap::new();
    for device in devices.iter().filter(|d| d.spec_index.is_some() && !truthy(d.tags.physical_network.as_ref())) {
        let at = device.address;
        let child = matches!(device.dev_type, DevType::Vf | DevType::Vdpa);
        let owner = match (child, device.parent_addr) {
            (false, _) => at,
            (true, Some(parent)) => parent,
            (true, None) => {
                return Err(refuse("ValueError", format!("{at} is a VF whose PF is not known"), Some(at)));
            }
        };
        if child && device.tags.one_time_use.is_some() {
            let message = format!("{at} is a VF and has one_time_use, which is for whole devices only");
            return Err(refuse("PlacementPciException", message, Some(at)));
        }
        let (class, traits) = (class_of(device)?, traits_of(device)?);
        let Some(provider) = building.get_mut(&owner) else {
            building.insert(owner, Building { class, traits, total: 1, of_parent: !child });
            continue;
        };
        if provider.of_parent || !child {
            let message = format!("both PF {owner} and one of its VFs are covered by a device_spec");
            return Err(refuse("PlacementPciDependentDeviceException", message, Some(at)));
        }
        if provider.class != class {
            let message =
                format!("VFs of {owner} have different resource classes: {} and {class} ({at})", provider.class);
            return Err(refuse("PlacementPciMixedResourceClassException", message, Some(at)));
        }
        if provider.traits != traits {
            let differing: Vec<&String> = provider.traits.symmetric_difference(&traits).collect();
            let message = format!("VFs of {owner} have different traits: {} at some only ({at})", join(&differing));
            return Err(refuse("PlacementPciMixedTraitsException", message, Some(at)));
        }
        provider.total += 1;
    }
    Ok(building
        .into_iter()
        .map(|(address, provider)| Provider {
            provider: format!("{hostname}_{}", address.to_string().to_uppercase()),
            resource_class: provider.class,
            total: provider.total,
            traits: provider.traits.into_iter().collect(),
        })
        .collect())
}

fn class_of(device: &Device) -> Result<String, Refusal> {
    let id = |id: Option<crate::model::pci::PciId>| id.map(|i| i.to_string()).unwrap_or_default();
    let asked = word(device, "resource_class", device.tags.resource_class.as_ref())?;
    Ok(placement_names::resource_class(asked, &id(device.vendor_id), &id(device.product_id)))
}

fn traits_of(device: &Device) -> Result<BTreeSet<String>, Refusal> {
    let mut traits = placement_names::traits(word(device, "traits", device.tags.traits.as_ref())?.unwrap_or_default());
    traits.extend(["COMPUTE_MANAGED_PCI_DEVICE".to_owned(), "OWNER_NOVA".to_owned()]);
    if device.declared == Declared::Yes {
        traits.insert("HW_PCI_LIVE_MIGRATABLE".to_owned());
    }
    if device.tags.one_time_use == Some(Declared::Yes) {
        traits.insert("HW_PCI_ONE_TIME_USE".to_owned());
    }
    Ok(traits)
}

/// A tag that has to be text; Nova fails on anything else that is not empty.
fn word<'a>(device: &Device, tag: &str, value: Option<&'a Value>) -> Result<Option<&'a str>, Refusal> {
    match value.filter(|value| truthy(Some(value))) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(other) => Err(Refusal {
            class: "AttributeError",
            message: format!("the tag {tag} of {} is {other}, and Nova takes text only", device.address),
            device: Some(device.address),
        }),
    }
}

/// Python's truth: empty and null are false.
fn truthy(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null | Value::Bool(false)) => false,
        Some(Value::String(text)) => !text.is_empty(),
        Some(Value::Array(list)) => !list.is_empty(),
        Some(Value::Object(map)) => !map.is_empty(),
        Some(Value::Number(number)) => number.as_f64() != Some(0.0),
        Some(Value::Bool(true)) => true,
    }
}

fn join(names: &[&String]) -> String {
    names.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::snapshot::{OptionDoc, Tags};

    fn vf(address: &str, tags: &[(&str, &str)]) -> Device {
        let tags: BTreeMap<_, _> = tags.iter().map(|(k, v)| ((*k).to_owned(), Value::from(*v))).collect();
        let tags = Tags::from(tags);
        Device {
            address: address.parse().unwrap(),
            parent_addr: "0000:81:00.0".parse().ok(),
            vendor_id: "15b3".parse().ok(),
            product_id: "101e".parse().ok(),
            dev_type: DevType::Vf,
            spec_index: Some(0),
            declared: tags.declared(),
            tags,
            ..Device::default()
        }
    }

    fn ask(devices: &[Device]) -> Result<Vec<Provider>, &'static str> {
        let on = OptionDoc { value: Value::Bool(true), ..OptionDoc::default() };
        let config = ConfigDoc { options: [("report_in_placement".to_owned(), on)].into(), ..ConfigDoc::default() };
        providers("cmp-1", &config, devices).map_err(|refusal| refusal.class)
    }

    #[test]
    fn vfs_of_one_pf_are_one_provider() {
        let live = [("live_migratable", "true")];
        let found =
            ask(&[vf("81:00.1", &live), vf("81:00.2", &live), vf("81:00.3", &[("physical_network", "x")])]).unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].provider, "cmp-1_0000:81:00.0");
        assert_eq!((found[0].resource_class.as_str(), found[0].total), ("CUSTOM_PCI_15B3_101E", 2));
        assert_eq!(found[0].traits, ["COMPUTE_MANAGED_PCI_DEVICE", "HW_PCI_LIVE_MIGRATABLE", "OWNER_NOVA"]);
    }

    #[test]
    fn what_does_not_fit_together_is_refused() {
        let (yes, no): (&[_], &[_]) = (&[("live_migratable", "true")], &[("live_migratable", "false")]);
        assert_eq!(ask(&[vf("81:00.1", yes), vf("81:00.2", no)]), Err("PlacementPciMixedTraitsException"));
        assert!(ask(&[vf("81:00.1", &[]), vf("81:00.2", no)]).is_ok(), "no and absent are the same here");
        let other = [("resource_class", "gpu")];
        assert_eq!(ask(&[vf("81:00.1", &[]), vf("81:00.2", &other)]), Err("PlacementPciMixedResourceClassException"));
        let pf = Device { dev_type: DevType::Pf, parent_addr: None, ..vf("81:00.0", &[]) };
        assert_eq!(ask(&[pf, vf("81:00.1", &[])]), Err("PlacementPciDependentDeviceException"));
        assert_eq!(ask(&[vf("81:00.1", &[("one_time_use", "false")])]), Err("PlacementPciException"));
    }
}
