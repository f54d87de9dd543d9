//! Names and UUIDs that tell hosts apart.

use super::prelude::*;

check! {
    /// A host UUID is a dummy, or both hosts have the same name.
    ///
    /// # Meaning
    /// A UUID of zeros or of one repeated digit is what boards without one report; libvirt then makes up another at
    /// each start. Hosts of the same name cannot be told apart in logs, and their certificates collide.
    /// # Check by hand
    /// virsh -c URI hostname and capabilities on both hosts.
    /// # Fix
    /// Set host_uuid in virtqemud.conf or libvirtd.conf, and give each host a name of its own.
    "host-names": Warning, Hosts(run)
}

fn run(hosts: Hosts<'_>) -> Vec<Verdict> {
    let all = [&hosts.source.host, &hosts.destination.host];
    let dummy = |uuid: &str| {
        let mut digits = uuid.chars().filter(|c| *c != '-');
        digits.next().is_none_or(|first| digits.all(|digit| digit == first))
    };
    let mut verdicts: Vec<Verdict> = all
        .iter()
        .filter_map(|host| Some((host, host.uuid.as_deref().filter(|uuid| dummy(uuid))?)))
        .map(|(host, uuid)| Verdict::fail(format!("the UUID of {} is a dummy: {uuid}", name(host))))
        .collect();
    let (s, d) = (&all[0].name, &all[1].name);
    if s == d {
        verdicts.push(Verdict::fail(format!("both hosts are called {}", name(all[0]))));
    }
    if verdicts.is_empty() {
        verdicts.push(Verdict::pass());
    }
    verdicts.into_iter().map(|verdict| verdict.facts(s, d)).collect()
}
