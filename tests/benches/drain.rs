//! `pvm drain` beside a shell loop of `virsh migrate --live --p2p`: the same guests to and fro between two real libvirt hosts, the
//! two alternately. `cargo bench --bench drain` prints medians and quartiles; nothing is asserted but that all arrive. Needs root
//! and what `tests/two-hosts/two-hosts install` installs. `PAIRS` is the number of pairs, `GUESTS` that of the guests.

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
use harness::{Life, TwoHosts};
use on_hosts::{downtime, on, report};

/// Milliseconds of one emptying.
struct Times {
    /// From the program's start to its end.
    total: f64,
    /// The longest downtime, as the destination's libvirt counts.
    downtime: f64,
}

fn main() {
    let number = |name: &str, usual: usize| {
        std::env::var(name).map_or(usual, |text| text.parse().unwrap_or_else(|_| panic!("{name} is a number")))
    };
    let (pairs, count) = (number("PAIRS", 5), number("GUESTS", 6));
    let hosts = TwoHosts::up();
    let names: Vec<String> = (1..=count).map(|at| format!("guest-{at}")).collect();
    let mut lives: Vec<Life> = names.iter().map(|name| hosts.guest("a", name, &[])).collect();
    let (mut peer, mut pvm) = (Vec::new(), Vec::new());
    for pair in 0..=pairs {
        // Who goes first changes, so that each of them goes either way equally often.
        for first in [true, false] {
            let (from, to) = if first { ("a", "b") } else { ("b", "a") };
            if first == (pair % 2 == 0) {
                peer.push(times(&hosts, from, to, &names, &by_virsh(to, &names)));
            } else {
                let drain = format!("{} drain local --to host-{to} --yes -q", program::PVM);
                pvm.push(times(&hosts, from, to, &names, &drain));
                let open = format!("{} drain local --uncordon -q", program::PVM);
                on(&hosts, from, &["sh", "-c", &open]);
            }
            lives = names.iter().zip(&lives).map(|(name, life)| hosts.life(to, name, Some(life))).collect();
        }
    }
    // The first pair warms up.
    let (peer, pvm) = (&peer[1..], &pvm[1..]);
    println!("{count} guests, {pairs} pairs, milliseconds{:>15} {:>9} {:>9}", "quartile", "median", "quartile");
    report("loop of virsh migrate, total", peer.iter().map(|times| times.total));
    report("pvm drain, total", pvm.iter().map(|times| times.total));
    report("virsh, longest downtime", peer.iter().map(|times| times.downtime));
    report("pvm, longest downtime", pvm.iter().map(|times| times.downtime));
    let pairs = || pvm.iter().zip(peer);
    let totals = quartiles(pairs().map(|(pvm, peer)| pvm.total / peer.total));
    budget(&format!("drain of {count} guests, of a loop of virsh migrate"), totals, 1.0, "x");
    let longest = quartiles(pairs().map(|(pvm, peer)| pvm.downtime / peer.downtime));
    budget("the longest downtime of them, of virsh migrate's", longest, 1.0, "x");
}

fn by_virsh(to: &str, names: &[String]) -> String {
    let names = names.join(" ");
    format!(
        "for guest in {names}; do virsh -q -c qemu:///system migrate --live --p2p $guest qemu+tcp://host-{to}/system || exit; done"
    )
}

fn times(hosts: &TwoHosts, from: &str, to: &str, names: &[String], line: &str) -> Times {
    let (_, total) = on(hosts, from, &["sh", "-c", line]);
    let downtime = names.iter().map(|name| downtime(hosts, to, name)).fold(0.0, f64::max);
    Times { total, downtime }
}
