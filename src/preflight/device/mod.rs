//! Checks of a device pair: one file each.

use super::{Check, rules_of};
use crate::finding::Rule;

mod declared_migratable;
mod device_identity;
mod device_numa;
mod device_subsystem;
mod probed_migratable;
mod variant_driver;

/// What the files of these checks use.
mod prelude {
    pub(super) use super::judge;
    pub(super) use crate::finding::{Rule, Severity};
    pub(super) use crate::plan::pair;
    pub(super) use crate::preflight::context::{DevicePair, name};
    pub(super) use crate::preflight::{Check, Run, Verdict};
    pub(super) use crate::snapshot::Device;
}

/// Every check of a device pair, in the order of reports.
pub const CHECKS: &[&Check] = &[
    &device_identity::CHECK,
    &device_subsystem::CHECK,
    &variant_driver::CHECK,
    &declared_migratable::CHECK,
    &probed_migratable::CHECK,
    &device_numa::CHECK,
];

/// Their rules, for `pvm explain`.
pub const RULES: &[&Rule] = &rules_of::<{ CHECKS.len() }>(CHECKS);

/// A verdict from the answer of a rule, with a sentence for each "no".
fn judge(
    answer: crate::plan::pair::Answer,
    differs: impl FnOnce() -> String,
    unknown: impl FnOnce() -> String,
) -> super::Verdict {
    use crate::plan::pair::Answer;
    match answer {
        Answer::Yes => super::Verdict::pass(),
        Answer::No => super::Verdict::fail(differs()),
        Answer::Unknown => super::Verdict::unknown(unknown()),
    }
}
