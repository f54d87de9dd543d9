//! Free devices grouped as Nova groups them (`nova/pci/stats.py`, `PciDeviceStats`).

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

use crate::model::pci::{PciAddress, PciId};
use crate::model::snapshot::{Declared, DevType, Device, Snapshot, Tags};
use crate::nova::python::number::is_nan;

/// Tags that do not split pools (`PciDeviceStats.ignored_pool_tags`).
const IGNORED_TAGS: &[&str] = &["resource_class", "traits", "rp_uuid"];

/// Keys every pool has besides its tags; `count` and `devices` are equal for all and left out.
const OWN_KEYS: &[&str] = &["product_id", "vendor_id", "numa_node", "dev_type", "address", "parent_ifname"];

/// A device that a spec matches, with what Nova keeps of it.
#[derive(Debug, Clone, Copy)]
pub struct Tracked<'a> {
    /// Its address.
    pub address: PciAddress,
    /// Vendor.
    pub vendor_id: PciId,
    /// Product.
    pub product_id: PciId,
    /// Type.
    pub dev_type: DevType,
    /// PF of a VF.
    pub parent: Option<PciAddress>,
    /// NUMA node.
    pub numa_node: Option<u32>,
    /// PF's interface, which Nova knows when the VF has an interface itself.
    pub parent_ifname: Option<&'a str>,
    /// Tags of the matching spec.
    pub tags: &'a Tags,
}

impl<'a> Tracked<'a> {
    /// Nova's view of a device of `snapshot`; `None` when no spec matches it or its ids are unknown.
    pub fn new(device: &'a Device, snapshot: &'a Snapshot) -> Option<Self> {
        device.spec_index?;
        let parent = device.parent_addr.and_then(|address| snapshot.device(address));
        Some(Self {
            address: device.address,
            vendor_id: device.vendor_id?,
            product_id: device.product_id?,
            dev_type: device.dev_type,
            parent: device.parent_addr,
            numa_node: device.numa_node,
            parent_ifname: device.netdev.as_ref().and(parent).and_then(|pf| pf.netdev.as_deref()),
            tags: &device.tags,
        })
    }

    /// Every device of `snapshot` that a spec matches, in the snapshot's order.
    pub fn all(snapshot: &'a Snapshot) -> Vec<Self> {
        snapshot.devices.iter().filter_map(|device| Self::new(device, snapshot)).collect()
    }

    fn pool_address(&self) -> PciAddress {
        match (self.dev_type, self.parent) {
            (DevType::Vf | DevType::Vdpa, Some(parent)) => parent,
            _ => self.address,
        }
    }

    /// Functions of a network card always have the pool key; others only with a tag.
    fn has_remote_managed(&self) -> bool {
        self.dev_type != DevType::Pci
    }

    fn remote_managed(&self) -> Remote<'a> {
        match &self.tags.remote_managed {
            None | Some(Value::Null) if self.has_remote_managed() => Remote::Not,
            Some(Value::String(word)) if word == "false" && self.has_remote_managed() => Remote::Not,
            None => Remote::Absent,
            Some(value) => Remote::Tag(value),
        }
    }

    /// Whether the tags put both into one pool.
    fn is_tagged_like(&self, other: &Self) -> bool {
        self.remote_managed() == other.remote_managed()
            && self.splitting_tags().map(|(key, _)| key).eq(other.splitting_tags().map(|(key, _)| key))
            && self.splitting_tags().zip(other.splitting_tags()).all(|((_, a), (_, b))| is_equal(a, b))
    }

    fn has_null_tag(&self) -> bool {
        self.splitting_tags().any(|(_, value)| value.is_null()) || self.remote_managed() == Remote::Tag(&Value::Null)
    }

    /// Number of keys of its pool.
    fn keys(&self) -> usize {
        OWN_KEYS.len() - usize::from(self.parent_ifname.is_none())
            + usize::from(self.remote_managed() != Remote::Absent)
            + self.splitting_tags().filter(|(key, _)| !self.is_own_key(key)).count()
    }

    /// Whether a tag of this name takes the place of a key that the pool has anyway.
    fn is_own_key(&self, key: &str) -> bool {
        OWN_KEYS.contains(&key) && (key != "parent_ifname" || self.parent_ifname.is_some())
    }

    fn splitting_tags(&self) -> impl Iterator<Item = (&'a str, &'a Value)> {
        self.tags.iter().filter(|(key, _)| *key != "remote_managed" && !IGNORED_TAGS.contains(key))
    }
}

