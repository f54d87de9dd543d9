//! `make soak`: hundreds of migrations to and fro between two real libvirt daemons, most of them hit by a fault at a random
//! moment. After each, and the recovery from it, the guest must be whole on one host. Not a part of `cargo test`.
//!
//! `SOAK_SEED` repeats the choice of faults and moments (not the machine's own timing), `SOAK_MIGRATIONS` is their number.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test runs programs and stops at the first surprise"
)]

#[path = "it/two_hosts/harness.rs"]
mod harness;
#[path = "it/two_hosts/outcome.rs"]
mod outcome;
#[path = "it/program.rs"]
mod program;

use std::collections::BTreeMap;
use std::fs;
use std::process::Child;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use harness::{Life, Said, TwoHosts};

/// Daemons that notice a dead connection after a second or two instead of thirty, so that cuts of a few seconds count. One
/// that is only slow is taken for dead now and then, which is one fault more.
const IMPATIENT: &str = "keepalive_interval = 1\nkeepalive_count = 1\n";

/// Longer than any migration here takes, however it is injured: past it pvm hangs.
const HANGS: Duration = Duration::from_secs(180);

/// How often recovery may be needed for one migration: each time it may find another state.
const MOST_RECOVERIES: usize = 20;

/// xorshift64*: the same numbers from the same seed on every machine.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) % limit
    }

    fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[usize::try_from(self.below(all.len() as u64)).unwrap()]
    }

    fn time(&mut self, most_ms: u64) -> Duration {
        Duration::from_millis(self.below(most_ms))
    }
}

/// What is done to a migration under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fault {
    None,
    /// pvm ends itself at a record of its journal.
    PvmKilledAtRecord,
    PvmKilled,
    Interrupted,
    Timeout,
    DestinationQemuKilled,
    DestinationDaemonKilled,
    SourceDaemonKilled,
    DestinationDaemonSilent,
    SourceDaemonSilent,
    NetworkCut,
    /// pvm is killed, and the network cut.
    PvmKilledNetworkCut,
}

const FAULTS: [Fault; 12] = [
    Fault::None,
    Fault::PvmKilledAtRecord,
    Fault::PvmKilled,
    Fault::Interrupted,
    Fault::Timeout,
    Fault::DestinationQemuKilled,
    Fault::DestinationDaemonKilled,
    Fault::SourceDaemonKilled,
    Fault::DestinationDaemonSilent,
    Fault::SourceDaemonSilent,
    Fault::NetworkCut,
    Fault::PvmKilledNetworkCut,
];

const RECORDS: [&str; 10] = [
    "plan",
    "claim",
    "recheck",
    "mark-intent",
    "perform-intent",
    "switched",
    "perform-returned",
    "verify",
    "cleanup",
    "done",
];

/// How often each end was seen.
#[derive(Debug, Default)]
struct Tally {
    all: u32,
    moved: u32,
    recovered: u32,
    decided: u32,
    exits: BTreeMap<String, u32>,
}

struct Soak {
    hosts: TwoHosts,
    random: Random,
    on: &'static str,
    life: Life,
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok().filter(|text| !text.is_empty())?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable}={text}: not a number")))
}

fn main() {
    let seed = number("SOAK_SEED").unwrap_or_else(|| {
        u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() & 0xffff_ffff).unwrap()
    });
    let migrations = number("SOAK_MIGRATIONS").unwrap_or(300);
    println!("SOAK_SEED={seed} SOAK_MIGRATIONS={migrations}");
    let hosts = TwoHosts::up_with(IMPATIENT, IMPATIENT);
    let life = hosts.guest("a", "demo", &[]);
    let first = life.counter;
    // Xorshift stays at zero for ever.
    let mut soak = Soak { hosts, random: Random(seed.max(1)), on: "a", life };
    let mut tallies: BTreeMap<Fault, Tally> = BTreeMap::new();
    let started = Instant::now();
    for round in 1..=migrations {
        let fault = soak.random.of(&FAULTS);
        soak.migrate(round, fault, tallies.entry(fault).or_default());
    }
    println!("\n| fault | migrations | moved | recovered | decisions | pvm's exit codes |");
    println!("| --- | --- | --- | --- | --- | --- |");
    for (fault, tally) in &tallies {
        let exits: Vec<_> = tally.exits.iter().map(|(exit, times)| format!("{exit}: {times}")).collect();
        let (all, moved, recovered, decided) = (tally.all, tally.moved, tally.recovered, tally.decided);
        println!("| {fault:?} | {all} | {moved} | {recovered} | {decided} | {} |", exits.join(", "));
    }
    println!(
        "\n{migrations} migrations in {} s with seed {seed}: after each the guest was whole on one host; it counted from {first} to {}.",
        started.elapsed().as_secs(),
        soak.life.counter
    );
}

