//! Which spec a device falls under: the first in the list that matches (`Whitelist.device_assignable`). Compiled once;
//! matching a device allocates nothing.

use super::address::{AddressPattern, Field};
use super::device_spec::{DeviceSpec, IdPattern};
use crate::model::pci::{PciAddress, PciId};
use crate::model::snapshot::Device;

/// What matching looks at.
#[derive(Debug, Clone, Copy)]
pub struct View {
    /// Vendor; unknown matches only `*`.
    pub vendor_id: Option<PciId>,
    /// Product, for a VF the VF's own.
    pub product_id: Option<PciId>,
    /// Address.
    pub address: PciAddress,
    /// PF of a VF.
    pub parent: Option<PciAddress>,
    /// Whether it, or for a VF its PF, has a card serial number in its VPD.
    pub card_serial: bool,
}

impl View {
    /// A device of a snapshot; `parent` is its PF, from which a VF has its serial number.
    pub fn of(device: &Device, parent: Option<&Device>) -> Self {
        let serial = |d: &Device| {
            d.vpd.as_ref().is_some_and(|vpd| vpd.card_serial.as_ref().is_some_and(|serial| !serial.is_empty()))
        };
        Self {
            vendor_id: device.vendor_id,
            product_id: device.product_id,
            address: device.address,
            parent: device.parent_addr,
            card_serial: serial(device) || parent.is_some_and(serial),
        }
    }
}

/// Why a spec does not match a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Miss {
    /// Another vendor.
    Vendor,
    /// Another product.
    Product,
    /// Another address.
    Address,
    /// `remote_managed` without a serial number.
    CardSerial,
    /// `devname` does not exist.
    Devname,
    /// The address is outside of what Nova can represent; it skips the device.
    OutOfRange,
}

/// Every spec, ready to match.
#[derive(Debug, Clone)]
pub struct Matcher {
    specs: Vec<Compiled>,
}

#[derive(Debug, Clone)]
struct Compiled {
    vendor: Id,
    product: Id,
    address: Option<Address>,
    remote_managed: bool,
}

#[derive(Debug, Clone, Copy)]
enum Id {
    Any,
    Is(u16),
    Never,
}

/// One bit for each value of a field.
type Bits = [u64; 4];

/// Every field is a table; of the domain, the first 256 values are, which is all that hosts have.
#[derive(Debug, Clone)]
struct Address {
    domain: Field,
    low_domains: Bits,
    bus: Bits,
    slot: u32,
    function: u8,
    is_pf: bool,
}

impl Matcher {
    /// Compiles the specs, in Nova's order.
    pub fn new<'a>(specs: impl IntoIterator<Item = &'a DeviceSpec>) -> Self {
        let specs = specs
            .into_iter()
            .map(|spec| Compiled {
                vendor: Id::new(&spec.vendor_id),
                product: Id::new(&spec.product_id),
                address: spec.address.as_ref().map(Address::new),
                remote_managed: spec.remote_managed,
            })
            .collect();
        Self { specs }
    }

    /// The index of the first spec that matches.
    pub fn first_match(&self, device: &View) -> Option<usize> {
        if device.address.domain > 0xffff {
            return None;
        }
        self.specs.iter().position(|spec| spec.miss(device).is_none())
    }

    /// Whether Nova skips the device with an error: its domain has more than four digits, and some spec looks at addresses.
    pub fn skips(&self, device: &View) -> bool {
        device.address.domain > 0xffff && self.specs.iter().any(|spec| spec.address.is_some())
    }

    /// Why the spec at `index` does not match; `None` when it does.
    pub fn miss(&self, index: usize, device: &View) -> Option<Miss> {
        if device.address.domain > 0xffff {
            return Some(Miss::OutOfRange);
        }
        self.specs.get(index).map_or(Some(Miss::Address), |spec| spec.miss(device))
    }

    /// How many specs there are.
    pub fn len(&self) -> usize {
        self.specs.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.specs.is_empty()
    }
}

impl Compiled {
    fn miss(&self, device: &View) -> Option<Miss> {
        if !self.vendor.matches(device.vendor_id) {
            return Some(Miss::Vendor);
        }
        if !self.product.matches(device.product_id) {
            return Some(Miss::Product);
        }
        let Some(address) = &self.address else { return Some(Miss::Devname) };
        let by_parent = address.is_pf && device.parent.is_some_and(|parent| address.matches(parent));
        if !by_parent && !address.matches(device.address) {
            return Some(Miss::Address);
        }
        (self.remote_managed && !device.card_serial).then_some(Miss::CardSerial)
    }
}

impl Id {
    fn new(pattern: &IdPattern) -> Self {
        match pattern.id {
            Some(PciId(id)) => Self::Is(id),
            None if pattern.is_any() => Self::Any,
            None => Self::Never,
        }
    }

    fn matches(self, id: Option<PciId>) -> bool {
        match self {
            Self::Any => true,
            Self::Is(wanted) => id == Some(PciId(wanted)),
            Self::Never => false,
        }
    }
}

impl Address {
    fn new(pattern: &AddressPattern) -> Self {
        let [domain, bus, slot, function] = &pattern.fields;
        let mut table = Self {
            low_domains: bits(domain, 4),
            domain: domain.clone(),
            bus: bits(bus, 2),
            slot: 0,
            function: 0,
            is_pf: pattern.is_pf,
        };
        for value in 0..32u32 {
            table.slot |= u32::from(slot.matches(value, 2)) << value;
        }
        for value in 0..8u32 {
            table.function |= u8::from(function.matches(value, 1)) << value;
        }
        table
    }

