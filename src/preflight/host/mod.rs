//! Checks of two hosts: one file each.

use super::{Check, rules_of};
use crate::finding::Rule;

mod kernel_differs;
mod libvirt_downgrade;
mod libvirt_version;
mod qemu_downgrade;
mod qemu_version;
mod versions;

/// What the files of these checks use.
mod prelude {
    pub(super) use super::versions::{floor, not_older};
    pub(super) use crate::finding::{Rule, Severity};
    pub(super) use crate::preflight::context::{Hosts, both, version};
    pub(super) use crate::preflight::{Check, Run, Verdict};
}

/// Every check of two hosts, in the order of reports.
pub const CHECKS: &[&Check] = &[
    &libvirt_version::CHECK,
    &qemu_version::CHECK,
    &libvirt_downgrade::CHECK,
    &qemu_downgrade::CHECK,
    &kernel_differs::CHECK,
];

/// Their rules, for `pvm explain`.
pub const RULES: &[&Rule] = &rules_of::<{ CHECKS.len() }>(CHECKS);
