//! What policies keep a drain from.

use super::document::{Kept, Stay};
use crate::domain::guest;
use crate::model::finding::{Finding, rules};
use crate::model::policy::{By, Policy};
use crate::model::snapshot::{Domain, Snapshot};
use crate::preflight::{CheckResult, Row, Terms};

rules! {
    /// A policy says that no drain moves the guest.
    ///
    /// # Meaning
    /// drain: no, for its name or a pattern under guests: in pvm.yaml, or drain='no' in the guest's metadata: whoever answers for
    /// the guest wants to move it by hand, or at an hour of their own. pvm migrate is not concerned.
    /// # Check by hand
    /// The key guests: of /etc/pvm/pvm.yaml; virsh metadata DOMAIN --uri urn:pvm:migration:1.
    /// # Fix
    /// Take the policy back, or move the guest by itself with pvm migrate. To drain it once all the same: --allow
    /// drain-policy.
    pub(crate) DRAIN_POLICY = "drain-policy", Error;

    /// The guest would come to a host on which another one runs that it is kept apart from.
    ///
    /// # Meaning
    /// apart: in pvm.yaml lists patterns of names. Guests that match one of them and are on different hosts, like the members of a
    /// cluster, are not brought together by a drain. Guests that are on the drained host together are not kept apart from each other.
    /// # Check by hand
    /// The key apart: of /etc/pvm/pvm.yaml; virsh list on the destination.
    /// # Fix
    /// Add a destination without such a guest. To bring them together all the same: --allow guests-apart.
    pub(crate) GUESTS_APART = "guests-apart", Error;
}

/// The guest's own policy, and why a drain leaves it alone.
pub(super) fn kept(domain: &Domain, terms: &Terms) -> Option<Stay> {
    if terms.allows(&DRAIN_POLICY) {
        return None;
    }
    let stay = |is_unknown, why: String, remedy: String| Stay {
        guest: domain.name.clone(),
        uuid: domain.uuid.clone(),
        is_unknown,
        nearest: String::new(),
        why,
        code: Some(DRAIN_POLICY.code.to_owned()),
        remedy: Some(remedy),
    };
    let (own, bad) = own(domain);
    if let Some(by) = terms.policies.keeps(domain, &own) {
        let why = format!("{} says that it is not drained", by.words("the operator"));
        let remedy = match &by {
            By::File(pattern) => format!("take drain: no of {pattern} out of pvm.yaml"),
            By::Guest | By::Operator => Policy { drain: None, ..own }.command(domain),
        };
        return Some(stay(false, why, remedy));
    }
    bad.map(|why| stay(true, why, Policy::default().command(domain)))
}

/// The policy in the guest's metadata, and why there is none that can be kept to.
fn own(domain: &Domain) -> (Policy, Option<String>) {
    // A guest whose definition cannot be read stays for that.
    let guest = domain.xml.as_deref().and_then(|xml| guest::read(xml).ok()).unwrap_or_default();
    (guest.policy, guest.bad_policy.map(|bad| bad.to_string()))
}

/// Why a guest does not go to this host: one of those that it is kept apart from is there, or may be.
pub(super) fn apart(domain: &Domain, host: &Snapshot, terms: &Terms) -> Option<Row> {
    if terms.allows(&GUESTS_APART) {
        return None;
    }
    let policies = &terms.policies;
    let row = |result: CheckResult, message: String| Row {
        finding: Finding { instance: Some(domain.name.clone()), ..Finding::new(&GUESTS_APART, message) },
        result,
        source: None,
        destination: None,
        rechecked: false,
    };
    policies.apart(domain).find_map(|pattern| {
        let there = host.domains.iter().find(|other| policies.is_apart(pattern, domain, other));
        match (there, host.why_unknown("domains")) {
            (Some(other), _) => Some(row(
                CheckResult::Error,
                format!("it is kept apart from {} (apart: {pattern} in pvm.yaml)", other.name),
            )),
            (None, Some(why)) => Some(row(
                CheckResult::Unknown,
                format!("whether a guest is there that it is kept apart from is not known: {why}"),
            )),
            (None, None) => None,
        }
    })
}

/// The policies that the plan keeps to when this guest leaves.
pub(super) fn of(domain: &Domain, terms: &Terms) -> Vec<Kept> {
    let (own, _) = own(domain);
    let pause = terms.policies.max_pause(terms.max_pause, domain, &own);
    let pause = pause.filter(|rule| rule.by != By::Operator).map(|rule| Kept {
        policy: "max_pause",
        value: format!("{} ms", rule.value.as_millis()),
        by: rule.by.words("--max-pause"),
    });
    let apart = terms.policies.apart(domain).map(|pattern| Kept {
        policy: "apart",
        value: pattern.to_owned(),
        by: "pvm.yaml".to_owned(),
    });
    pause.into_iter().chain(apart.filter(|_| !terms.allows(&GUESTS_APART))).collect()
}

#[cfg(test)]
#[path = "policies_tests.rs"]
mod tests;
