//! What a hostile reader broke once, between two real libvirt daemons: names that lead elsewhere, hosts that lose power,
//! facts of another machine, two machines at the same instant, a stdout that is full or that nobody reads. Each of these
//! ended in two running copies, in a lost guest, or in a last word that was not true.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::harness::{IMPATIENT, Life, Said, TwoHosts, script, wait_until};
use super::recover::{last_journal, split, wait_for};
use super::running::Running;
use crate::program::PVM;

/// A guest on host a that is defined there.
fn defined(hosts: &TwoHosts) -> Life {
    let template = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/guest/guest.xml")).unwrap();
    let file = hosts.path("defined.xml");
    fs::write(&file, template.replace("@NAME@", "demo").replace("@WORDS@", "")).unwrap();
    hosts.virsh("a", &["define", file.to_str().unwrap()]);
    hosts.virsh("a", &["start", "demo"]);
    hosts.life("a", "demo", None)
}

/// Host a loses power, with all that runs on it.
fn lose_power(hosts: &TwoHosts, guests: &[&str]) {
    hosts.command("stop", &["a"]);
    for guest in guests {
        hosts.command("signal", &["a", guest, "KILL"]);
    }
    hosts.command("exec", &["a", "sh", "-c", "rm -rf /run/libvirt/qemu/*"]);
}

fn is_open(hosts: &TwoHosts, id: &str) -> bool {
    hosts.path(&format!("host-a/var/lib/pvm/migrations/{id}.ndjson")).exists()
        && !matches!(last_journal(hosts, "a").unwrap().1.as_str(), "done" | "undone")
}

/// A second pair of hosts of which one, empty, is reached from host a at 10.78.0.2.
fn stranger_at(hosts: &TwoHosts) -> TwoHosts {
    let strangers = TwoHosts::up();
    let anchor = fs::read_to_string(strangers.path("host-b/anchor.pid")).unwrap();
    let link = ["ip", "link", "add", "link1", "type", "veth", "peer", "name", "link1", "netns", anchor.trim()];
    hosts.command("exec", &[&["a"], &link[..]].concat());
    for (pair, host, address) in [(hosts, "a", "10.78.0.1/24"), (&strangers, "b", "10.78.0.2/24")] {
        let up = format!("ip addr add {address} dev link1 && ip link set link1 up");
        pair.command("exec", &[host, "sh", "-c", &up]);
    }
    strangers
}

#[test]
fn another_host_under_the_name_of_the_destination_closes_no_split() {
    let hosts = TwoHosts::up_with("", IMPATIENT);
    let _strangers = stranger_at(&hosts);
    let before = hosts.held_guest("after");
    let id = split(&hosts);

    let names = hosts.path("host-a/etc/hosts");
    let right = fs::read_to_string(&names).unwrap();
    fs::write(&names, right.replace("10.77.0.2", "10.78.0.2")).unwrap();
    let elsewhere = hosts.command("exec", &["a", "virsh", "-q", "-c", "qemu+tcp://host-b/system", "list", "--all"]);
    assert_eq!(elsewhere.trim(), "", "the name leads to the empty host");
    let said = hosts.run("a", &["recover", "--auto"]);
    assert!(said.code != Some(0) && is_open(&hosts, &id), "{said:#?}");
    let all = format!("{}{}", said.stdout, said.stderr);
    assert!(all.contains("another host answers under this name"), "{said:#?}");
    assert!(!all.contains("all is undone"), "{said:#?}");

    fs::write(&names, right).unwrap();
    let said = hosts.run("a", &["recover", "--auto"]).ends(6);
    assert!(said.stdout.contains("The guest is on both hosts: the destination runs it, and the source took a lost answer for a failure or started it anew"), "{said:#?}");
    wait_for(&hosts, "a", "paused (user)");
    hosts.run("a", &["recover", &id, "--keep", "dst"]).ends(0);
    hosts.whole("b", &before);
}

