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

#[path = "it/documents.rs"]
mod documents;
#[path = "it/two_hosts/harness.rs"]
mod harness;
#[path = "it/two_hosts/outcome.rs"]
mod outcome;
#[path = "it/program.rs"]
mod program;

use std::collections::BTreeMap;
use std::fs;
use std::process::{Child, Command, Stdio};
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
    PvmStopped,
    InterruptedTwice,
    Terminated,
    HungUp,
    SourceQemuStopped,
    DestinationQemuStopped,
    /// The disk of the journals is full for a while.
    DiskFull,
    /// The name of the destination leads to another host for a while.
    NameSwapped,
    /// Nobody is there to read what pvm says.
    ReaderDead,
    /// A pvm of another machine wants the same.
    TwoOperators,
}

const FAULTS: [Fault; 22] = [
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
    Fault::PvmStopped,
    Fault::InterruptedTwice,
    Fault::Terminated,
    Fault::HungUp,
    Fault::SourceQemuStopped,
    Fault::DestinationQemuStopped,
    Fault::DiskFull,
    Fault::NameSwapped,
    Fault::ReaderDead,
    Fault::TwoOperators,
];

/// The state directory of the machine that pvm is started on, and that of a second one.
const MACHINES: [&str; 2] = ["/var/lib/pvm", "/var/lib/pvm-2"];

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
    for host in ["a", "b"] {
        // A disk that can be filled.
        let disk = "mkdir -p /var/lib/pvm && mount -t tmpfs -o size=32m tmpfs /var/lib/pvm";
        hosts.command("exec", &[host, "sh", "-c", disk]);
    }
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
        if fault == Fault::ReaderDead {
            let (reader, writer) = std::io::pipe().unwrap();
            drop(reader);
            pvm.stdout(writer.try_clone().unwrap()).stderr(writer);
        }
        let mut pvm = pvm.spawn().unwrap();
        let second = (fault == Fault::TwoOperators).then(|| self.second_operator(from, to));
        self.strike(fault, &mut pvm, from, to);
        let code = ended(&mut pvm);
        let read = |path| fs::read_to_string(path).unwrap();
        let said = Said { code, stdout: read(&out), stderr: read(&err) };
        let second = second.map(|mut second| {
            ended(&mut second);
            Said::of(&second.wait_with_output().unwrap())
        });
        let (mut recoveries, mut decisions) = self.recover(from, MACHINES[0], &said);
        if let Some(second) = &second {
            let more = self.recover(from, MACHINES[1], second);
            (recoveries, decisions) = (recoveries + more.0, decisions + more.1);
        }
        self.on = if self.hosts.virsh(from, &["list", "--name"]).trim() == "demo" { from } else { to };
        self.life = self.hosts.whole(self.on, &self.life);
        match &second {
            Some(second) => self.one_of_two(&said, second, to, recoveries),
            None => self.truthful(&said, from, to, recoveries),
        }

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
            // Without room for its last record it is not finished, wherever the guest is.
            Some(5) if said.stderr.contains("No space left") || said.stdout.contains("No space left") => {}
            Some(3 | 6) | None => {}
            _ => panic!("an exit code that nothing here can lead to: {said:#?}"),
        }
    }

    /// Of two machines one at most says that it moved the guest, and if none needed recovery that is so.
    fn one_of_two(&self, one: &Said, other: &Said, to: &str, recoveries: usize) {
        let moved = [one, other].iter().filter(|said| said.code == Some(0)).count();
        assert!(moved <= 1, "both say that they moved it: {one:#?} {other:#?}");
        let known = [one, other].iter().all(|said| matches!(said.code, Some(0 | 1 | 3 | 4 | 6)));
        assert!(known, "an exit code that nothing here can lead to: {one:#?} {other:#?}");
        assert!(recoveries > 0 || (moved == 1) == (self.on == to), "{one:#?} {other:#?}");
    }

    /// A pvm of another machine, a moment later.
    fn second_operator(&mut self, from: &str, to: &str) -> Child {
        std::thread::sleep(self.random.time(1500));
        let destination = format!("host-{to}");
        let migrate = ["migrate", "demo", &destination, "--yes", "--bandwidth", "8MiB"];
        let mut pvm = self.of_machine(from, MACHINES[1], &migrate);
        pvm.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// `pvm` with the state directory of one of the machines.
    fn of_machine(&self, host: &str, machine: &str, args: &[&str]) -> Command {
        let mut pvm = Command::new(harness::script());
        let directory = self.hosts.path("");
        pvm.args(["exec", directory.to_str().unwrap(), host, "env", &format!("STATE_DIRECTORY={machine}")]);
        pvm.arg(program::PVM).args(args).stdin(Stdio::null());
        pvm
    }

    /// Stops the guest's QEMU on a host, if it has one, for a while.
    fn stop_qemu(&self, host: &str, lasts: Duration) {
        let stop = format!(
            "p=$(cat /run/libvirt/qemu/demo.pid) && kill -STOP $p && {{ sleep {}; kill -CONT $p; }}; true",
            lasts.as_secs_f32()
        );
        self.hosts.command("exec", &[host, "sh", "-c", &stop]);
    }

    fn strike(&mut self, fault: Fault, pvm: &mut Child, from: &str, to: &str) {
        let wait = self.random.time(3000);
        let lasts = self.random.time(5000);
        let host = |command: &str, args: &[&str]| drop(self.hosts.command(command, args));
        match fault {
            Fault::None | Fault::PvmKilledAtRecord | Fault::Timeout | Fault::ReaderDead | Fault::TwoOperators => {}
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
            Fault::Terminated | Fault::HungUp | Fault::InterruptedTwice => {
                std::thread::sleep(wait);
                let first = match fault {
                    Fault::Terminated => rustix::process::Signal::TERM,
                    Fault::HungUp => rustix::process::Signal::HUP,
                    _ => rustix::process::Signal::INT,
                };
                signal(pvm, first);
                if fault == Fault::InterruptedTwice {
                    std::thread::sleep(lasts / 5);
                    signal(pvm, first);
                }
            }
            Fault::PvmStopped => {
                std::thread::sleep(wait);
                signal(pvm, rustix::process::Signal::STOP);
                std::thread::sleep(lasts);
                signal(pvm, rustix::process::Signal::CONT);
            }
            Fault::SourceQemuStopped | Fault::DestinationQemuStopped => {
                std::thread::sleep(wait);
                self.stop_qemu(if fault == Fault::SourceQemuStopped { from } else { to }, lasts);
            }
            Fault::DiskFull => {
                std::thread::sleep(wait);
                let fill = "cat /dev/zero >/var/lib/pvm/filling 2>/dev/null; true";
                host("exec", &[from, "sh", "-c", fill]);
                std::thread::sleep(lasts);
                host("exec", &[from, "rm", "/var/lib/pvm/filling"]);
            }
            Fault::NameSwapped => {
                std::thread::sleep(wait);
                let names = self.hosts.path(&format!("host-{from}/etc/hosts"));
                let right = fs::read_to_string(&names).unwrap();
                let (own, other) = if from == "a" { ("10.77.0.1", "10.77.0.2") } else { ("10.77.0.2", "10.77.0.1") };
                fs::write(&names, right.replace(other, own)).unwrap();
                std::thread::sleep(lasts);
                fs::write(&names, right).unwrap();
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
    fn recover(&mut self, from: &str, machine: &str, said: &Said) -> (usize, usize) {
        let (mut recoveries, mut decisions) = (0, 0);
        let mut story = vec![format!("{said:#?}")];
        let run = |soak: &Self, args: &[&str]| Said::of(&soak.of_machine(from, machine, args).output().unwrap());
        loop {
            let listed = run(self, &["recover", "-o", "json"]);
            let listed: serde_json::Value = serde_json::from_str(&listed.stdout).unwrap();
            // The other machine's are for the other machine.
            let own = listed["migrations"].as_array().unwrap().iter().filter_map(|one| one["id"].as_str());
            let own = own.filter(|id| {
                let look = format!("test ! -e {machine}/migrations/{id}.ndjson || echo here");
                self.hosts.command("exec", &[from, "sh", "-c", &look]).contains("here")
            });
            let Some(id) = own.map(str::to_owned).next() else { break };
            assert!(recoveries < MOST_RECOVERIES, "it does not come to an end: {story:#?}");
            recoveries += 1;
            let said = run(self, &["recover", &id]);
            story.push(format!("{said:#?}"));
            let words = format!("{}{}", said.stdout, said.stderr);
            if words.contains("what is left of the migration on") {
                // A daemon that was killed between fork and exec of a QEMU waits for that one after each restart.
                let to = if from == "a" { "b" } else { "a" };
                self.hosts.command("stop", &[to]);
                self.hosts.command("exec", &[to, "sh", "-c", "rm -f /run/libvirt/qemu/demo.xml"]);
                self.hosts.command("start", &[to]);
            }
            if said.code == Some(6) && words.contains("--keep") {
                let keep = if words.contains("--keep dst") { self.random.of(&["src", "dst"]) } else { "src" };
                decisions += 1;
                story.push(format!("{:#?}", run(self, &["recover", &id, "--keep", keep])));
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
