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
        pub(super) const CHECKS: &[$crate::preflight::check::Check] = &[$(
            $crate::preflight::check::Check::new(
                $crate::model::finding::rule!($($code)? $($name)?, $severity, $($page)+),
                $crate::preflight::check::Run::$on($run),
            )$(.$how())*
        ),+];
    };
}

/// Declares the modules of a folder's checks and their list, in the order of reports.
macro_rules! checks {
    ($($name:ident,)+) => {
        $(mod $name;)+

        /// Every check of this folder by file, in the order of reports.
        pub(crate) const CHECKS: &[&[$crate::preflight::check::Check]] = &[$($name::CHECKS),+];
    };
}

pub(crate) mod by_nova;
pub(crate) mod capacity;
pub(crate) mod check;
pub(crate) mod checks;
pub(crate) mod classes;
pub(crate) mod context;
pub(crate) mod estimate;
pub(crate) mod matrix;
pub(crate) mod rehearsed;
pub(crate) mod report;
mod room;
pub(crate) mod run;
mod shortage;
pub(crate) mod terms;
pub(crate) mod verdict;

pub(crate) use checks::{checks, is_check, lets, may_fail};
pub(crate) use report::{InstanceReport, Report};
pub(crate) use run::{Question, guests, run};
pub(crate) use terms::{Downtime, Owned, Terms};
pub(crate) use verdict::{CheckResult, Compatibility, Row, Verdict, worst};
