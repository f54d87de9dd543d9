//! The compact form of a snapshot, `pvm.inventory-compact/1`: devices that are alike share one description, and what differs stands
//! in columns. It holds exactly what the snapshot does.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::model::snapshot::{Device, MOST_ENTRIES, Snapshot};

/// The schema this build writes and reads.
pub(crate) const SCHEMA: &str = "pvm.inventory-compact/1";

/// More bytes than the devices of a host have when they are written out.
const MOST_BYTES: usize = 64 << 20;

/// Deeper than any fact of a device lies.
const MOST_DEPTH: usize = 16;

/// A snapshot whose devices are described together.
#[derive(Debug, Serialize, Deserialize)]
pub struct Compact {
    schema: String,
    /// Everything but the devices.
    snapshot: Box<Snapshot>,
    devices: Vec<Alike>,
}

/// Devices that have the same facts, and many of them with the same values.
#[derive(Debug, Serialize, Deserialize)]
struct Alike {
    /// What is the same for all, by the path of the fact.
    common: BTreeMap<String, Value>,
    /// What differs: a value for each device.
    columns: BTreeMap<String, Vec<Value>>,
}

impl Compact {
    /// The compact form of a snapshot.
    pub fn of(snapshot: &Snapshot) -> Result<Self, serde_json::Error> {
        let mut groups: Vec<Vec<BTreeMap<String, Value>>> = Vec::new();
        let mut group_of: HashMap<(String, Vec<String>), usize> = HashMap::new();
        for device in &snapshot.devices {
            let mut facts = BTreeMap::new();
            flatten(serde_json::to_value(device)?, &mut String::new(), &mut facts);
            // The VFs of a PF are alike; a PF is like other functions that stand alone.
            let pf = device.parent_addr.map_or(String::new(), |pf| pf.to_string());
            let at = *group_of.entry((pf, facts.keys().cloned().collect())).or_insert_with(|| {
                groups.push(Vec::new());
                groups.len() - 1
            });
            groups[at].push(facts);
        }
        let devices = groups.into_iter().map(Alike::of).collect();
        Ok(Self { schema: SCHEMA.to_owned(), snapshot: Box::new(snapshot.without_devices()), devices })
    }

    /// The snapshot again, or why there is none. Somebody else may have written the document: short text could stand for endless
    /// devices.
    pub fn expand(self) -> Result<Snapshot, String> {
        if self.schema != SCHEMA {
            return Err(format!("its schema is '{}'", self.schema));
        }
        let (mut count, mut bytes) = (0usize, 0usize);
        for alike in &self.devices {
            let devices = alike.count()?;
            let common: usize = alike.common.iter().map(|(path, value)| path.len() + size(value)).sum();
            let paths: usize = alike.columns.keys().map(String::len).sum();
            count = count.saturating_add(devices);
            bytes = bytes.saturating_add(devices.saturating_mul(common + paths));
        }
        if count > MOST_ENTRIES || bytes > MOST_BYTES {
            return Err(format!("it stands for more than {MOST_ENTRIES} devices or {} MiB", MOST_BYTES >> 20));
        }
        let mut snapshot = *self.snapshot;
        if !snapshot.devices.is_empty() {
            return Err("it has devices in two places".to_owned());
        }
        snapshot.devices.reserve(count);
        for alike in self.devices {
            alike.expand(&mut snapshot.devices)?;
        }
        Ok(snapshot)
    }
}

impl Alike {
    /// Of facts with the same paths.
    fn of(devices: Vec<BTreeMap<String, Value>>) -> Self {
        let mut columns: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        for (path, value) in devices.into_iter().flatten() {
            columns.entry(path).or_default().push(value);
        }
        let is_same = |values: &[Value]| values.windows(2).all(|pair| pair[0] == pair[1]);
        let same: Vec<String> =
            columns.iter().filter(|(_, values)| is_same(values)).map(|(path, _)| path.clone()).collect();
        let take = |path: String| {
            let first = columns.remove(&path)?.into_iter().next()?;
            Some((path, first))
        };
        let common = same.into_iter().filter_map(take).collect();
        Self { common, columns }
    }

    /// How many devices it describes.
    fn count(&self) -> Result<usize, String> {
        let mut lengths = self.columns.values().map(Vec::len);
        let first = lengths.next().unwrap_or(1);
        if lengths.all(|length| length == first) { Ok(first) } else { Err("its columns differ in length".to_owned()) }
    }

    /// The first device is read as any document is; the others are copies of it, with what stands in the columns.
    fn expand(self, devices: &mut Vec<Device>) -> Result<(), String> {
        let count = self.count()?;
        if count == 0 {
            return Ok(());
        }
        let mut columns: Vec<(String, std::vec::IntoIter<Value>)> =
            self.columns.into_iter().map(|(path, values)| (path, values.into_iter())).collect();
        let own: Option<Vec<Place>> = columns.iter().map(|(path, _)| place(path)).collect();
        let next = |columns: &mut Vec<(String, std::vec::IntoIter<Value>)>| -> Result<Device, String> {
            let mut device = Value::Object(Map::new());
            for (path, value) in &self.common {
                put(&mut device, path, value.clone())?;
            }
            for (path, values) in columns {
                put(&mut device, path, values.next().unwrap_or(Value::Null))?;
            }
            serde_json::from_value(device).map_err(|error| error.to_string())
        };
        let first = devices.len();
        devices.push(next(&mut columns)?);
        for _ in 1..count {
            let device = if let Some(places) = &own {
                let mut device = devices[first].clone();
                for (place, (_, values)) in places.iter().zip(&mut columns) {
                    place(&mut device, values.next().unwrap_or(Value::Null)).map_err(|error| error.to_string())?;
                }
                device
            } else {
                next(&mut columns)?
            };
            devices.push(device);
        }
        Ok(())
    }
}

