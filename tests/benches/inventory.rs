//! `pvm inventory -o json` beside `lspci -D -nn -k -vmm` on one tree, in turns: medians of wall time and of their ratio, peak
//! memory, system calls (where strace is installed), and the growth from 2,032 VFs to eight times as many.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark prints, and stops at the first surprise"
)]

#[path = "budget.rs"]
mod budget;
#[path = "../it/program.rs"]
mod program;
#[path = "../it/tree/mod.rs"]
mod tree;

use budget::{budget, quartiles};

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tree::synthetic::Synthetic;

const PFS: u32 = 16;
const VFS: u32 = 127;
const GROWTH: u32 = 8;
/// Pairs of runs, pvm and its peer in turns.
const ROUNDS: usize = 15;

fn main() {
    let small = measure(PFS, true);
    let large = measure(PFS * GROWTH, false);
    println!("growth {:>8.2}    (1.00 is linear)", large.as_secs_f64() / small.as_secs_f64() / f64::from(GROWTH));
}

/// Prints a host's figures; the median time of pvm.
fn measure(pfs: u32, with_calls: bool) -> Duration {
    let place = tempfile::tempdir().unwrap();
    Synthetic { pfs, vfs: VFS, ..Synthetic::default() }.build(place.path());
    let root = place.path().to_str().unwrap();
    let pci = format!("sysfs.path={root}/sys/bus/pci");
    let ours = [program::PVM, "inventory", "--root", root, "-o", "json"];
    let peer = ["lspci", "-A", "linux-sysfs", "-O", pci.as_str(), "-D", "-nn", "-k", "-vmm"];
    let has_peer = run(&peer).is_some();
    let (mut own, mut others, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let time = run(&ours).expect("pvm was just built");
        own.push(time);
        if has_peer {
            let other = run(&peer).unwrap();
            others.push(other);
            ratios.push(time.as_secs_f64() / other.as_secs_f64());
        }
    }
    println!("{} VFs, median of {ROUNDS} pairs", pfs * VFS);
    println!("pvm    {:>8.1} ms", median(&mut own).as_secs_f64() * 1e3);
    if has_peer {
        println!("lspci  {:>8.1} ms", median(&mut others).as_secs_f64() * 1e3);
        budget(&format!("inventory of {} VFs, of lspci's time", pfs * VFS), quartiles(ratios), 1.0 / 3.0, "x");
    } else {
        println!("lspci  is not installed (pciutils)");
    }
    budget(&format!("inventory of {} VFs, memory", pfs * VFS), [peak(&ours); 3], 32.0, "MiB");
    if with_calls {
        match calls(&ours, place.path()) {
            Some(calls) => budget("system calls per VF", [calls / f64::from(pfs * VFS); 3], 30.0, "calls"),
            None => println!("calls  not counted: strace is not installed"),
        }
    }
    median(&mut own)
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

/// A program, which finds no state of pvm.
fn command(words: &[&str]) -> Command {
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).env("STATE_DIRECTORY", concat!(env!("CARGO_TARGET_TMPDIR"), "/state"));
    command
}

/// The wall time of one run; `None` when the program is not there.
fn run(words: &[&str]) -> Option<Duration> {
    let begin = Instant::now();
    let status = command(words).stdout(Stdio::null()).stderr(Stdio::null()).status().ok()?;
    assert!(status.success(), "{words:?}: {status}");
    Some(begin.elapsed())
}

/// Peak memory in MiB: the kernel's `VmHWM`, read while the program waits for somebody to take the rest of its output.
fn peak(words: &[&str]) -> f64 {
    use std::io::Read;
    let mut child = command(words).stdout(Stdio::piped()).spawn().unwrap();
    let mut out = child.stdout.take().unwrap();
    let mut first = [0; 1];
    out.read_exact(&mut first).unwrap();
    // The document is larger than a pipe holds, so the program is still there, with everything read.
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    out.read_to_end(&mut Vec::new()).unwrap();
    assert!(child.wait().unwrap().success());
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<f64>().unwrap() / 1024.0
}

/// System calls of one run, as strace counts them.
fn calls(words: &[&str], place: &Path) -> Option<f64> {
    let table = place.join("calls");
    let mut strace = command(&["strace", "-f", "-c", "-o"]);
    strace.arg(&table).args(words).stdout(Stdio::null()).status().ok()?;
    let text = fs::read_to_string(table).ok()?;
    let total = text.lines().rfind(|line| line.ends_with("total"))?;
    total.split_whitespace().nth(3)?.parse().ok()
}
