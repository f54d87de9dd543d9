//! `pvm drain` between two real libvirt daemons, with several guests: carried out, interrupted, killed at each of its records
//! and resumed. After each the guests run on exactly one host and go on counting, and nothing is left over.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, ChildStdout, Stdio};

use rustix::process::Signal;
use serde_json::Value;

use super::harness::{Life, Said, TwoHosts};

const GUESTS: [&str; 3] = ["one", "two", "three"];

/// So slow that a guest takes seconds.
const SLOW: [&str; 2] = ["--bandwidth", "1MiB"];

fn guests(hosts: &TwoHosts) -> Vec<Life> {
    GUESTS.iter().map(|name| hosts.guest("a", name, &[])).collect()
}

fn drain(more: &[&str]) -> Vec<String> {
    ["drain", "local", "--to", "host-b", "--yes"].iter().chain(more).map(|word| (*word).to_owned()).collect()
}

fn run(hosts: &TwoHosts, more: &[&str]) -> Said {
    let args = drain(more);
    hosts.run("a", &args.iter().map(String::as_str).collect::<Vec<_>>())
}

/// Names of the guests there, sorted.
fn on(hosts: &TwoHosts, host: &str) -> Vec<String> {
    let list = hosts.virsh(host, &["list", "--all", "--name"]);
    let mut names: Vec<String> = list.split_whitespace().map(str::to_owned).collect();
    names.sort();
    names
}

/// Fails unless each guest runs on exactly one host, goes on counting, and nothing waits to be recovered.
#[track_caller]
fn are_whole(hosts: &TwoHosts, lives: &[Life]) -> Vec<String> {
    let (here, there) = (on(hosts, "a"), on(hosts, "b"));
    for (name, life) in GUESTS.iter().zip(lives) {
        let on = |names: &[String]| names.iter().any(|other| other == name);
        assert!(on(&here) != on(&there), "{name}: on a: {here:?}, on b: {there:?}");
        hosts.life(if on(&here) { "a" } else { "b" }, name, Some(life));
    }
    let waiting: Value = serde_json::from_str(&hosts.run("a", &["recover", "-o", "json"]).ends(0).stdout).unwrap();
    assert_eq!(waiting["migrations"], serde_json::json!([]));
    there
}

/// The guest's file is not where it was: QEMU on host b cannot start it.
fn without_kernel(hosts: &TwoHosts) {
    fs::remove_file(hosts.path("host-b/var/lib/libvirt/images/guest.elf")).unwrap();
}

#[test]
fn a_host_is_emptied_and_takes_no_guests_until_it_may() {
    let hosts = TwoHosts::up();
    let lives = guests(&hosts);
    // Nobody is there to confirm, and without that nothing happens.
    hosts.run("a", &["drain", "local", "--to", "host-b"]).ends(2).complains("nothing was changed");
    assert!(!hosts.path("host-a/var/lib/pvm/drains").exists());
    let said = run(&hosts, &["--only", "two"]).ends(0);
    assert!(said.stdout.contains("without the chosen guests: 1 guest left"), "{said:#?}");
    let said = run(&hosts, &[]).ends(0);
    assert!(said.stdout.contains("host-a is empty: 2 guests left in"), "{said:#?}");
    for name in ["one", "three"] {
        assert!(said.stdout.contains(&format!("{name} runs on host-b.")), "{said:#?}");
    }
    assert_eq!(are_whole(&hosts, &lives), ["one", "three", "two"]);
    assert_eq!(hosts.journals("a").len(), 3, "each move has its own journal");

    let past: Value = serde_json::from_str(&hosts.run("a", &["history", "-o", "json"]).ends(0).stdout).unwrap();
    let drains: Vec<[&Value; 3]> = past["drains"]
        .as_array()
        .unwrap()
        .iter()
        .map(|drain| ["moved", "stayed", "is_over"].map(|key| &drain[key]))
        .collect();
    assert_eq!(serde_json::json!(drains), serde_json::json!([[2, 0, true], [1, 0, true]]), "the newest first");
    assert!(past["drains"][0]["ended"].as_str() > past["drains"][0]["begun"].as_str(), "{past}");
    let table = hosts.run("a", &["history", "local"]).ends(0);
    assert!(table.stdout.contains("2 of 2"), "{table:#?}");
    let id = past["drains"][0]["id"].as_str().unwrap();
    let one = hosts.run("a", &["history", id]).ends(0);
    assert!(one.stdout.contains("  one: moved to host-b\n") && !one.stdout.contains("two"), "{one:#?}");

    let back = ["migrate", "one", "local", "--from", "qemu+tcp://host-b/system", "--yes", "--direct"];
    hosts.run("a", &back).ends(1).complains("[cordoned]").complains("pvm drain host-a --uncordon");
    let there = hosts.run("a", &["preflight", "qemu+tcp://host-b/system", "local", "--instance", "one"]).ends(1);
    assert!(there.stdout.contains("cordoned: ") && there.stdout.contains("pvm drain host-a --uncordon"), "{there:#?}");
    hosts.run("a", &["drain", "local", "--resume"]).ends(3).complains("to begin another: pvm drain host-a");
    let said = hosts.run("a", &["drain", "qemu+tcp://host-a/system", "--uncordon"]).ends(0);
    assert_eq!(said.stdout, "host-a takes guests again.\n", "by another name of the same host");
    for word in ["--uncordon", "--resume"] {
        hosts.run("a", &["drain", "local", word]).ends(3).complains("no drain of host-a was begun");
    }
    hosts.run("a", &back).ends(0);
}