/// What a device's pool says of `remote_managed`: Nova writes "false" where the key belongs and no tag says otherwise.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Remote<'a> {
    Absent,
    Not,
    Tag(&'a Value),
}

/// Python's `==`, for which `true`, `1` and `1.0` are the same, and NaN is not even itself.
fn is_equal(a: &Value, b: &Value) -> bool {
    let number = |value: &Value| match value {
        Value::Bool(yes) => Some(f64::from(u8::from(*yes))),
        Value::Number(number) => number.as_f64(),
        _ => None,
    };
    match (a, b) {
        _ if is_nan(a) || is_nan(b) => false,
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| is_equal(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| is_equal(a, b)))
        }
        _ => a == b || number(a).zip(number(b)).is_some_and(|(a, b)| a.partial_cmp(&b) == Some(Ordering::Equal)),
    }
}

/// Devices that Nova takes for the same.
#[derive(Debug, Clone)]
pub struct Pool<'a> {
    /// One of them; all pool keys but the address are equal for all.
    pub like: Tracked<'a>,
    /// PF of its VFs, or the device itself.
    pub address: PciAddress,
    /// Free devices by index, in order of arrival; Nova takes the last.
    pub devices: Vec<usize>,
    /// Pools of one family are equal in ids, type and tags.
    pub family: usize,
    keys: usize,
    tag_set: usize,
}

impl Pool<'_> {
    /// The value of a pool key; absent keys are `None`, which no text equals.
    pub fn value(&self, key: &str) -> Option<Value> {
        if IGNORED_TAGS.contains(&key) {
            return None;
        }
        match key {
            // Set after the tags are merged in.
            "address" => Some(Value::from(self.address.to_string())),
            "parent_ifname" if self.like.parent_ifname.is_some() => self.like.parent_ifname.map(Value::from),
            "remote_managed" => match self.like.remote_managed() {
                Remote::Absent => None,
                Remote::Not => Some(Value::from("false")),
                Remote::Tag(value) => Some(value.clone()),
            },
            _ => self.like.tags.get(key).cloned().or_else(|| match key {
                "vendor_id" => Some(Value::from(self.like.vendor_id.to_string())),
                "product_id" => Some(Value::from(self.like.product_id.to_string())),
                "dev_type" => Some(Value::from(self.like.dev_type.as_str())),
                "numa_node" => self.like.numa_node.map(Value::from),
                _ => None,
            }),
        }
    }

    /// What the pool's devices declare.
    pub fn declared(&self) -> Declared {
        self.like.tags.declared()
    }

    /// Whether a key's value is this text, without regard to case.
    pub fn says(&self, key: &str, wanted: &str) -> bool {
        match key {
            "vendor_id" => is_id(wanted, self.like.vendor_id),
            "product_id" => is_id(wanted, self.like.product_id),
            "dev_type" if self.like.tags.get(key).is_none() => self.like.dev_type.as_str().eq_ignore_ascii_case(wanted),
            "address" | "parent_ifname" | "numa_node" | "remote_managed" | "resource_class" | "traits" => {
                matches!(self.value(key), Some(Value::String(has)) if has.to_lowercase() == wanted.to_lowercase())
            }
            _ => match self.like.tags.get(key) {
                Some(Value::String(has)) => has == wanted || has.to_lowercase() == wanted.to_lowercase(),
                _ => false,
            },
        }
    }

    /// Whether Nova puts the device into this pool: as many keys, and for each key of the device the pool's value, where
    /// a key that the pool does not have counts as null.
    fn is_joined_by(&self, device: &Tracked<'_>) -> bool {
        let remote = match (device.remote_managed(), self.like.remote_managed()) {
            (Remote::Absent, _) | (Remote::Tag(Value::Null), Remote::Absent) => true,
            (device, pool) => device == pool,
        };
        remote
            && self.keys == device.keys()
            && self.address == device.pool_address()
            && self.like.vendor_id == device.vendor_id
            && self.like.product_id == device.product_id
            && self.like.numa_node == device.numa_node
            && self.like.dev_type == device.dev_type
            && (device.parent_ifname.is_none() || self.like.parent_ifname == device.parent_ifname)
            && device
                .splitting_tags()
                .all(|(key, value)| is_equal(value, self.like.tags.get(key).unwrap_or(&Value::Null)))
    }

    /// Every pool key with its value, for display and comparison.
    pub fn fields(&self) -> BTreeMap<String, Value> {
        let own = OWN_KEYS.iter().copied().filter(|key| *key != "parent_ifname" || self.like.parent_ifname.is_some());
        let remote = self.like.has_remote_managed().then_some("remote_managed");
        let tags = self.like.tags.iter().map(|(key, _)| key).filter(|key| !IGNORED_TAGS.contains(key));
        own.chain(remote).chain(tags).map(|key| (key.to_owned(), self.value(key).unwrap_or(Value::Null))).collect()
    }
}

