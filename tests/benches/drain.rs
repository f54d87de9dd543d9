//! `pvm drain` beside a shell loop of `virsh migrate --live --p2p`: the same guests to and fro between two real libvirt hosts, the
//! two alternately. `cargo bench --bench drain` prints medians and quartiles; nothing is asserted but that all arrive. Needs root
//! and what `tests/two-hosts/two-hosts install` installs. `PAIRS` is the number of pairs, `GUESTS` that of the guests.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark reads the clock, runs programs and prints"
)]

#[path = "../it/documents.rs"]
mod documents;
#[path = "../it/two_hosts/harness.rs"]
mod harness;
#[path = "../it/program.rs"]
mod program;

use std::process::{Command, Stdio};
use std::time::Instant;

use harness::{Life, Said, TwoHosts};

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
                shell(&hosts, from, &open);
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
    report("ratio of totals within a pair", pvm.iter().zip(peer).map(|(pvm, peer)| pvm.total / peer.total));
}

fn report(what: &str, values: impl Iterator<Item = f64>) {
    let mut values: Vec<_> = values.collect();
    values.sort_by(f64::total_cmp);
    let at = |part: usize| values[(values.len() - 1) * part / 4];
    println!("{what:<36} {:>10.2} {:>9.2} {:>9.2}", at(1), at(2), at(3));
}

fn by_virsh(to: &str, names: &[String]) -> String {
    let names = names.join(" ");
    format!(
        "for guest in {names}; do virsh -q -c qemu:///system migrate --live --p2p $guest qemu+tcp://host-{to}/system || exit; done"
    )
}

/// Runs a line of shell on a host, without the harness's shell around it.
fn shell(hosts: &TwoHosts, host: &str, line: &str) -> f64 {
    let anchor = std::fs::read_to_string(hosts.path(&format!("host-{host}/anchor.pid"))).unwrap();
    let mut command = Command::new("nsenter");
    command.args(["--target", anchor.trim(), "--mount", "--uts", "--net", "--wd=/", "--", "sh", "-c", line]);
    // The host's own is where it belongs.
    command.env_remove("STATE_DIRECTORY").env_remove("XDG_STATE_HOME");
    let start = Instant::now();
    let output = command.stdin(Stdio::null()).output().unwrap();
    let total = start.elapsed().as_secs_f64() * 1000.0;
    assert!(output.status.success(), "{line}: {:#?}", Said::of(&output));
    total
}

fn times(hosts: &TwoHosts, from: &str, to: &str, names: &[String], line: &str) -> Times {
    let total = shell(hosts, from, line);
    let downtime = names.iter().map(|name| downtime(hosts, to, name)).fold(0.0, f64::max);
    Times { total, downtime }
}

fn downtime(hosts: &TwoHosts, host: &str, name: &str) -> f64 {
    let text = hosts.virsh(host, &["domjobinfo", name, "--completed"]);
    let line = text.lines().find(|line| line.starts_with("Total downtime:")).unwrap();
    line.split_whitespace().nth(2).unwrap().parse().unwrap()
}
