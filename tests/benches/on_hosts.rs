//! Programs on one of two real libvirt hosts, timed from their start to their end.

#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a benchmark runs programs and prints"
)]

use std::process::{Command, Output, Stdio};
use std::time::Instant;

use crate::budget::quartiles;
use crate::harness::{Said, TwoHosts};

/// A program on a host, without the harness's shell around it, and the milliseconds it took.
pub(crate) fn on(hosts: &TwoHosts, host: &str, args: &[&str]) -> (Output, f64) {
    let anchor = std::fs::read_to_string(hosts.path(&format!("host-{host}/anchor.pid"))).unwrap();
    let mut command = Command::new("nsenter");
    command.args(["--target", anchor.trim(), "--mount", "--uts", "--net", "--wd=/", "--"]).args(args);
    // The host's own is where it belongs.
    command.env_remove("STATE_DIRECTORY").env_remove("XDG_STATE_HOME");
    let start = Instant::now();
    let output = command.stdin(Stdio::null()).output().unwrap();
    let total = start.elapsed().as_secs_f64() * 1000.0;
    assert!(output.status.success(), "{args:?}: {:#?}", Said::of(&output));
    (output, total)
}

/// Milliseconds of downtime in the last migration of a guest, as the destination's libvirt counts.
pub(crate) fn downtime(hosts: &TwoHosts, host: &str, guest: &str) -> f64 {
    let text = hosts.virsh(host, &["domjobinfo", guest, "--completed"]);
    let line = text.lines().find(|line| line.starts_with("Total downtime:")).unwrap();
    line.split_whitespace().nth(2).unwrap().parse().unwrap()
}

/// A line with the quartiles.
pub(crate) fn report(what: &str, values: impl Iterator<Item = f64>) {
    let [low, middle, high] = quartiles(values);
    println!("{what:<36} {low:>10.2} {middle:>9.2} {high:>9.2}");
}