/// What becomes of a pool without devices: Nova keeps it when it is used up and drops it when a dependent device leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Emptied {
    /// It stays.
    Stays,
    /// It goes.
    Goes,
}

/// All pools of a host, in Nova's order: fewest keys first, then order of discovery.
#[derive(Debug, Clone)]
pub struct Pools<'a> {
    /// Every device the pools are made of; pools hold indexes into it.
    pub devices: Vec<Tracked<'a>>,
    /// The pools.
    pub list: Vec<Pool<'a>>,
    tag_set_of: Vec<usize>,
    families: HashMap<Family, usize>,
}

/// Vendor, product, type and set of tags.
type Family = (PciId, PciId, DevType, usize);

impl<'a> Pools<'a> {
    /// Groups `devices`, all of them free, in order of discovery.
    pub fn new(devices: Vec<Tracked<'a>>) -> Self {
        let tag_set_of = tag_sets(&devices);
        let mut pools = Self { devices, list: Vec::new(), tag_set_of, families: HashMap::new() };
        let mut index: HashMap<_, usize> = HashMap::new();
        for device in 0..pools.devices.len() {
            let tracked = pools.devices[device];
            let key = (
                tracked.pool_address(),
                (tracked.vendor_id, tracked.product_id),
                tracked.numa_node,
                tracked.dev_type,
                tracked.parent_ifname,
                pools.tag_set_of[device],
            );
            let known = if tracked.has_null_tag() {
                pools.list.iter().position(|pool| pool.is_joined_by(&tracked))
            } else {
                index.get(&key).copied()
            };
            let at = known.unwrap_or_else(|| {
                let pool = pools.empty_pool(device);
                pools.list.push(pool);
                index.insert(key, pools.list.len() - 1);
                pools.list.len() - 1
            });
            pools.list[at].devices.push(device);
        }
        pools.list.sort_by_key(|pool| pool.keys);
        pools
    }

    /// Gives a device back: to the end of its pool, or to a new pool.
    pub fn add(&mut self, device: usize) {
        if let Some(at) = self.pool_of(device) {
            self.list[at].devices.push(device);
        } else {
            let mut pool = self.empty_pool(device);
            pool.devices.push(device);
            self.list.push(pool);
            self.list.sort_by_key(|pool| pool.keys);
        }
    }

