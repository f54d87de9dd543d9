//! Preflight: can this guest move there, every reason if not, and what to do about each.
//!
//! A check is a rule with a function from facts to verdicts; [`mod@checks`] says how one is added. Checks never read anything but
//! two snapshots and a plan made from them.

/// Declares the check of a file, or several of one shape, apart by `;`: page, code (a literal, or the name of one that the
/// planner uses), severity, what it looks at with which function, and what else holds for it (`rechecked`,
/// `never_ignored`).
macro_rules! check {
    ($(
        $(#[doc = $page:literal])+
        $($code:literal)? $($name:ident)?: $severity:ident, $on:ident($run:expr) $(, $how:ident)*
    );+ $(;)?) => {
        pub(super) const CHECKS: &[$crate::preflight::Check] = &[$(
            $crate::preflight::Check::new(
                $crate::model::finding::rule!($($code)? $($name)?, $severity, $($page)+),
                $crate::preflight::Run::$on($run),
            )$(.$how())*
        ),+];
    };
}

/// Declares the modules of a folder's checks and their list, in the order of reports.
macro_rules! checks {
    ($($name:ident,)+) => {
        $(mod $name;)+

        /// Every check of this folder by file, in the order of reports.
        pub const CHECKS: &[&[$crate::preflight::Check]] = &[$($name::CHECKS),+];
    };
}

pub mod capacity;
pub mod checks;
pub mod context;
pub mod estimate;
pub mod rehearsed;
pub mod report;
pub mod run;
pub mod terms;
pub mod verdict;

pub use report::{InstanceReport, Report};
pub use run::{Question, guests, run};
pub use terms::{Downtime, DowntimeLimit, Terms};
pub use verdict::{CheckResult, Compatibility, Row, Verdict, worst};

use crate::model::finding::Rule;
use context::{DevicePair, Hosts, Instance};

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

/// Every check, in the order of reports.
const CHECKS: &[&[&[Check]]] = &[checks::host::CHECKS, checks::guest::CHECKS, checks::device::CHECKS];

/// Every check by itself.
pub fn checks() -> impl Iterator<Item = &'static Check> {
    CHECKS.iter().flat_map(|folder| folder.iter()).flat_map(|file| file.iter())
}

/// Whether there is a check with this code.
pub fn is_check(code: &str) -> bool {
    checks().any(|check| check.rule.code == code)
}

/// Whether `--allow` covers this check when it fails.
pub fn may_fail(code: &str) -> bool {
    checks().any(|check| check.rule.code == code && check.ignorable)
}
