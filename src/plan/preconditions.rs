//! The facts a plan relies on: all that the checks of its devices compare, and what must not have changed since.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::pair;
use crate::model::device_move::DeviceMove;
use crate::model::pci::PciId;
use crate::model::snapshot::device::UsedBy;
use crate::model::snapshot::{Device, Domain, Snapshot, Supported};

type Facts = BTreeMap<String, String>;

/// The list for this guest and map, by the name of each fact.
pub(crate) fn preconditions(source: &Snapshot, destination: &Snapshot, domain: &Domain, map: &[DeviceMove]) -> Facts {
    let mut facts = Facts::new();
    for (side, snapshot) in [("source", source), ("destination", destination)] {
        let host = &snapshot.host;
        let all = [("uuid", &host.uuid), ("kernel", &host.kernel), ("libvirt", &host.libvirt), ("qemu", &host.qemu)];
        for (fact, value) in all {
            facts.insert(format!("{side} {fact}"), word(value.as_deref()));
        }
    }
    facts.insert("guest state".to_owned(), domain.state.clone());
    facts.insert("guest definition".to_owned(), sha256(domain.xml.as_deref().unwrap_or_default()));
    let persistent = domain.inactive_xml.as_deref().filter(|_| domain.persistent);
    facts.insert("guest persistent definition".to_owned(), persistent.map_or_else(|| "none".to_owned(), sha256));
    let there = destination.domains.iter().any(|other| other.uuid == domain.uuid && other.is_active());
    facts.insert("guest on the destination".to_owned(), if there { "running" } else { "absent" }.to_owned());
    for moved in map {
        for (side, snapshot, address) in
            [("source", source, moved.source), ("destination", destination, moved.destination)]
        {
            let place = format!("{side} {address}");
            match snapshot.device(address) {
                Some(device) => of_device(&mut facts, &place, snapshot, device, side == "destination"),
                None => drop(facts.insert(place, "absent".to_owned())),
            }
        }
    }
    facts
}

/// A fact that the plan relies on and that has changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Changed {
    /// The fact.
    pub(crate) fact: String,
    /// What it was.
    pub(crate) was: String,
    /// What it is; `gone` when nobody tells it any more.
    pub(crate) is: String,
}

/// The facts that are not what they were, in a fixed order.
pub(crate) fn changes(was: &Facts, now: &Facts) -> Vec<Changed> {
    let facts: BTreeSet<&String> = was.keys().chain(now.keys()).collect();
    let or = |value: Option<&String>, other: &str| value.cloned().unwrap_or_else(|| other.to_owned());
    facts
        .into_iter()
        .map(|fact| (fact, was.get(fact), now.get(fact)))
        .filter(|(_, was, is)| was != is)
        .map(|(fact, was, is)| Changed { fact: fact.clone(), was: or(was, "not in the plan"), is: or(is, "gone") })
        .collect()
}

fn of_device(facts: &mut Facts, place: &str, snapshot: &Snapshot, device: &Device, must_be_free: bool) {
    let pf = device.parent_addr.and_then(|pf| snapshot.device(pf));
    let ids = |vendor: Option<PciId>, device: Option<PciId>| {
        let id = |id: Option<PciId>| id.map_or("unknown".to_owned(), |id| id.to_string());
        format!("{}:{}", id(vendor), id(device))
    };
    let supported = match device.migration.supported {
        Some(Supported::Yes) => "yes",
        Some(Supported::No) => "no",
        None => "unknown",
    };
    let all = [
        ("id", ids(device.vendor_id, device.product_id)),
        ("subsystem", ids(device.subsystem_vendor_id, device.subsystem_device_id)),
        ("class", word(device.class.as_deref())),
        ("revision", word(device.revision.as_deref())),
        ("type", device.dev_type.as_str().to_owned()),
        ("driver", word(device.driver.as_deref())),
        ("vfio driver", word(pair::effective_driver(device).as_deref())),
        (
            "bars",
            list(device.bars.as_deref(), |bar| {
                let width = if bar.is_64bit { "64" } else { "32" };
                let prefetch = if bar.prefetchable { " prefetchable" } else { "" };
                format!("BAR{} {} {width} bit{prefetch} {} B", bar.index, bar.kind, bar.size)
            }),
        ),
        (
            "msix",
            match (&device.msix, device.why_unknown("msix")) {
                (Some(table), _) => format!(
                    "{} vectors, table BAR{}+{:#x}, pending BAR{}+{:#x}",
                    table.vectors, table.table_bar, table.table_offset, table.pba_bar, table.pba_offset
                ),
                (None, None) => "none".to_owned(),
                (None, Some(_)) => "unknown".to_owned(),
            },
        ),
        ("capabilities", list(device.capabilities.as_deref(), |one| format!("{:02x}@{:02x}", one.id, one.offset))),
        ("iommu group", device.iommu_group.map_or("unknown".to_owned(), |group| group.to_string())),
        ("iommu group members", list(Some(&device.iommu_group_members), ToString::to_string)),
        ("physical network", pair::physical_network(device).map_or("none".to_owned(), ToString::to_string)),
        ("numa node", device.numa_node.map_or("none".to_owned(), |node| node.to_string())),
        ("migratable", supported.to_owned()),
        ("flags", device.migration.flags.as_ref().map_or("unknown".to_owned(), |flags| flags.join(","))),
        ("declared", device.declared.as_str().to_owned()),
        ("firmware", word(device.firmware.as_ref().and_then(|firmware| firmware.version.as_deref()))),
        ("psid", word(pair::psid_of(device, pf))),
        ("vendor", pairs(device.vendor.iter().chain(pf.into_iter().flat_map(|pf| &pf.vendor)))),
    ];
    facts.extend(all.into_iter().map(|(fact, value)| (format!("{place} {fact}"), value)));
    if must_be_free {
        let used = device.used_by.as_ref().map_or("unknown".to_owned(), |by: &Vec<UsedBy>| {
            by.iter().map(|by| by.name.clone()).collect::<Vec<_>>().join(",")
        });
        facts.insert(format!("{place} used by"), if used.is_empty() { "nobody".to_owned() } else { used });
        let claimed = device.claimed_by.clone().unwrap_or_else(|| "nobody".to_owned());
        facts.insert(format!("{place} claimed by"), claimed);
    }
}