    fn empty_pool(&mut self, device: usize) -> Pool<'a> {
        let (like, tag_set) = (self.devices[device], self.tag_set_of[device]);
        let next = self.families.len();
        let family = (like.vendor_id, like.product_id, like.dev_type, tag_set);
        let family = *self.families.entry(family).or_insert(next);
        Pool { like, address: like.pool_address(), devices: Vec::new(), family, keys: like.keys(), tag_set }
    }

    /// Takes one device out of its pool. False when it was not free.
    pub fn remove(&mut self, device: usize, emptied: Emptied) -> bool {
        let Some(at) = self.holder(device) else { return false };
        let Some(position) = self.list[at].devices.iter().rposition(|d| *d == device) else { return false };
        self.list[at].devices.remove(position);
        if emptied == Emptied::Goes && self.list[at].devices.is_empty() {
            self.list.remove(at);
        }
        true
    }

    /// Index of the pool that a free device is in.
    pub fn holder(&self, device: usize) -> Option<usize> {
        let holds = |at: &usize| self.list[*at].devices.contains(&device);
        self.pool_of(device).filter(holds).or_else(|| (0..self.list.len()).find(holds))
    }

    /// Index of the pool that `device` belongs to, whether it is in there or not.
    fn pool_of(&self, device: usize) -> Option<usize> {
        let tracked = &self.devices[device];
        if tracked.has_null_tag() {
            return self.list.iter().position(|pool| pool.is_joined_by(tracked));
        }
        self.list.iter().position(|pool| {
            pool.address == tracked.pool_address()
                && pool.tag_set == self.tag_set_of[device]
                && pool.like.vendor_id == tracked.vendor_id
                && pool.like.product_id == tracked.product_id
                && pool.like.numa_node == tracked.numa_node
                && pool.like.dev_type == tracked.dev_type
                && pool.like.parent_ifname == tracked.parent_ifname
        })
    }
}

fn is_id(text: &str, id: PciId) -> bool {
    text.len() == 4 && text.parse() == Ok(id)
}

/// For each device the number of its set of tags; equal sets, from whichever spec, have equal numbers.
fn tag_sets(devices: &[Tracked<'_>]) -> Vec<usize> {
    let mut distinct: Vec<&Tracked<'_>> = Vec::new();
    devices
        .iter()
        .map(|device| {
            distinct.iter().position(|known| known.is_tagged_like(device)).unwrap_or_else(|| {
                distinct.push(device);
                distinct.len() - 1
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::nova::python::number::beyond_json;

    fn pools(dev_type: DevType, tags: [Value; 2]) -> usize {
        let tags = tags.map(|tags| serde_json::from_value::<Tags>(tags).unwrap_or_default());
        let device = |tags, function| Tracked {
            address: PciAddress { domain: 0, bus: 1, slot: 0, function },
            vendor_id: PciId(0x15b3),
            product_id: PciId(0x101e),
            dev_type,
            parent: Some(PciAddress { domain: 0, bus: 1, slot: 0, function: 0 }),
            numa_node: None,
            parent_ifname: None,
            tags,
        };
        let [first, second] = &tags;
        Pools::new(vec![device(first, 1), device(second, 2)]).list.len()
    }

    #[test]
    fn splits_pools_by_tags_that_python_tells_apart() {
        assert_eq!(pools(DevType::Vf, [json!({"remote_managed": null}), json!({})]), 1);
        assert_eq!(pools(DevType::Vf, [json!({"remote_managed": "false"}), json!({})]), 1);
        assert_eq!(pools(DevType::Vf, [json!({"remote_managed": "False"}), json!({})]), 2);
        assert_eq!(pools(DevType::Vf, [json!({"color": 1}), json!({"color": true})]), 1);
        assert_eq!(pools(DevType::Vf, [json!({"color": [1, {"a": 1.0}]}), json!({"color": [1.0, {"a": true}]})]), 1);
        assert_eq!(pools(DevType::Vf, [json!({"color": "1"}), json!({"color": 1})]), 2);
        assert_eq!(pools(DevType::Vf, [json!({"color": null}), json!({})]), 2);
        let [nan, infinite] = ["nan", "inf"].map(|repr| json!({"color": beyond_json(repr)}));
        assert_eq!(pools(DevType::Vf, [nan.clone(), nan]), 2);
        assert_eq!(pools(DevType::Vf, [infinite.clone(), infinite.clone()]), 1);
        assert_eq!(pools(DevType::Vf, [infinite, json!({"color": "inf"})]), 2);
        assert_eq!(pools(DevType::Vf, [json!({"size": "x"}), json!({"color": null})]), 1);
        assert_eq!(pools(DevType::Vf, [json!({"color": null}), json!({"size": "x"})]), 2);
        assert_eq!(pools(DevType::Vf, [json!({"traits": "A"}), json!({"resource_class": "B", "rp_uuid": "C"})]), 1);
    }
}
