//! Clocks in step.

use super::prelude::*;
use crate::model::snapshot::Snapshot;
use crate::model::time::Timestamp;

check! {
    /// The clocks of the hosts differ by seconds.
    ///
    /// # Meaning
    /// The guest takes its time of day from the host: it jumps by the difference. Certificates may not be valid yet.
    /// # Check by hand
    /// date on both hosts; chronyc tracking.
    /// # Fix
    /// time synchronisation on both hosts.
    "clock-skew": Info, Hosts(run)
}

/// Milliseconds that are worth a word.
const MOST: u64 = 2_000;

fn run(hosts: Hosts<'_>) -> Vec<Verdict> {
    let skew = |snapshot: &Snapshot| {
        let clock: Timestamp = snapshot.host.clock.as_deref()?.parse().ok()?;
        let taken: Timestamp = snapshot.taken_at.parse().ok()?;
        Some(clock.since(taken))
    };
    let (Some(s), Some(d)) = (skew(hosts.source), skew(hosts.destination)) else { return Vec::new() };
    let apart = s.abs_diff(d);
    vec![if apart > MOST {
        Verdict::fail(format!("the clocks are about {} s apart", apart / 1000))
            .remedy("chronyc makestep on the host that is off")
    } else {
        Verdict::pass()
    }]
}