#[test]
fn a_move_that_fails_is_undone_and_stops_the_drain_unless_it_is_to_go_on() {
    let hosts = TwoHosts::up();
    let lives = guests(&hosts);
    without_kernel(&hosts);
    let said = run(&hosts, &["--parallel", "1", "-o", "json"]).ends(4);
    let document: Value = serde_json::from_str(&said.stdout).unwrap();
    let outcomes = document["outcomes"].as_array().unwrap();
    let begun = |outcomes: &[Value]| outcomes.iter().filter(|one| one["migration"].is_string()).count();
    assert_eq!((outcomes.len(), begun(outcomes)), (3, 1), "{document:#}");
    assert!(are_whole(&hosts, &lives).is_empty());
    // What was begun is gone on with or given up.
    run(&hosts, &[]).ends(1).complains("--resume");
    let said = hosts.run("a", &["drain", "local", "--resume", "--yes", "--keep-going", "-o", "json"]).ends(4);
    let document: Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!(begun(document["outcomes"].as_array().unwrap()), 3, "{document:#}");
    assert!(are_whole(&hosts, &lives).is_empty());
}

/// Who cannot leave holds nobody up, whose policy says so neither; each is named with the one change that would let it go.
#[test]
fn who_stays_is_named_with_what_would_let_it_go() {
    const POLICY: &str = "<policy max_pause='20s'/>";
    let hosts = TwoHosts::up();
    let lives = guests(&hosts);
    // Another guest of this name is there.
    hosts.guest("b", "two", &[]);
    let metadata = |host: &str| hosts.virsh(host, &["metadata", "one", "--uri", "urn:pvm:migration:1", "--live"]);
    for (guest, policy) in [("one", POLICY), ("three", "<policy drain='no'/>")] {
        hosts.virsh(
            "a",
            &["metadata", guest, "--uri", "urn:pvm:migration:1", "--key", "pvm", "--set", policy, "--live"],
        );
    }
    let said = run(&hosts, &[]).ends(1);
    assert!(said.stdout.contains("1 of 3 guests left") && said.stdout.contains("staying: three, two"), "{said:#?}");
    let said = said
        .complains("max_pause: 20000 ms, by the guest's metadata")
        .complains("drain-policy: the guest's metadata says");
    assert_eq!(
        (on(&hosts, "a"), on(&hosts, "b")),
        (vec!["three".to_owned(), "two".to_owned()], vec!["one".to_owned(), "two".to_owned()])
    );
    hosts.life("b", "one", Some(&lives[0]));
    assert!(
        metadata("b").contains("max_pause='20s'") || metadata("b").contains("max_pause=\"20s\""),
        "{}",
        metadata("b")
    );
    // The page's own command lets it go.
    let command = said.stderr.lines().find_map(|line| line.trim().strip_prefix("virsh ")).unwrap();
    let words: Vec<&str> = command.split(' ').collect();
    hosts.virsh("a", &words);
    assert!(metadata("b").contains("max_pause"), "only of that guest");
    hosts.virsh("b", &["destroy", "two"]);
    run(&hosts, &[]).ends(0);
    assert_eq!(are_whole(&hosts, &lives), ["one", "three", "two"]);
}

