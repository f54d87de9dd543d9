//! The pause fits the limit.

use super::prelude::*;
use crate::preflight::estimate;
use crate::preflight::terms::{DEFAULT_DOWNTIME_MS, Downtime};

check! {
    /// The device state needs a longer pause than the limit.
    ///
    /// # Meaning
    /// QEMU pauses the guest only when it expects the rest to fit the limit (300 ms by default). With more device state
    /// than that it copies memory forever. pvm migrate chooses a limit by the state of the devices unless
    /// --max-downtime names one, and doubles it while there is no progress, up to 10 s; where nothing else is known it
    /// takes the network for 10 Gbit/s. A limited --bandwidth lets QEMU expect a longer pause, unless
    /// --switchover-bandwidth tells it better.
    /// # Check by hand
    /// virsh domjobinfo DOMAIN during a migration; virsh migrate-setmaxdowntime DOMAIN MILLISECONDS changes the limit
    /// under way.
    /// # Fix
    /// pvm migrate --max-downtime auto, or a longer time.
    "transfer-estimate": Warning, Instance(run)
}

fn run(instance: &Instance<'_>) -> Vec<Verdict> {
    if !instance.has_vfio() {
        return Vec::new();
    }
    let Some(state) = estimate::device_state(instance.plan) else {
        return vec![Verdict::unknown("how much state the devices have is not known").weighing(Severity::Info)];
    };
    let link = instance.terms.link_at_decision();
    let needed = link.milliseconds(state);
    let (limit, words) = match instance.terms.downtime {
        // It is chosen to fit.
        Downtime::Auto => return vec![Verdict::pass()],
        Downtime::Hypervisor => (DEFAULT_DOWNTIME_MS, "the default limit".to_owned()),
        Downtime::Limit(limit) => {
            let limit = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
            (limit, format!("the limit of {limit} ms: it may never end"))
        }
    };
    vec![if needed > limit {
        Verdict::fail(format!("the devices' state alone pauses the guest about {needed} ms, more than {words}"))
            .remedy(format!("pvm migrate --max-downtime auto, or {}ms", needed.saturating_mul(2)))
    } else {
        Verdict::pass()
    }]
}
