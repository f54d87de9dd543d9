//! Checks of one guest: one file each.

use super::{Check, rules_of};
use crate::finding::Rule;

mod device_map;
mod requests_known;

/// What the files of these checks use.
mod prelude {
    pub(super) use crate::finding::{Rule, Severity};
    pub(super) use crate::preflight::context::{Instance, name};
    pub(super) use crate::preflight::{Check, Run, Verdict};
}

/// Every check of one guest, in the order of reports.
pub const CHECKS: &[&Check] = &[&requests_known::CHECK, &device_map::CHECK];

/// Their rules, for `pvm explain`.
pub const RULES: &[&Rule] = &rules_of::<{ CHECKS.len() }>(CHECKS);