#[test]
fn a_reviewed_plan_is_carried_out_as_it_is_or_not_at_all() {
    let hosts = TwoHosts::up();
    let lives = guests(&hosts);
    let save = ["drain", "local", "--to", "host-b", "--parallel", "1", "--save-plan", "/var/lib/night.plan"];
    // Only libvirt tells of host b, so that some of its facts are unknown.
    hosts.run("a", &save).ends(3).complains("pvm drain --plan /var/lib/night.plan");
    let execute = ["drain", "--plan", "/var/lib/night.plan", "--yes"];
    hosts.virsh("a", &["suspend", "two"]);
    hosts.run("a", &execute).ends(1).complains("two: guest state was running, is paused");
    assert!(!hosts.path("host-a/var/lib/pvm/drains").exists(), "nothing was begun");
    hosts.virsh("a", &["resume", "two"]);
    hosts.run("a", &execute).ends(0);
    assert_eq!(are_whole(&hosts, &lives), ["one", "three", "two"]);
}

#[test]
fn a_guest_that_one_host_does_not_take_goes_to_another() {
    let hosts = TwoHosts::up();
    hosts.third();
    let life = hosts.guest("a", "one", &[]);
    without_kernel(&hosts);
    let args = ["drain", "local", "--to", "host-b,host-c", "--yes", "-o", "json"];
    let said = hosts.run("a", &args).ends(0).complains("one: planned again, to host-c");
    let document: Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!(document["outcomes"][0]["destination"], "host-c", "{document:#}");
    assert_eq!((on(&hosts, "a").len(), on(&hosts, "b").len(), on(&hosts, "c").len()), (0, 0, 1));
    hosts.life("c", "one", Some(&life));
    assert_eq!(hosts.journals("a").len(), 2, "each try has its own journal");
}

#[cfg(debug_assertions)]
#[test]
fn killed_at_any_record_of_the_drain_it_is_resumed() {
    let hosts = TwoHosts::up();
    let mut lives = guests(&hosts);
    for fault in [
        "before:drain-plan",
        "after:drain-plan",
        "before:drain-moving",
        "after:drain-moving",
        "before:drain-moving:2",
        "after:drain-moving:3",
        "before:drain-left",
        "after:drain-left",
        "before:drain-left:3",
        "after:drain-left:3",
        // In the middle of a move.
        "after:perform-intent",
        "before:switched",
    ] {
        let args = drain(&["--parallel", "1"]);
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let killed = hosts.pvm("a", &args).env("PVM_FAULT", fault).output().unwrap();
        assert_eq!(std::os::unix::process::ExitStatusExt::signal(&killed.status), Some(9), "{:#?}", Said::of(&killed));
        if fault == "before:drain-plan" {
            run(&hosts, &[]).ends(0);
        } else {
            let said = hosts.run("a", &["drain", "local", "--resume", "--yes"]);
            assert_eq!(said.code, Some(0), "{fault}: {said:#?}");
        }
        assert_eq!(are_whole(&hosts, &lives), ["one", "three", "two"], "{fault}");
        hosts.run("a", &["drain", "local", "--uncordon"]).ends(0);
        for name in GUESTS {
            hosts.virsh("b", &["migrate", "--live", "--p2p", name, "qemu+tcp://host-a/system"]);
        }
        lives = GUESTS.iter().zip(&lives).map(|(name, life)| hosts.life("a", name, Some(life))).collect();
    }
}

/// A drain under way, and what it says.
struct Running {
    pvm: Child,
    moving: BTreeSet<String>,
    events: BufReader<ChildStdout>,
}

impl Running {
    /// Waits until so many guests are on their way.
    fn start(hosts: &TwoHosts, moving: usize) -> Self {
        let args = drain(&[&["-o", "ndjson", "--parallel", "2"], &SLOW[..]].concat());
        let mut pvm = hosts.pvm("a", &args.iter().map(String::as_str).collect::<Vec<_>>());
        let mut pvm = pvm.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut events = BufReader::new(pvm.stdout.take().unwrap());
        let mut seen = BTreeSet::new();
        let mut text = String::new();
        while seen.len() < moving {
            let start = text.len();
            assert_ne!(events.read_line(&mut text).unwrap(), 0, "pvm ended: {text}");
            let event: Value = serde_json::from_str(&text[start..]).unwrap();
            if event["event"] == "progress" && event["memory_processed"].as_u64() > Some(0) {
                seen.insert(event["guest"].as_str().unwrap().to_owned());
            }
        }
        Self { pvm, moving: seen, events }
    }

