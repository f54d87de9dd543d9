//! Sixteen-bit PCI ids.

use std::fmt;
use std::str::FromStr;

use crate::model::by_text::by_text;

/// A vendor, device or subsystem id, displayed as four lower-case hex digits (Nova's and libvirt's form).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct PciId(pub u16);

impl fmt::Display for PciId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04x}", self.0)
    }
}

impl fmt::Debug for PciId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Why a text is not an id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a PCI id (four hex digits)")]
pub struct NotAnId;

impl FromStr for PciId {
    type Err = NotAnId;

    /// Reads one to four hex digits, with or without the `0x` that sysfs writes.
    fn from_str(text: &str) -> Result<Self, NotAnId> {
        let digits = text.strip_prefix("0x").unwrap_or(text);
        if digits.is_empty() || digits.len() > 4 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(NotAnId);
        }
        u16::from_str_radix(digits, 16).map(Self).map_err(|_| NotAnId)
    }
}

by_text!(PciId);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_sysfs_and_nova() {
        assert_eq!("0x15b3".parse(), Ok(PciId(0x15b3)));
        assert_eq!("101E".parse::<PciId>().unwrap().to_string(), "101e");
        for text in ["", "0x", "15b3f", "xyz", "+15b"] {
            assert_eq!(text.parse::<PciId>(), Err(NotAnId), "{text:?}");
        }
    }
}
