//! Why a device falls under the spec it falls under.

use super::matching::{Matcher, Miss, View};

/// One spec Nova looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Step {
    /// Its index.
    pub index: usize,
    /// Why it does not match; `None` for the one that wins.
    pub miss: Option<Miss>,
}

/// The walk through the list, up to the spec that wins.
pub(crate) fn walk(matcher: &Matcher, device: &View) -> Vec<Step> {
    let mut steps = Vec::new();
    for index in 0..matcher.len() {
        let miss = matcher.miss(index, device);
        steps.push(Step { index, miss });
        if miss.is_none() {
            break;
        }
    }
    steps
}

impl Miss {
    /// In words.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Vendor => "another vendor_id",
            Self::Product => "another product_id",
            Self::Address => "another address",
            Self::CardSerial => "remote_managed, and the device has no card serial number",
            Self::Devname => "no such interface on this host",
            Self::OutOfRange => "Nova cannot represent the device's domain and skips it",
        }
    }
}