    fn signal(&self) {
        rustix::process::kill_process(rustix::process::Pid::from_child(&self.pvm), Signal::INT).unwrap();
    }

    /// Waits until it has answered the signal.
    fn says(&mut self, words: &str) -> String {
        let mut text = String::new();
        let stderr = self.pvm.stderr.as_mut().unwrap();
        let mut byte = [0];
        while !text.contains(words) {
            assert_ne!(stderr.read(&mut byte).unwrap(), 0, "no {words:?}: {text}");
            text.push(char::from(byte[0]));
        }
        text
    }

    fn ended(mut self) -> Said {
        let (mut stdout, mut stderr) = (String::new(), String::new());
        self.events.read_to_string(&mut stdout).unwrap();
        self.pvm.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        Said { code: self.pvm.wait().unwrap().code(), stdout, stderr }
    }
}

/// What the host is called at the end is what runs there then.
#[test]
fn who_comes_or_goes_by_another_hand_is_told() {
    let hosts = TwoHosts::up();
    guests(&hosts);
    let running = Running::start(&hosts, 2);
    let waiting = GUESTS.iter().find(|name| !running.moving.contains(**name)).unwrap();
    hosts.virsh("a", &["destroy", waiting]);
    hosts.guest("a", "late", &[]);
    let said = running.ended().ends(1);
    for words in
        ["host-a is not empty: 2 of 4 guests left", "staying: late", &format!("{waiting} is not there any more")]
    {
        assert!(said.stdout.contains(words), "{words}: {said:#?}");
    }
    let said = hosts.run("a", &["drain", "local", "--resume", "--yes", "--bandwidth", "100MiB"]).ends(0);
    assert!(said.stdout.contains("host-a is empty: 3 guests left"), "{said:#?}");
    assert!(on(&hosts, "a").is_empty());
}

#[test]
fn the_first_signal_lets_what_runs_finish_and_the_rest_is_resumed() {
    let hosts = TwoHosts::up();
    let lives = guests(&hosts);
    let mut running = Running::start(&hosts, 2);
    running.signal();
    running.says("no new moves");
    let said = running.ended().ends(130);
    assert_eq!(are_whole(&hosts, &lives).len(), 2, "{said:#?}");
    hosts.run("a", &["drain", "local", "--resume"]).ends(2).complains("1 MiB/s (--bandwidth)");
    hosts.run("a", &["drain", "local", "--resume", "--yes", "--bandwidth", "100MiB"]).ends(0);
    assert_eq!(are_whole(&hosts, &lives).len(), 3);
}

#[test]
fn the_second_signal_aborts_and_the_third_leaves() {
    let hosts = TwoHosts::up();
    let lives = guests(&hosts);
    let mut running = Running::start(&hosts, 2);
    running.signal();
    running.says("no new moves");
    running.signal();
    let said = running.ended().ends(130);
    assert!(are_whole(&hosts, &lives).is_empty(), "{said:#?}");

    hosts.run("a", &["drain", "local", "--uncordon"]).ends(0);
    let mut running = Running::start(&hosts, 2);
    for words in ["no new moves", "aborting", "pvm recover"] {
        // The daemon stands still: nothing is aborted before the third.
        if words == "aborting" {
            hosts.command("signal", &["a", "daemon", "STOP"]);
        }
        running.signal();
        running.says(words);
    }
    hosts.command("signal", &["a", "daemon", "CONT"]);
    running.ended().ends(6);
    // libvirt goes on by itself; it is to be done before recovery loses patience.
    for name in on(&hosts, "a") {
        // The third guest is not on its way.
        let _ = hosts.told("a", &["migrate-setspeed", &name, "1000"]);
    }
    hosts.run("a", &["drain", "local", "--resume", "--yes", "--bandwidth", "100MiB"]).ends(0);
    assert_eq!(are_whole(&hosts, &lives).len(), 3);
}