fn word(value: Option<&str>) -> String {
    value.unwrap_or("unknown").to_owned()
}

fn list<T>(all: Option<&[T]>, show: impl Fn(&T) -> String) -> String {
    match all {
        None => "unknown".to_owned(),
        Some([]) => "none".to_owned(),
        Some(all) => all.iter().map(show).collect::<Vec<_>>().join(", "),
    }
}

fn pairs<'a>(all: impl Iterator<Item = (&'a String, &'a serde_json::Value)>) -> String {
    let all: Vec<_> = all.map(|(key, value)| format!("{key}={value}")).collect();
    if all.is_empty() { "none".to_owned() } else { all.join(", ") }
}

/// The SHA-256 of a text in hex.
pub(super) fn sha256(text: &str) -> String {
    let mut hex = String::with_capacity(64);
    for byte in Sha256::digest(text.as_bytes()) {
        let _ = write!(hex, "{byte:02x}");
    }
    hex
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::model::device_move::Action;
    use crate::plan::pair::Pair;

    /// Every place below `at`, by its pointer.
    fn places(at: &Value, path: &str, found: &mut Vec<String>) {
        found.push(path.to_owned());
        match at {
            Value::Object(map) => map.iter().for_each(|(key, value)| places(value, &format!("{path}/{key}"), found)),
            Value::Array(list) => {
                list.iter().enumerate().for_each(|(index, value)| places(value, &format!("{path}/{index}"), found));
            }
            _ => {}
        }
    }

    fn other_values(value: &Value) -> Vec<Value> {
        match value {
            Value::String(text) => vec![format!("{text}1").into(), "1018".into(), "no".into(), Value::Null],
            Value::Number(number) => vec![(number.as_u64().unwrap() + 1).into(), Value::Null],
            Value::Bool(flag) => vec![(!flag).into()],
            Value::Array(_) => vec![json!([]), Value::Null],
            Value::Object(_) | Value::Null => vec![json!({}), "1".into(), Value::Null],
        }
    }

    #[test]
    fn whatever_a_pair_rule_looks_at_is_a_precondition() {
        let read = |text| serde_json::from_str::<Snapshot>(text).unwrap();
        let source = read(include_str!("../../tests/fixtures/pair/src.json"));
        let before = read(include_str!("../../tests/fixtures/pair/dst.json"));
        let map = [DeviceMove::new(source.devices[1].address, before.devices[1].address, Action::Migrate)];
        let facts = |host: &Snapshot| preconditions(&source, host, &source.domains[0], &map);
        let answers = |host: &Snapshot| -> Vec<_> {
            let pair = Pair::new((&source, &source.devices[1]), (host, &host.devices[1]));
            pair::RULES.iter().map(|rule| (rule.compare)(&pair)).collect()
        };
        let mut looked_at = 0;
        // The PF, whose facts some rules take, and the VF.
        for index in [0, 1] {
            let device = serde_json::to_value(&before.devices[index]).unwrap();
            let mut all = Vec::new();
            places(&device, "", &mut all);
            for place in all.iter().filter(|place| !place.is_empty() && !place.ends_with("/address")) {
                for value in other_values(device.pointer(place).unwrap()) {
                    let mut edited = device.clone();
                    *edited.pointer_mut(place).unwrap() = value.clone();
                    let Ok(edited) = serde_json::from_value(edited) else { continue };
                    let mut after = before.clone();
                    after.devices[index] = edited;
                    if answers(&before) != answers(&after) {
                        looked_at += 1;
                        assert_ne!(facts(&before), facts(&after), "{place} = {value}");
                    }
                }
            }
        }
        assert!(looked_at > 30, "{looked_at}");
    }
}