#[test]
fn a_guest_that_its_host_started_anew_is_not_called_as_it_was() {
    let hosts = TwoHosts::up();
    let before = defined(&hosts);
    let number = hosts.virsh("a", &["domid", "demo"]);
    Running::start(&hosts, "host-b", &["--bandwidth", "1MiB"]).flows().kill();
    let (id, last) = last_journal(&hosts, "a").unwrap();
    assert_eq!(last, "perform-intent");
    lose_power(&hosts, &["demo"]);
    wait_until("the destination gave up", || hosts.virsh("b", &["list", "--all", "--name"]).trim().is_empty());
    fs::remove_file(hosts.path("host-a/var/log/libvirt/qemu/demo-serial.log")).unwrap();
    hosts.command("start", &["a"]);
    hosts.virsh("a", &["start", "demo"]);
    assert_eq!(hosts.virsh("a", &["domid", "demo"]), number, "libvirt counts from 1 again: the number is no witness");

    let said = hosts.run("a", &["recover", &id]).ends(5);
    let all = format!("{}{}", said.stdout, said.stderr);
    assert!(all.contains("started anew") && !all.contains("all is undone"), "{said:#?}");
    let fresh = hosts.life("a", "demo", None);
    assert_ne!(fresh.number, before.number, "another memory");
    hosts.whole("a", &fresh);
}

#[test]
fn a_copy_that_autostart_makes_is_suspended_and_can_be_decided_upon() {
    let hosts = TwoHosts::up_with("", IMPATIENT);
    // So that the fresh copy has another number than the one that was migrated.
    hosts.guest("a", "other", &[]);
    let before = hosts.held_guest("after");
    let file = hosts.path("persistent.xml");
    fs::write(&file, hosts.virsh("a", &["dumpxml", "--inactive", "demo"])).unwrap();
    hosts.virsh("a", &["define", file.to_str().unwrap()]);
    hosts.virsh("a", &["autostart", "demo"]);
    let id = split(&hosts);
    lose_power(&hosts, &["demo", "other"]);
    hosts.command("start", &["a"]);
    assert_eq!(hosts.virsh("a", &["list", "--name"]).trim(), "", "its autostart is off during a migration");
    // Whoever starts it: Nova, an operator, libvirt at boot before that was so.
    let _ = hosts.told("a", &["start", "demo"]);
    wait_for(&hosts, "a", "running (booted)");
    wait_for(&hosts, "b", "running (migrated)");

    let said = hosts.run("a", &["recover", "--auto"]).ends(6);
    assert!(said.stdout.contains("The guest is on both hosts: the destination runs it, and the source took a lost answer for a failure or started it anew"), "{said:#?}");
    wait_for(&hosts, "a", "paused (user)");
    wait_for(&hosts, "b", "running (migrated)");
    hosts.run("a", &["recover", &id, "--keep", "dst"]).ends(0);
    hosts.whole("b", &before);
}

#[test]
fn a_guest_does_not_start_with_the_source_while_it_migrates() {
    let hosts = TwoHosts::up();
    let before = defined(&hosts);
    hosts.virsh("a", &["autostart", "demo"]);
    let starts = |host| hosts.virsh(host, &["dominfo", "demo"]).contains("Autostart:      enable");
    let mut running = Running::start(&hosts, "host-b", &["--bandwidth", "1MiB"]).flows();
    assert!(!starts("a"));
    running.signal(rustix::process::Signal::INT);
    running.ended().ends(130);
    assert!(starts("a"), "it stays there as it was");

    // A pvm that dies in the midst leaves it to recovery.
    Running::start(&hosts, "host-b", &["--bandwidth", "1MiB"]).flows().kill();
    let (id, _) = last_journal(&hosts, "a").unwrap();
    hosts.run("a", &["recover", &id, "--abort"]).ends(4);
    assert!(starts("a"), "after recovery, too");
    hosts.whole("a", &before);

    // One that loses its host in the midst is off, and only there.
    Running::start(&hosts, "host-b", &["--bandwidth", "1MiB"]).flows().kill();
    let (id, _) = last_journal(&hosts, "a").unwrap();
    lose_power(&hosts, &["demo"]);
    wait_until("the destination gave up", || hosts.virsh("b", &["list", "--all", "--name"]).trim().is_empty());
    hosts.command("start", &["a"]);
    assert_eq!(hosts.virsh("a", &["list", "--name"]).trim(), "");
    let said = hosts.run("a", &["recover", &id]).ends(5);
    assert!(said.stdout.contains("demo did not move and is switched off on host-a") && starts("a"), "{said:#?}");
    hosts.virsh("a", &["start", "demo"]);
}