    fn matches(&self, address: PciAddress) -> bool {
        has(&self.bus, address.bus)
            && self.slot & (1 << address.slot) != 0
            && self.function & (1 << address.function) != 0
            && match u8::try_from(address.domain) {
                Ok(domain) => has(&self.low_domains, domain),
                Err(_) => self.domain.matches(address.domain, 4),
            }
    }
}

fn bits(field: &Field, width: usize) -> Bits {
    std::array::from_fn(|word| {
        (0..64u32).fold(0, |bits, bit| {
            let value = u32::try_from(word).unwrap_or(0) * 64 + bit;
            bits | u64::from(field.matches(value, width)) << bit
        })
    })
}

fn has(bits: &Bits, value: u8) -> bool {
    bits[usize::from(value) / 64] & (1 << (value % 64)) != 0
}

/// How the devices of an earlier spec and of a later one lie to each other, as far as the specs alone say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overlap {
    /// None in common, or not known.
    None,
    /// The earlier one has all of the later one's.
    Covers,
    /// The earlier one is an exception within the later one.
    Inside,
    /// Some in common, and each has others.
    Crosses,
}

impl Matcher {
    /// Compares two specs.
    pub fn overlap(&self, earlier: usize, later: usize) -> Overlap {
        let (Some(a), Some(b)) = (self.specs.get(earlier), self.specs.get(later)) else { return Overlap::None };
        let (Some(x), Some(y)) = (&a.address, &b.address) else { return Overlap::None };
        let Some((domain_covers, domain_inside)) = x.compare_domains(y) else { return Overlap::None };
        if x.is_empty() || y.is_empty() || !x.touches(y) || !a.vendor.touches(b.vendor) || !a.product.touches(b.product)
        {
            return Overlap::None;
        }
        // A PF's address also stands for VFs elsewhere on the bus; only "every address" or the same address covers that.
        let pf_covers = !y.is_pf || x.is_everything() || x.is_pf;
        let pf_inside = !x.is_pf || y.is_everything() || y.is_pf;
        let covers = domain_covers
            && pf_covers
            && y.within(x)
            && b.vendor.within(a.vendor)
            && b.product.within(a.product)
            && (!a.remote_managed || b.remote_managed);
        let inside =
            domain_inside && pf_inside && x.within(y) && a.vendor.within(b.vendor) && a.product.within(b.product);
        let same_ids = a.vendor.within(b.vendor)
            && b.vendor.within(a.vendor)
            && a.product.within(b.product)
            && b.product.within(a.product);
        match (covers, inside) {
            (true, _) => Overlap::Covers,
            (false, true) => Overlap::Inside,
            // One by its address and the other by its ids is how exceptions are written; two areas of one device are not.
            (false, false) if x.is_pf || y.is_pf || !same_ids => Overlap::None,
            (false, false) => Overlap::Crosses,
        }
    }
}

impl Id {
    fn within(self, other: Self) -> bool {
        match (self, other) {
            (Self::Never, _) | (_, Self::Any) => true,
            (Self::Is(a), Self::Is(b)) => a == b,
            _ => false,
        }
    }

    fn touches(self, other: Self) -> bool {
        match (self, other) {
            (Self::Never, _) | (_, Self::Never) => false,
            (Self::Is(a), Self::Is(b)) => a == b,
            _ => true,
        }
    }
}

impl Address {
    fn is_empty(&self) -> bool {
        self.bus == [0; 4] || self.slot == 0 || self.function == 0
    }

    fn is_everything(&self) -> bool {
        self.takes_every_domain() && self.bus == [u64::MAX; 4] && self.slot == u32::MAX && self.function == u8::MAX
    }

    fn within(&self, other: &Self) -> bool {
        self.bus.iter().zip(other.bus).all(|(a, b)| a & !b == 0)
            && self.slot & !other.slot == 0
            && self.function & !other.function == 0
    }

    fn touches(&self, other: &Self) -> bool {
        self.bus.iter().zip(other.bus).any(|(a, b)| a & b != 0)
            && self.slot & other.slot != 0
            && self.function & other.function != 0
    }

    fn takes_every_domain(&self) -> bool {
        match &self.domain {
            Field::Any => true,
            Field::Is(_) | Field::Never => false,
            Field::Regex(_) => [0, 1, 0x10, 0xffff].iter().all(|value| self.domain.matches(*value, 4)),
        }
    }

    /// Whether this one's domains contain the other's, and the other way round; `None` when they share none or it is not plain.
    fn compare_domains(&self, other: &Self) -> Option<(bool, bool)> {
        match (self.takes_every_domain(), other.takes_every_domain()) {
            (true, inside) => Some((true, inside)),
            (false, true) => Some((false, true)),
            (false, false) => match (&self.domain, &other.domain) {
                (Field::Is(a), Field::Is(b)) if a == b => Some((true, true)),
                (Field::Is(a), field @ Field::Regex(_)) if field.matches(*a, 4) => Some((false, true)),
                (field @ Field::Regex(_), Field::Is(b)) if field.matches(*b, 4) => Some((true, false)),
                _ => None,
            },
        }
    }
}