impl Soak {
    fn other(&self) -> &'static str {
        if self.on == "a" { "b" } else { "a" }
    }

    /// Moves the guest, injures the migration, recovers, and checks that all is whole.
    fn migrate(&mut self, round: u64, fault: Fault, tally: &mut Tally) {
        let (from, to) = (self.on, self.other());
        let point = format!("{}:{}", self.random.of(&["before", "after"]), self.random.of(&RECORDS));
        let mut args = vec!["migrate", "demo", if to == "a" { "host-a" } else { "host-b" }, "--yes", "-o", "ndjson"];
        let slow = fault == Fault::DestinationQemuKilled;
        args.extend(if slow {
            ["--bandwidth", "1MiB"]
        } else {
            ["--bandwidth", self.random.of(&["4MiB", "8MiB", "64MiB"])]
        });
        if fault == Fault::Timeout {
            args.extend(["--timeout", self.random.of(&["200ms", "700ms", "1500ms", "3s"])]);
        }
        let mut pvm = self.hosts.pvm(from, &args);
        if fault == Fault::PvmKilledAtRecord {
            pvm.env("PVM_FAULT", &point);
        }
        let (out, err) = (self.hosts.path("soak.out"), self.hosts.path("soak.err"));
        pvm.stdout(fs::File::create(&out).unwrap()).stderr(fs::File::create(&err).unwrap());
        let mut pvm = pvm.spawn().unwrap();
        self.strike(fault, &mut pvm, from, to);
        let code = ended(&mut pvm);
        let read = |path| fs::read_to_string(path).unwrap();
        let said = Said { code, stdout: read(&out), stderr: read(&err) };
        let (recoveries, decisions) = self.recover(from, &said);
        self.on = if self.hosts.virsh(from, &["list", "--name"]).trim() == "demo" { from } else { to };
        self.life = self.hosts.whole(self.on, &self.life);
        self.truthful(&said, from, to, recoveries);

        tally.all += 1;
        tally.moved += u32::from(self.on == to);
        tally.recovered += u32::from(recoveries > 0);
        tally.decided += u32::from(decisions > 0);
        let exit = code.map_or("killed".to_owned(), |code| code.to_string());
        let detail = if fault == Fault::PvmKilledAtRecord { format!(" {point}") } else { String::new() };
        println!(
            "{round:>4}  {from} -> {to}  {fault:?}{detail}: {exit}, {recoveries} recoveries, {decisions} decisions; on {}, counter {}",
            self.on, self.life.counter
        );
        *tally.exits.entry(exit).or_default() += 1;
    }

    /// What pvm said last was so: an end that it called an end needed no recovery and is where it said.
    fn truthful(&self, said: &Said, from: &str, to: &str, recoveries: usize) {
        match said.code {
            Some(0) => assert!(self.on == to && recoveries == 0, "it said that the guest moved: {said:#?}"),
            Some(1 | 4 | 130) => assert!(self.on == from && recoveries == 0, "it said that all is undone: {said:#?}"),
            Some(3 | 6) | None => {}
            _ => panic!("an exit code that nothing here can lead to: {said:#?}"),
        }
    }

    fn strike(&mut self, fault: Fault, pvm: &mut Child, from: &str, to: &str) {
        let wait = self.random.time(3000);
        let lasts = self.random.time(5000);
        let host = |command: &str, args: &[&str]| drop(self.hosts.command(command, args));
        match fault {
            Fault::None | Fault::PvmKilledAtRecord | Fault::Timeout => {}
            Fault::PvmKilled | Fault::PvmKilledNetworkCut => {
                std::thread::sleep(wait);
                signal(pvm, rustix::process::Signal::KILL);
                if fault == Fault::PvmKilledNetworkCut {
                    host("cut", &[]);
                    std::thread::sleep(lasts);
                    host("heal", &[]);
                }
            }
            Fault::Interrupted => {
                std::thread::sleep(wait);
                signal(pvm, rustix::process::Signal::INT);
            }
            Fault::DestinationQemuKilled => {
                // Far from switch-over: past it the guest itself would be killed.
                self.memory_flows(pvm);
                std::thread::sleep(wait);
                host("signal", &[to, "demo", "KILL"]);
            }
            Fault::DestinationDaemonKilled | Fault::SourceDaemonKilled => {
                let daemon = if fault == Fault::SourceDaemonKilled { from } else { to };
                std::thread::sleep(wait);
                host("stop", &[daemon]);
                std::thread::sleep(lasts);
                host("start", &[daemon]);
            }
            Fault::DestinationDaemonSilent | Fault::SourceDaemonSilent => {
                let daemon = if fault == Fault::SourceDaemonSilent { from } else { to };
                std::thread::sleep(wait);
                host("signal", &[daemon, "daemon", "STOP"]);
                std::thread::sleep(lasts);
                host("signal", &[daemon, "daemon", "CONT"]);
            }
            Fault::NetworkCut => {
                std::thread::sleep(wait);
                host("cut", &[]);
                std::thread::sleep(lasts);
                host("heal", &[]);
            }
        }
    }

    fn memory_flows(&self, pvm: &mut Child) {
        let limit = Instant::now() + HANGS;
        let out = self.hosts.path("soak.out");
        loop {
            let text = fs::read_to_string(&out).unwrap();
            // The last line may be half written.
            let events = text.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
            if events.into_iter().any(|event| event["memory_processed"].as_u64() > Some(0)) {
                return;
            }
            assert!(pvm.try_wait().unwrap().is_none() && Instant::now() < limit, "no memory flows: {text}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// `pvm recover` until nothing waits; decides where the table asks for it. How often, and how many decisions.
    fn recover(&mut self, from: &str, said: &Said) -> (usize, usize) {
        let (mut recoveries, mut decisions) = (0, 0);
        let mut story = vec![format!("{said:#?}")];
        loop {
            let listed = self.hosts.run(from, &["recover", "-o", "json"]);
            let listed: serde_json::Value = serde_json::from_str(&listed.stdout).unwrap();
            let Some(id) = listed["migrations"][0]["id"].as_str().map(str::to_owned) else { break };
            assert!(recoveries < MOST_RECOVERIES, "it does not come to an end: {story:#?}");
            recoveries += 1;
            let said = self.hosts.run(from, &["recover", &id]);
            story.push(format!("{said:#?}"));
            let words = format!("{}{}", said.stdout, said.stderr);
            if said.code == Some(6) && words.contains("--keep") {
                let keep = if words.contains("--keep dst") { self.random.of(&["src", "dst"]) } else { "src" };
                decisions += 1;
                story.push(format!("{:#?}", self.hosts.run(from, &["recover", &id, "--keep", keep])));
            }
        }
        (recoveries, decisions)
    }
}

fn signal(pvm: &Child, signal: rustix::process::Signal) {
    // It is not reaped yet: the number is still its own.
    rustix::process::kill_process(rustix::process::Pid::from_child(pvm), signal).unwrap();
}

fn ended(pvm: &mut Child) -> Option<i32> {
    let limit = Instant::now() + HANGS;
    loop {
        if let Some(status) = pvm.try_wait().unwrap() {
            return status.code();
        }
        assert!(Instant::now() < limit, "pvm hangs, process {}", pvm.id());
        std::thread::sleep(Duration::from_millis(20));
    }
}
