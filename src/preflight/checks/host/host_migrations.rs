//! No other migrations.

use super::prelude::*;

pub(super) const CHECK: Check = Check::new(
    Rule {
        code: "host-migrations",
        severity: Severity::Warning,
        summary: "other migrations are under way on a host",
        page: "Migrations share the network and the limits of PFs; each of them takes longer and pauses its guest \
               longer.\n\nBy hand: virsh -c URI domjobinfo DOMAIN for the running domains.\n\nRemedy: wait for the \
               others.",
    },
    Run::Hosts(run),
);

fn run(hosts: Hosts<'_>) -> Vec<Verdict> {
    let mut verdicts: Vec<Verdict> = [&hosts.source.host, &hosts.destination.host]
        .into_iter()
        .filter(|host| host.jobs.is_some_and(|jobs| jobs > 0))
        .map(|host| Verdict::fail(format!("{} migrations are under way on {}", host.jobs.unwrap_or(0), name(host))))
        .collect();
    if verdicts.is_empty() {
        verdicts.push(Verdict::pass());
    }
    verdicts
}
