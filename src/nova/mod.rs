//! Everything in pvm that must equal Nova: Python's words and regular expressions, oslo.config's files, the `[pci]`
//! configuration with the lints on it, the tags of devices, the scheduler's pools and filters, and Placement's names.

pub(crate) mod config;
pub(crate) mod lints;
pub(crate) mod oslo;
pub(crate) mod placement;
pub(crate) mod placement_audit;
pub(crate) mod python;
pub(crate) mod scheduler;
pub(crate) mod tagging;

use crate::model::finding::Rule;

/// The rules of this room but for the lints, by file.
pub const RULES: &[&[&Rule]] = &[
    oslo::ini::RULES,
    oslo::substitute::RULES,
    config::load::RULES,
    config::json_error::RULES,
    config::yaml::RULES,
    config::shapes::RULES,
    config::device_spec::RULES,
    config::alias::RULES,
    config::compare::RULES,
    config::request_report::RULES,
    placement_audit::RULES,
];
