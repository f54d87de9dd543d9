//! What a check is: a rule, and what it looks at with which function.

use super::context::{DevicePair, Hosts, Instance};
use super::verdict::Verdict;
use crate::model::finding::Rule;

/// One check.
#[derive(Debug)]
pub struct Check {
    /// Code, weight, summary and page.
    pub rule: Rule,
    /// What it looks at.
    pub run: Run,
    /// Whether libvirt or QEMU check it again before the guest is paused.
    pub rechecked: bool,
    /// Whether `--allow` covers it when it fails: a device that is another device cannot be allowed.
    pub ignorable: bool,
}

/// What a check looks at. An empty list means that it does not concern the case.
#[derive(Debug, Clone, Copy)]
pub enum Run {
    /// Two hosts, whatever the guest.
    Hosts(fn(Hosts<'_>) -> Vec<Verdict>),
    /// Two hosts, for guests with VFIO devices.
    VfioHosts(fn(Hosts<'_>) -> Vec<Verdict>),
    /// One guest.
    Instance(fn(&Instance<'_>) -> Vec<Verdict>),
    /// One device and the one that takes its place.
    Device(fn(&DevicePair<'_>) -> Vec<Verdict>),
}

impl Check {
    /// A check by pvm alone.
    pub const fn new(rule: Rule, run: Run) -> Self {
        Self { rule, run, rechecked: false, ignorable: true }
    }

    /// libvirt or QEMU check it again before the guest is paused.
    #[must_use]
    pub const fn rechecked(mut self) -> Self {
        self.rechecked = true;
        self
    }

    /// `--allow` does not cover it when it fails.
    #[must_use]
    pub const fn never_ignored(mut self) -> Self {
        self.ignorable = false;
        self
    }
}
