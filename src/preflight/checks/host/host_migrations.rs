//! No other migrations.

use super::prelude::*;

check! {
    /// Other migrations are running on a host.
    ///
    /// # Meaning
    /// Migrations share the network and the limits of PFs; each of them takes longer and pauses its guest longer.
    /// # Check by hand
    /// virsh -c URI domjobinfo DOMAIN for the running domains.
    /// # Fix
    /// Wait for the others.
    "host-migrations": Warning, Hosts(run)
}

fn run(hosts: Hosts<'_>) -> Vec<Verdict> {
    let mut verdicts: Vec<Verdict> = [&hosts.source.host, &hosts.destination.host]
        .into_iter()
        .filter(|host| host.jobs.is_some_and(|jobs| jobs > 0))
        .map(|host| {
            let (count, host) = (host.jobs.unwrap_or(0), name(host));
            Verdict::fail(match count {
                1 => format!("1 other migration is running on {host}"),
                _ => format!("{count} other migrations are running on {host}"),
            })
        })
        .collect();
    if verdicts.is_empty() {
        verdicts.push(Verdict::pass());
    }
    verdicts
}
