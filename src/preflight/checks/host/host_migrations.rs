//! No other migrations.

use super::prelude::*;
use crate::model::snapshot::Host;

check! {
    /// Other migrations are running on a host.
    ///
    /// # Meaning
    /// Migrations share the network and the limits of PFs; each of them takes longer and pauses its guest longer. Where
    /// `slots: {migrations: N}` of the host in pvm.yaml says how many it takes at once, one more is an error.
    /// # Check by hand
    /// virsh -c URI domjobinfo DOMAIN for the running domains.
    /// # Fix
    /// Wait for the others.
    "host-migrations": Warning, Hosts(run)
}

fn run(hosts: Hosts<'_>) -> Vec<Verdict> {
    let of = |host: &Host| {
        let most = host.slots.as_ref().and_then(|slots| slots.migrations);
        let (jobs, name) = match (host.jobs, most) {
            (None | Some(0), None) => return None,
            (None, Some(most)) => {
                let name = name(host);
                return Some(Verdict::unknown(format!(
                    "how many migrations are running on {name} is not known; pvm.yaml lets it take {most} at once"
                )));
            }
            (Some(jobs), _) => (jobs, name(host)),
        };
        let running = match jobs {
            0 => format!("no other migration is running on {name}"),
            1 => format!("1 other migration is running on {name}"),
            _ => format!("{jobs} other migrations are running on {name}"),
        };
        match most.filter(|most| jobs >= *most) {
            Some(most) => {
                let message = format!("{running}, and pvm.yaml lets it take {most} at once");
                Some(Verdict::fail(message).weighing(Severity::Error))
            }
            None => (jobs > 0).then(|| Verdict::fail(running)),
        }
    };
    let verdicts: Vec<Verdict> = [&hosts.source.host, &hosts.destination.host].into_iter().filter_map(of).collect();
    if verdicts.is_empty() { vec![Verdict::pass()] } else { verdicts }
}
