//! The checks: of the hosts, of the guest, of each device of the map.
//!
//! # Adding a check
//!
//! 1. Write `src/preflight/checks/{host,guest,device}/NAME.rs`: `check!` with the page (a sentence that says what is
//!    wrong, then *Meaning*, *Check by hand* and *Fix*; a page that lacks one does not compile), the code, the severity,
//!    what it looks at, and the function that returns its [`Verdict`](super::Verdict)s. No verdict means that the check
//!    does not concern the case. `rechecked` says that libvirt or QEMU check it again before the guest is paused,
//!    `never_ignored` that `--allow` does not cover its failure. A check that has the shape of others is a row of their file
//!    (`device/same.rs`, `device/free.rs`, `host/versions.rs`, `guest/none.rs`), and step 2 is not needed.
//! 2. Add `NAME` to `checks!` in the folder's `mod.rs`, which declares the module and registers the check.
//! 3. Name its code in `src/preflight/CHECKLIST.md`, beside the fact that it compares.
//! 4. Write `tests/cmd/preflight/CODE.case`: one thing is broken, and this check alone complains. `UPDATE=1` records
//!    the report.
//!
//! Tests fail while the row of the checklist or the case is missing.

pub(crate) mod device;
pub(crate) mod guest;
pub(crate) mod host;

use super::check::Check;
use super::verdict::{CheckResult, Row};

/// Every check, in the order of reports.
const CHECKS: &[&[&[Check]]] = &[host::CHECKS, guest::CHECKS, device::CHECKS];

/// Every check by itself.
pub fn checks() -> impl Iterator<Item = &'static Check> {
    CHECKS.iter().flat_map(|folder| folder.iter()).flat_map(|file| file.iter())
}

/// Whether there is a check with this code.
pub(crate) fn is_check(code: &str) -> bool {
    checks().any(|check| check.rule.code == code)
}

/// Whether these codes of `--allow` let a migration go on although a check says this; `all` is whatever is unknown.
pub(crate) fn lets(allow: &[String], row: &Row) -> bool {
    let named = allow.iter().any(|code| *code == row.finding.code);
    match row.result {
        CheckResult::Unknown => named || allow.iter().any(|code| code == "all"),
        _ => named && may_fail(&row.finding.code),
    }
}

/// Whether `--allow` covers this check when it fails.
pub(crate) fn may_fail(code: &str) -> bool {
    checks().any(|check| check.rule.code == code && check.ignorable)
}