#[test]
fn facts_of_another_host_or_of_another_day_move_nothing() {
    let hosts = TwoHosts::up();
    let before = hosts.guest("a", "demo", &[]);
    let facts = hosts.run("b", &["inventory", "-o", "json"]);
    let facts: Value = serde_json::from_str(&facts.stdout).unwrap();
    let file = hosts.path("facts.json");
    let settings = format!(
        "hosts:\n  host-b: {{libvirt: 'qemu+tcp://host-b/system', facts: {{command: [cat, {}, inventory]}}}}\n",
        file.display()
    );
    fs::write(hosts.path("host-a/etc/pvm/pvm.yaml"), settings).unwrap();
    let migrate = |facts: &Value| {
        fs::write(&file, facts.to_string()).unwrap();
        hosts.run("a", &["migrate", "demo", "host-b", "--yes"])
    };
    let (uuid, other) = (facts["host"]["uuid"].as_str().unwrap(), "11111111-2222-4333-8444-555555555555");

    let mut elsewhere = facts.clone();
    elsewhere["host"]["uuid"] = other.into();
    let said = migrate(&elsewhere).ends(1);
    assert!(said.stderr.contains(uuid) && said.stderr.contains(other), "{said:#?}");
    let mut old = facts.clone();
    old["taken_at"] = "2020-01-01T00:00:00Z".into();
    migrate(&old).ends(3).complains("[stale-facts]");
    let mut nameless = facts.clone();
    nameless["host"]["uuid"] = Value::Null;
    migrate(&nameless).ends(3).complains("[facts-host]");
    assert_eq!(hosts.journals("a"), [], "nothing was begun");
    hosts.whole("a", &before);
}

/// Builds what makes a disk slow.
fn slow_library(hosts: &TwoHosts) {
    let code = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/two-hosts/slow.c");
    let mut built = Command::new("gcc");
    built.args(["-shared", "-fPIC", "-Wall", "-Werror", "-o"]).args([&hosts.path("slow.so"), &code]);
    assert!(built.status().unwrap().success());
}

