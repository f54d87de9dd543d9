//! The pause is not longer than the operator allows.

use std::time::Duration;

use super::prelude::*;
use crate::model::policy::{By, Policy, Ruled};
use crate::preflight::estimate;
use crate::preflight::terms::Downtime;

/// How far off the estimate may be, as a factor.
const ERROR: u64 = 3;

check! {
    /// The guest may be paused longer than is allowed.
    ///
    /// # Meaning
    /// --max-pause, max_pause in pvm.yaml (for all guests or under guests:), or the policy in the guest's metadata says how long
    /// it may be paused; the shortest counts. The state of its devices moves while it is paused. How long that takes is known from
    /// the migrations of guests with such devices that pvm has on record, 19 or more: 9 of 10 are between the two times that it
    /// names, and the longer one counts. With fewer it is estimated from the size that the devices report and from the bandwidth,
    /// and may take three times as long. QEMU keeps to the limit of the downtime only where it knows of the devices' state.
    /// # Check by hand
    /// pvm history, or virsh domjobinfo DOMAIN --completed after a migration of a guest with the same devices.
    /// # Fix
    /// Allow a longer pause, or tell the bandwidth at switchover with --switchover-bandwidth where it is known.
    "max-pause": Error, Instance(run)
}

fn run(instance: &Instance<'_>) -> Vec<Verdict> {
    if let Some(bad) = &instance.guest.bad_policy {
        let remedy = Policy::default().command(instance.domain);
        return vec![Verdict::unknown(format!("how long it may be paused is not known: {bad}")).remedy(remedy)];
    }
    let (terms, own) = (instance.terms, &instance.guest.policy);
    let Some(Ruled { value: most, by }) = terms.policies.max_pause(terms.max_pause, instance.domain, own) else {
        return Vec::new();
    };
    let who = by.words("--max-pause or max_pause");
    let milliseconds = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let most = milliseconds(most);
    if let Downtime::Limit(limit) = instance.terms.downtime
        && milliseconds(limit) > most
        // One that follows from what all guests may is lowered for this one.
        && terms.max_pause != Some(limit)
    {
        let message = format!(
            "the limit of the downtime, {} ms, is more than the {most} ms allowed by {who}",
            milliseconds(limit)
        );
        return vec![Verdict::fail(message)];
    }
    if !instance.moves_state() {
        return vec![Verdict::pass()];
    }
    let Some((longest, why)) = longest(instance) else {
        return vec![Verdict::unknown(
            "how long the devices' state pauses the guest is not known: they do not report its size, and too few migrations of \
             guests with such devices are on record",
        )];
    };
    vec![if longest > most {
        let message =
            format!("the guest may be paused up to {longest} ms ({why}), more than the {most} ms allowed by {who}");
        Verdict::fail(message).remedy(match &by {
            By::Operator => format!("--max-pause {longest}ms"),
            By::File(pattern) => format!("max_pause: {longest}ms for {pattern} under guests: in pvm.yaml"),
            By::Guest => {
                let max_pause = Some(Duration::from_millis(longest));
                Policy { max_pause, ..own.clone() }.command(instance.domain)
            }
        })
    } else {
        Verdict::pass()
    }]
}

/// The longest pause to be expected in milliseconds, and what that rests on: what is on record, or else what the devices report.
fn longest(instance: &Instance<'_>) -> Option<(u64, String)> {
    if let Some(pause) = estimate::pause(instance.plan, instance.hosts, instance.terms) {
        return Some((pause.to_ms, pause.words()));
    }
    let link = instance.terms.link_at_switchover();
    let needed = link.milliseconds(estimate::device_state(instance.plan)?);
    let why = format!("its devices' state takes {needed} ms at {}, {ERROR} times as long at worst", link.words);
    Some((needed.saturating_mul(ERROR), why))
}
