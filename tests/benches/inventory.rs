//! `pvm inventory -o json` beside `lspci -D -nn -k -vmm` on one tree of 2,032 VFs, in turns: wall time.
//! `cargo bench --bench inventory -- 8` builds an eight times larger tree, to see the growth.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark prints, and stops at the first surprise"
)]

#[path = "../tree/mod.rs"]
mod tree;

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tree::synthetic::Synthetic;

const ROUNDS: u32 = 11;

fn main() {
    let times: u32 = std::env::args().find_map(|word| word.parse().ok()).unwrap_or(1);
    let place = tempfile::tempdir().unwrap();
    Synthetic { pfs: 16 * times, vfs: 127, ..Synthetic::default() }.build(place.path());
    let root = place.path().to_str().unwrap();
    let pci = format!("sysfs.path={root}/sys/bus/pci");
    let ours = [env!("CARGO_BIN_EXE_pvm"), "inventory", "--root", root, "-o", "json"];
    let peer = ["lspci", "-A", "linux-sysfs", "-O", pci.as_str(), "-D", "-nn", "-k", "-vmm"];
    let (mut best_ours, mut best_peer) = (Duration::MAX, None);
    for _ in 0..ROUNDS {
        best_ours = best_ours.min(run(&ours).expect("pvm was just built"));
        best_peer = run(&peer).map(|time| best_peer.map_or(time, |best: Duration| best.min(time)));
    }
    println!("{} VFs, best of {ROUNDS}", 16 * 127 * times);
    println!("pvm    {:>8.1} ms", best_ours.as_secs_f64() * 1e3);
    match best_peer {
        Some(best) => {
            println!("lspci  {:>8.1} ms", best.as_secs_f64() * 1e3);
            println!("ratio  {:>8.2}    (budget 0.50)", best_ours.as_secs_f64() / best.as_secs_f64());
        }
        None => println!("lspci  is not installed (pciutils)"),
    }
}

/// The wall time of one run; `None` when the program is not there.
fn run(words: &[&str]) -> Option<Duration> {
    let begin = Instant::now();
    let status = Command::new(words[0]).args(&words[1..]).stdout(Stdio::null()).stderr(Stdio::null()).status().ok()?;
    assert!(status.success(), "{words:?}: {status}");
    Some(begin.elapsed())
}