/// A pvm of a machine of its own: another state directory, and a disk on which each record takes so long.
fn machine(hosts: &TwoHosts, from: &str, to: &str, state: &str, slow_ms: u32) -> Child {
    let mut pvm = Command::new(script());
    let directory = hosts.path("");
    pvm.args(["exec", directory.to_str().unwrap(), from, "env"]);
    pvm.args([format!("STATE_DIRECTORY=/var/lib/{state}"), format!("SLOW_MS={slow_ms}")]);
    pvm.arg(format!("LD_PRELOAD={}", hosts.path("slow.so").display()));
    pvm.args([PVM, "migrate", "demo", &format!("host-{to}"), "--yes", "-o", "ndjson", "--bandwidth", "2MiB"]);
    pvm.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

#[test]
fn of_two_machines_at_the_same_instant_exactly_one_goes_on_and_the_other_says_who() {
    let hosts = TwoHosts::up();
    slow_library(&hosts);
    let mut life = hosts.guest("a", "demo", &[]);
    let (mut from, mut to, mut says_who) = ("a", "b", 0);
    for slow in [[0, 0], [0, 400], [400, 0], [300, 320], [50, 0], [0, 50]] {
        let racers = [machine(&hosts, from, to, "pvm", slow[0]), machine(&hosts, from, to, "pvm-2", slow[1])];
        let said = racers.map(|pvm| Said::of(&pvm.wait_with_output().unwrap()));
        let (winners, losers): (Vec<_>, Vec<_>) = said.iter().partition(|said| said.code == Some(0));
        assert_eq!((winners.len(), losers.len()), (1, 1), "{slow:?}: {said:#?}");
        let (winner, loser) = (winners[0], losers[0]);
        let id = winner.events()[0]["id"].as_str().unwrap().to_owned();
        let told = loser.events().pop().unwrap_or_default()["summary"].as_str().unwrap_or_default().to_owned();
        let words = format!("{told}{}", loser.stderr);
        // libvirt keeps who asks too late waiting until the guest is gone: then it can only say where it is.
        let says_where = told.ends_with(&format!("it runs on host-{to}"));
        match loser.code {
            Some(1) if words.contains(&id) => says_who += 1,
            Some(3) if says_where => {}
            // On a busy machine one may look for the first time when the other has long begun.
            Some(1) if words.contains("[guest-job]") && loser.stdout.is_empty() => {}
            _ => panic!("{slow:?}: it does not say who: {said:#?}"),
        }
        let performed = ["pvm", "pvm-2"].map(|state| performed(&hosts, from, state));
        assert_eq!(performed.iter().sum::<usize>(), 1, "{slow:?}: {said:#?}");
        for state in ["pvm", "pvm-2"] {
            let _ = fs::remove_dir_all(hosts.path(&format!("host-{from}/var/lib/{state}")));
        }
        life = hosts.whole(to, &life);
        (from, to) = (to, from);
    }
    assert!(says_who > 0, "none of the losers said who");
}

#[test]
fn a_signal_is_answered_at_once_while_a_disk_keeps_the_engine_waiting() {
    let hosts = TwoHosts::up();
    slow_library(&hosts);
    let before = hosts.guest("a", "demo", &[]);
    let mut pvm = machine(&hosts, "a", "b", "pvm", 4000);
    let mut events = BufReader::new(pvm.stdout.take().unwrap());
    let mut wait_for = |wanted: &str| {
        let mut line = String::new();
        while !line.contains(wanted) {
            line.clear();
            assert_ne!(events.read_line(&mut line).unwrap(), 0, "{wanted} does not come");
        }
    };
    wait_for(r#""phase":"recheck""#);
    let asked = Instant::now();
    rustix::process::kill_process(rustix::process::Pid::from_child(&pvm), rustix::process::Signal::INT).unwrap();
    wait_for(r#""event":"stopping""#);
    assert!(asked.elapsed() < Duration::from_secs(3), "it waited for the engine: {:?}", asked.elapsed());
    wait_for(r#""exit_code":130"#);
    assert_eq!(pvm.wait().unwrap().code(), Some(130));
    hosts.whole("a", &before);
}

/// A daemon without a free worker makes a call that waits for one, even when its caller has died. Whoever asks where the guest
/// is opens a connection first, which waits behind that call.
#[test]
fn a_call_that_still_waits_in_its_daemon_is_not_taken_for_one_that_failed() {
    let hosts = TwoHosts::up_with("min_workers = 5\nmax_workers = 5\n", "");
    slow_library(&hosts);
    let before = hosts.guest("a", "demo", &[]);
    hosts.guest("a", "stuck", &[]);
    let mut pvm = machine(&hosts, "a", "b", "pvm", 3000);
    let last = || last_journal(&hosts, "a").map(|(_, last)| last);
    wait_until("libvirt is about to be told", || last().as_deref() == Some("perform-intent"));
    hosts.command("signal", &["a", "stuck", "STOP"]);
    let asks = || {
        let mut virsh = Command::new(script());
        virsh.args(["virsh", hosts.path("").to_str().unwrap(), "a", "qemu-monitor-command", "stuck", "{}"]);
        virsh.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    };
    let asking: Vec<Child> = (0..12).map(|_| asks()).collect();
    std::thread::sleep(Duration::from_secs(5));
    pvm.kill().unwrap();
    pvm.wait().unwrap();
    let (id, _) = last_journal(&hosts, "a").unwrap();
    let recovers = hosts.pvm("a", &["recover", &id]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    std::thread::sleep(Duration::from_secs(8));
    hosts.command("signal", &["a", "stuck", "CONT"]);
    for mut virsh in asking {
        virsh.wait().unwrap();
    }
    let said = Said::of(&recovers.wait_with_output().unwrap()).ends(0);
    assert!(said.stdout.contains("demo runs on host-b"), "{said:#?}");
    hosts.virsh("a", &["destroy", "stuck"]);
    hosts.whole("b", &before);
}

/// How many migrations of this machine told libvirt to migrate.
fn performed(hosts: &TwoHosts, host: &str, state: &str) -> usize {
    let kinds = ["migrations", "closed"].map(|kind| hosts.path(&format!("host-{host}/var/lib/{state}/{kind}")));
    let entries = kinds.iter().filter_map(|kind| fs::read_dir(kind).ok()).flatten();
    let texts = entries.map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap());
    texts.filter(|text| text.contains(r#""record":"perform-intent""#)).count()
}

#[test]
fn a_result_that_cannot_be_written_is_told_and_keeps_its_code() {
    let hosts = TwoHosts::up();
    let mut life = hosts.guest("a", "demo", &[]);
    let full = || fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let (mut from, mut to) = ("a", "b");
    for output in ["table", "json", "ndjson"] {
        let host = format!("host-{to}");
        let mut pvm = hosts.pvm(from, &["migrate", "demo", &host, "--yes", "-o", output]);
        let said = Said::of(&pvm.stdout(full()).stderr(Stdio::piped()).spawn().unwrap().wait_with_output().unwrap());
        let said = said.ends(0).complains("cannot write to stdout");
        assert!(said.stderr.contains(&host), "{output}: {said:#?}");
        life = hosts.whole(to, &life);
        (from, to) = (to, from);
    }

    // The same of a recovery that leaves a decision: the journal is on another machine.
    let host = format!("host-{to}");
    let killed =
        hosts.pvm(from, &["migrate", "demo", &host, "--yes"]).env("PVM_FAULT", "before:verify").output().unwrap();
    assert_eq!(killed.status.code(), None, "{:#?}", Said::of(&killed));
    let (id, _) = last_journal(&hosts, from).unwrap();
    for output in ["table", "json"] {
        let mut pvm = hosts.pvm(to, &["recover", &id, "-o", output]);
        let said = Said::of(&pvm.stdout(full()).stderr(Stdio::piped()).spawn().unwrap().wait_with_output().unwrap());
        said.ends(6).complains("nothing was changed");
    }
    let mut pvm = hosts.pvm(from, &["recover", &id, "-o", "json"]);
    let said = Said::of(&pvm.stdout(full()).stderr(Stdio::piped()).spawn().unwrap().wait_with_output().unwrap());
    said.ends(0).complains("cannot write to stdout");
    hosts.whole(to, &life);
}

#[test]
fn a_reader_that_stands_still_stops_no_migration() {
    let hosts = TwoHosts::up();
    let before = hosts.guest("a", "demo", &[]);
    let pipe = hosts.path("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let mut both = fs::OpenOptions::new().read(true).write(true).open(&pipe).unwrap();
    // A page is left of what a pipe holds: less than what is told of a migration.
    both.write_all(&vec![b'\n'; 15 * 4096]).unwrap();
    let mut reader = fs::File::open(&pipe).unwrap();
    let args = ["migrate", "demo", "host-b", "--yes", "-o", "ndjson", "--bandwidth", "2MiB"];
    let written = fs::OpenOptions::new().write(true).open(&pipe).unwrap();
    let mut pvm = hosts.pvm("a", &args).stdout(written).stderr(Stdio::null()).spawn().unwrap();
    drop(both);
    wait_until("the migration comes to its end without a reader", || {
        last_journal(&hosts, "a").is_some_and(|(_, last)| last == "done")
    });
    // The result is never dropped.
    assert_eq!(pvm.try_wait().unwrap(), None, "everything fitted into the pipe");
    let mut told = String::new();
    reader.read_to_string(&mut told).unwrap();
    assert_eq!(pvm.wait().unwrap().code(), Some(0));
    let last: Value = serde_json::from_str(told.lines().next_back().unwrap()).unwrap();
    assert_eq!((&last["event"], &last["exit_code"]), (&"result".into(), &0.into()));
    hosts.whole("b", &before);
}
