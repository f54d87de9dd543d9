//! A port is left for the migration's data.

use super::prelude::*;

check! {
    /// No port of the destination can be reached for the migration's data.
    ///
    /// # Meaning
    /// QEMU on the destination listens on a free port of migration_port_min to migration_port_max (qemu.conf; 49152 to
    /// 49215) for each migration. Other guests and programs may have them all ("Unable to find an unused port in range
    /// 'migration'"), and a firewall may keep the source from them ("unable to connect to server"; where it drops packets,
    /// the migration hangs for two minutes). pvm on the destination listens on the first free one for a few seconds, and
    /// pvm on the source connects to it. Without both of them a firewall is not known.
    /// # Check by hand
    /// ss -ltn on the destination; nc -l PORT there, and nc -vz ADDRESS PORT on the source.
    /// # Fix
    /// Open the range for the source in the firewall of the destination, another range in qemu.conf, or stop what listens
    /// there.
    "migration-ports": Error, Hosts(run), rechecked
}

fn run(hosts: Hosts<'_>) -> Vec<Verdict> {
    let host = &hosts.destination.host;
    let mut verdicts = Vec::new();
    if let (Some((first, last)), Some(listening)) = (host.migration.ports, &host.listening) {
        let is_free = |port: &u16| !listening.iter().any(|there| there.port() == *port);
        if !(first..=last).any(|port| is_free(&port)) {
            let message = format!("all ports for migrations to {}, {first} to {last}, are listened on", name(host));
            verdicts.push(Verdict::fail(message).remedy(format!("ss -ltnp 'sport >= {first} and sport <= {last}'")));
        }
    }
    let tried = host.reach.as_ref().and_then(|reach| reach.data.as_ref());
    verdicts.extend(tried.map(|tried| reached(hosts, tried)));
    verdicts
}

fn reached(hosts: Hosts<'_>, Attempt { to, works, why }: &Attempt) -> Verdict {
    let (source, host) = (name(&hosts.source.host), &hosts.destination.host);
    match works {
        Some(true) => Verdict::pass(),
        Some(false) => {
            let range = host.migration.ports.map_or("the port".to_owned(), |(a, b)| format!("TCP {a} to {b}"));
            let way = format!("open {range} of {} for {source}", name(host));
            Verdict::fail(format!("{source} does not reach {to} for the data of migrations: {why}")).remedy(way)
        }
        None => Verdict::unknown(format!("whether {source} reaches {to} for the data of migrations was not tried"))
            .remedy("pvm on both hosts, with facts by ssh; or preflight --rehearse")
            .weighing(Severity::Info),
    }
}
