//! What starting pvm costs, beside a program that does nothing, and what ten thousand closed migrations cost `pvm history` and
//! `pvm recover`, beside none. `cargo bench --bench commands`.

#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a benchmark runs programs, reads the clock and prints"
)]

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use pvm::internals::journal::{Entry, Host, Instance, Plan, Receipt, Store};

#[path = "budget.rs"]
mod budget;
#[path = "../it/program.rs"]
mod program;

use budget::{budget, quartiles};

const JOURNALS: usize = 10_000;
const RUNS: usize = 41;

fn main() {
    let dir = tempfile::tempdir().expect("a directory");
    let (full, empty) = (dir.path().join("full"), dir.path().join("empty"));
    fill(&full);
    fs::create_dir_all(empty.join("closed")).expect("a directory");
    let pvm = |state: &Path, words: &[&str]| {
        let mut command = program::pvm(dir.path());
        command.args(words).env("STATE_DIRECTORY", state);
        command
    };
    let first = run(pvm(&full, &["history"]));
    println!("history without an index, once: {:.1} ms", first.as_secs_f64() * 1e3);
    let version = beside(|| pvm(&empty, &["--version"]), || Command::new("true"));
    budget("pvm --version over a program that does nothing", version, 2.0, "ms");
    for words in [&["history"][..], &["explain", "clock-skew"]] {
        let more = beside(|| pvm(&full, words), || pvm(&empty, words));
        budget(&format!("pvm {} with 10,000 closed migrations over none", words[0]), more, 5.0, "ms");
    }
}

/// How many milliseconds the first takes more than the second, in turns.
fn beside(one: impl Fn() -> Command, other: impl Fn() -> Command) -> [f64; 3] {
    let pair = || run(one()).as_secs_f64() * 1e3 - run(other()).as_secs_f64() * 1e3;
    pair();
    quartiles((0..RUNS).map(|_| pair()))
}

fn fill(state: &Path) {
    let store = Store::at(state);
    for n in 0..JOURNALS {
        let host = |name: &str| Host { name: name.into(), ..Host::default() };
        let plan = Plan {
            id: format!("20260101-{n:06}-aaaaaa"),
            instance: Instance { name: format!("instance-{:08x}", n % 500), uuid: format!("{:036}", n % 500) },
            source: host("cmp-a1"),
            destination: host("cmp-b1"),
            ..Plan::default()
        };
        // As pvm writes them, but without a wait for the disk after each.
        let receipt = Receipt { downtime_ms: Some(30 + n as u64 % 50), ..Receipt::default() };
        if n == 0 {
            store.create(plan).and_then(|mut journal| journal.append(&Entry::Done { receipt })).expect("a journal");
        } else {
            let name = |n: usize| state.join(format!("closed/20260101-{n:06}-aaaaaa.ndjson"));
            fs::copy(name(0), name(n)).expect("a journal");
        }
    }
    let closed = fs::File::open(state.join("closed")).expect("a directory");
    closed.set_modified(SystemTime::now() - Duration::from_secs(60)).expect("its time can be set");
}

fn run(mut command: Command) -> Duration {
    let begun = Instant::now();
    let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status().expect("it runs");
    assert!(status.success(), "{command:?}");
    begun.elapsed()
}
