//! `pvm migrate` beside `virsh migrate --live --p2p`: the same guest to and fro between two real libvirt hosts, the two
//! alternately. `cargo bench --bench migrate` prints medians and quartiles; nothing is asserted. Needs root and what
//! `tests/two-hosts/two-hosts install` installs. `PAIRS` is the number of pairs.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark reads the clock, runs programs and prints"
)]

#[path = "budget.rs"]
mod budget;
#[path = "../it/documents.rs"]
mod documents;
#[path = "../it/two_hosts/harness.rs"]
mod harness;
#[path = "on_hosts.rs"]
mod on_hosts;
#[path = "../it/program.rs"]
mod program;

use budget::{budget, quartiles};

use harness::TwoHosts;
use on_hosts::{downtime, on, report};

/// MiB a second, so that the guest's memory takes about the two seconds that a small guest takes on a real link.
const BANDWIDTH: &str = "12";

/// Milliseconds of one migration.
struct Times {
    /// From the program's start to its end.
    total: f64,
    /// The downtime, as the destination's libvirt counts.
    downtime: f64,
}

/// Milliseconds that pvm adds.
struct Added {
    /// From its start until it tells libvirt to migrate.
    before: f64,
    /// From libvirt's return to its end.
    after: f64,
}

fn main() {
    let pairs = std::env::var("PAIRS").map_or(20, |text| text.parse().expect("PAIRS is a number"));
    let hosts = TwoHosts::up();
    let mut life = hosts.guest("a", "demo", &[]);
    let (mut peer, mut pvm, mut added) = (Vec::new(), Vec::new(), Vec::new());
    for pair in 0..=pairs {
        // Who goes first changes, so that each of them goes either way equally often.
        for first in [true, false] {
            let (from, to) = if first { ("a", "b") } else { ("b", "a") };
            if first == (pair % 2 == 0) {
                let times = by_virsh(&hosts, from, to);
                peer.push(times);
            } else {
                let (times, more) = by_pvm(&hosts, from, to);
                pvm.push(times);
                added.push(more);
            }
            life = hosts.life(to, "demo", Some(&life));
        }
    }
    // The first pair warms up.
    let (peer, pvm, added) = (&peer[1..], &pvm[1..], &added[1..]);
    println!("{pairs} pairs, milliseconds{:>25} {:>9} {:>9}", "quartile", "median", "quartile");
    report("virsh migrate --live --p2p, total", peer.iter().map(|times| times.total));
    report("pvm migrate, total", pvm.iter().map(|times| times.total));
    report("virsh, downtime", peer.iter().map(|times| times.downtime));
    report("pvm, downtime", pvm.iter().map(|times| times.downtime));
    report("pvm adds before libvirt's call", added.iter().map(|added| added.before));
    report("pvm adds after libvirt's call", added.iter().map(|added| added.after));
    let pairs = || pvm.iter().zip(peer);
    let totals = quartiles(pairs().map(|(pvm, peer)| pvm.total / peer.total));
    budget("migrate, of virsh migrate's time", totals, 1.05, "x");
    budget(
        "downtime, of virsh migrate's",
        quartiles(pairs().map(|(pvm, peer)| pvm.downtime / peer.downtime)),
        1.0,
        "x",
    );
}

fn by_virsh(hosts: &TwoHosts, from: &str, to: &str) -> Times {
    let uri = format!("qemu+tcp://host-{to}/system");
    let (_, total) = on(
        hosts,
        from,
        &["virsh", "-q", "-c", "qemu:///system", "migrate", "--live", "--p2p", "--bandwidth", BANDWIDTH, "demo", &uri],
    );
    Times { total, downtime: downtime(hosts, to, "demo") }
}

fn by_pvm(hosts: &TwoHosts, from: &str, to: &str) -> (Times, Added) {
    let pvm = program::PVM;
    let limit = format!("--bandwidth={BANDWIDTH}MiB");
    let (output, total) =
        on(hosts, from, &[pvm, "migrate", "demo", &format!("host-{to}"), "--yes", &limit, "-o", "json"]);
    let receipt: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    // The receipt's clock starts when the plan is made and the journal open.
    let all = receipt["total_ms"].as_f64().unwrap();
    let phases: Vec<(String, f64)> = serde_json::from_value(receipt["phases"].clone()).unwrap();
    let of = |names: &[&str]| {
        phases.iter().filter(|(name, _)| names.contains(&name.as_str())).map(|(_, ms)| ms).sum::<f64>()
    };
    let after = of(&["verify", "attach", "cleanup"]);
    let added = Added { before: total - all + of(&["claim", "recheck", "detach"]), after };
    (Times { total, downtime: downtime(hosts, to, "demo") }, added)
}
