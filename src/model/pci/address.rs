//! A PCI function's address.

use std::fmt;
use std::str::FromStr;

use crate::model::by_text::by_text;

/// The address of one PCI function, ordered as the bus is.
///
/// Displayed as sysfs names it: `dddd:bb:ss.f` in lower case, the domain with as many digits as it needs (Intel VMD and
/// Azure use 32-bit domains).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct PciAddress {
    /// PCI domain (segment).
    pub domain: u32,
    /// Bus number.
    pub bus: u8,
    /// Slot (device) number, 0 to 0x1f.
    pub slot: u8,
    /// Function number, 0 to 7.
    pub function: u8,
}

impl PciAddress {
    /// Makes an address, or `None` when the slot or the function is out of range.
    pub const fn new(domain: u32, bus: u8, slot: u8, function: u8) -> Option<Self> {
        if slot > 0x1f || function > 7 { None } else { Some(Self { domain, bus, slot, function }) }
    }
}

impl fmt::Display for PciAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04x}:{:02x}:{:02x}.{:x}", self.domain, self.bus, self.slot, self.function)
    }
}

impl fmt::Debug for PciAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Why a text is not a PCI address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a PCI address (dddd:bb:ss.f)")]
pub struct NotAnAddress;

impl FromStr for PciAddress {
    type Err = NotAnAddress;

    /// Reads `dddd:bb:ss.f`; the domain may be left out (then 0).
    fn from_str(text: &str) -> Result<Self, NotAnAddress> {
        let hex = |s: &str, max_len: usize| -> Result<u32, NotAnAddress> {
            if s.is_empty() || s.len() > max_len || !s.bytes().all(|b| b.is_ascii_hexdigit()) {
                return Err(NotAnAddress);
            }
            u32::from_str_radix(s, 16).map_err(|_| NotAnAddress)
        };
        let byte = |s: &str| hex(s, 2).and_then(|n| u8::try_from(n).map_err(|_| NotAnAddress));
        let (rest, function) = text.rsplit_once('.').ok_or(NotAnAddress)?;
        let (rest, slot) = rest.rsplit_once(':').ok_or(NotAnAddress)?;
        let (domain, bus) = match rest.rsplit_once(':') {
            Some((domain, bus)) => (hex(domain, 8)?, bus),
            None => (0, rest),
        };
        let function = hex(function, 1).and_then(|n| u8::try_from(n).map_err(|_| NotAnAddress))?;
        Self::new(domain, byte(bus)?, byte(slot)?, function).ok_or(NotAnAddress)
    }
}

by_text!(PciAddress);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_what_sysfs_writes() {
        let address: PciAddress = "0000:81:00.1".parse().unwrap();
        assert_eq!((address.domain, address.bus, address.slot, address.function), (0, 0x81, 0, 1));
        assert_eq!("10000:01:1f.7".parse::<PciAddress>().unwrap().to_string(), "10000:01:1f.7");
        assert_eq!("3B:00.2".parse::<PciAddress>().unwrap().to_string(), "0000:3b:00.2");
    }

    #[test]
    fn refuses_what_is_out_of_range_or_shape() {
        for text in
            ["", "81:00", "0000:81:20.0", "0000:81:00.8", "0000:1ff:00.0", "+0:81:00.0", "0000:81:00.00", "a:b:c:d.e"]
        {
            assert_eq!(text.parse::<PciAddress>(), Err(NotAnAddress), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn display_and_parse_are_inverse(domain: u32, bus: u8, slot in 0u8..32, function in 0u8..8) {
            let address = PciAddress::new(domain, bus, slot, function).unwrap();
            prop_assert_eq!(address.to_string().parse::<PciAddress>().unwrap(), address);
        }

        #[test]
        fn any_text_is_read_or_refused(text: String) {
            let _ = text.parse::<PciAddress>();
        }
    }
}