/// Puts a value in its place in a device.
type Place = fn(&mut Device, Value) -> serde_json::Result<()>;

/// The place of a fact that differs between devices that are alike otherwise; none for facts that seldom do.
fn place(path: &str) -> Option<Place> {
    macro_rules! places {
        ($($path:literal: $($field:ident).+;)+) => {
            match path {
                $($path => Some(|device, value| {
                    device.$($field).+ = serde_json::from_value(value)?;
                    Ok(())
                }),)+
                _ => None,
            }
        };
    }
    places! {
        "/address": address;
        "/vf_index": vf_index;
        "/iommu_group": iommu_group;
        "/vfio_dev": vfio_dev;
        "/cdev": cdev;
        "/netdev": netdev;
        "/driver": driver;
        "/link": link;
        "/used_by": used_by;
        "/open_by": open_by;
        "/claimed_by": claimed_by;
        "/numa_node": numa_node;
        "/unknown": unknown;
        "/migration/state": migration.state;
        "/migration/unknown": migration.unknown;
    }
}

/// Takes an object apart into its leaves, each by its path (RFC 6901); a list is a leaf, and so is an object without members.
fn flatten(value: Value, path: &mut String, leaves: &mut BTreeMap<String, Value>) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            for (key, value) in map {
                let length = path.len();
                path.push('/');
                path.push_str(&key.replace('~', "~0").replace('/', "~1"));
                flatten(value, path, leaves);
                path.truncate(length);
            }
        }
        leaf => {
            leaves.insert(path.clone(), leaf);
        }
    }
}

/// Puts a leaf back in its place.
fn put(device: &mut Value, path: &str, value: Value) -> Result<(), String> {
    let wrong = || format!("{path:?} is no place for a fact");
    let keys = path.strip_prefix('/').ok_or_else(wrong)?;
    let mut at = device;
    for (depth, key) in keys.split('/').enumerate() {
        if depth == MOST_DEPTH {
            return Err(wrong());
        }
        let Value::Object(map) = at else { return Err(wrong()) };
        let key = key.replace("~1", "/").replace("~0", "~");
        at = map.entry(key).or_insert_with(|| Value::Object(Map::new()));
    }
    *at = value;
    Ok(())
}

/// About as many bytes as a value takes.
fn size(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len() + 8,
        Value::Array(list) => 8 + list.iter().map(size).sum::<usize>(),
        Value::Object(map) => 8 + map.iter().map(|(key, value)| key.len() + size(value)).sum::<usize>(),
        Value::Null | Value::Bool(_) | Value::Number(_) => 8,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::snapshot;

    fn pair() -> [Snapshot; 2] {
        [include_str!("../../tests/fixtures/pair/src.json"), include_str!("../../tests/fixtures/pair/dst.json")]
            .map(|text| serde_json::from_str(text).unwrap())
    }

    #[test]
    fn nothing_is_lost() {
        for snapshot in pair() {
            let text = serde_json::to_string(&Compact::of(&snapshot).unwrap()).unwrap();
            let mut back = serde_json::from_str::<Compact>(&text).unwrap().expand().unwrap();
            back.normalise();
            assert_eq!(serde_json::to_string(&back).unwrap(), serde_json::to_string(&snapshot).unwrap());
            assert!(!snapshot.devices.is_empty() && text.len() < serde_json::to_string(&snapshot).unwrap().len());
        }
    }

    #[test]
    fn a_short_document_does_not_stand_for_endless_devices() {
        let expand = |devices: Value| {
            let document =
                serde_json::json!({"schema": SCHEMA, "snapshot": {"schema": snapshot::SCHEMA}, "devices": devices});
            serde_json::from_value::<Compact>(document).unwrap().expand().map(|snapshot| snapshot.devices.len())
        };
        let zeros = |count: usize| Value::from(vec![0; count]);
        let long = "x".repeat(1 << 16);
        for devices in [
            serde_json::json!([{"common": {}, "columns": {"/vf_index": zeros(MOST_ENTRIES + 1)}}]),
            serde_json::json!([{"common": {"/driver": long}, "columns": {"/vf_index": zeros(2000)}}]),
            serde_json::json!([{"common": {}, "columns": {"/vf_index": zeros(2), "/driver": zeros(3)}}]),
            serde_json::json!([{"common": {"driver": "x"}, "columns": {}}]),
            serde_json::json!([{"common": {"/driver": "x", "/driver/y": "x"}, "columns": {}}]),
            serde_json::json!([{"common": {"/x".repeat(MOST_DEPTH + 1): 1}, "columns": {}}]),
        ] {
            assert!(expand(devices.clone()).is_err(), "{devices:.100}");
        }
        assert_eq!(expand(serde_json::json!([{"common": {"/address": "0000:01:00.0"}, "columns": {}}])), Ok(1));
    }
}
