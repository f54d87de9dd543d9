//! `pvm recover` between two real libvirt daemons: pvm killed at every record of its journal, daemons stopped, killed and
//! restarted at switch-over. Needs root and the packages that `tests/two-hosts/two-hosts install` installs.
//!
//! After every fault and the recovery from it: the guest runs on exactly one host and goes on counting, and nothing is left
//! over. Debug builds only: the hook that ends pvm at a record is not in release builds.

use std::fs;
use std::os::unix::process::ExitStatusExt as _;

use rustix::process::Signal;

use super::harness::{IMPATIENT, Said, TwoHosts, wait_until};
use super::outcome::Row;
use super::running::Running;

fn other(host: &str) -> &'static str {
    if host == "a" { "b" } else { "a" }
}

/// The journal of the last migration from this host: its id, and the name of its last record.
pub(super) fn last_journal(hosts: &TwoHosts, host: &str) -> Option<(String, String)> {
    let (name, text) = hosts.journals(host).pop()?;
    // A journal in which nothing stands yet.
    let record: serde_json::Value = serde_json::from_str(text.lines().next_back().unwrap_or("{}")).unwrap();
    Some((name.strip_suffix(".ndjson").unwrap().to_owned(), record["record"].as_str().unwrap_or("none").to_owned()))
}

/// Waits until the daemon says this about the guest.
#[track_caller]
pub(super) fn wait_for(hosts: &TwoHosts, host: &str, state: &str) {
    wait_until(&format!("the guest on {host} is {state}"), || {
        hosts.told(host, &["domstate", "demo", "--reason"]).stdout.trim() == state
    });
}

#[test]
fn killed_at_any_record_the_guest_ends_up_whole_on_one_host() {
    let hosts = TwoHosts::up();
    let mut life = hosts.guest("a", "demo", &[]);
    let mut on = "a";
    for record in [
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
    ] {
        for when in ["before", "after"] {
            let to = format!("host-{}", other(on));
            let fault = format!("{when}:{record}");
            let killed = hosts.pvm(on, &["migrate", "demo", &to, "--yes"]).env("PVM_FAULT", &fault).output().unwrap();
            assert_eq!(killed.status.signal(), Some(9), "{fault}: {:#?}", Said::of(&killed));
            let (id, _) = last_journal(&hosts, on).unwrap();
            let moves = !matches!(fault.as_str(), "after:perform-intent" | "before:perform-intent")
                && !["plan", "claim", "recheck", "mark-intent"].contains(&record);
            let code = if fault == "after:perform-intent" { 4 } else { 0 };
            let said = hosts.run(on, &["recover", &id]);
            assert_eq!(said.code, Some(code), "{fault}: {said:#?}");
            // Repeatable: the second time there is nothing to do.
            hosts.run(on, &["recover", &id]).ends(0);
            let from = on;
            if moves {
                on = other(on);
            }
            let phase = match record {
                "mark-intent" => "detach",
                "perform-intent" => "perform",
                "switched" | "perform-returned" => "switch-over",
                phase => phase,
            };
            let row = Row::of(format!("pvm killed {when} the record {record}"), phase);
            life = hosts.survived(row.from(from).recovered(said.code), on, &life);
        }
    }
}

/// A migration of a held guest that is stopped at switch-over: `act` is done, then pvm is killed. Returns its id.
fn at_switch_over(hosts: &TwoHosts, more: &[&str], act: impl FnOnce()) -> String {
    let running = Running::start(hosts, "host-b", more).switched();
    act();
    running.kill();
    last_journal(hosts, "a").unwrap().0
}

/// Waits until the QEMU of host a has sent everything.
#[track_caller]
fn wait_until_sent(hosts: &TwoHosts) {
    let ask = ["qemu-monitor-command", "demo", r#"{"execute":"query-migrate"}"#];
    wait_until("the source has its state sent", || hosts.told("a", &ask).stdout.contains(r#""status":"completed""#));
}

/// The process of a host's libvirtd.
fn daemon(hosts: &TwoHosts, host: &str) -> rustix::process::Pid {
    let pid = hosts.command("exec", &[host, "cat", "/run/libvirtd.pid"]);
    rustix::process::Pid::from_raw(pid.trim().parse().unwrap()).unwrap()
}

fn send(pid: rustix::process::Pid, signal: Signal) {
    rustix::process::kill_process(pid, signal).unwrap();
}

/// Makes a split: the destination's daemon stands still until the source has given up on it.
pub(super) fn split(hosts: &TwoHosts) -> String {
    let destination = daemon(hosts, "b");
    let id = at_switch_over(hosts, &[], || {
        send(destination, Signal::STOP);
        hosts.release();
    });
    wait_for(hosts, "a", "running (migration canceled)");
    send(destination, Signal::CONT);
    wait_for(hosts, "b", "running (migrated)");
    id
}

#[test]
fn a_split_is_seen_suspended_and_decided_for_the_destination() {
    let hosts = TwoHosts::up_with("", IMPATIENT);
    let before = hosts.held_guest("after");
    let id = split(&hosts);

    // Unattended the source's copy is stopped, since both would write to one disk; the rest is left for the operator.
    for _ in 0..2 {
        let said = hosts.run("a", &["recover", "--auto"]).ends(6);
        assert!(said.stdout.contains("The guest is on both hosts: the destination runs it, and the source took a lost answer for a failure or started it anew"), "{said:#?}");
        assert_eq!(hosts.virsh("a", &["domstate", "demo", "--reason"]).trim(), "paused (user)");
        assert_eq!(hosts.virsh("b", &["domstate", "demo"]).trim(), "running");
    }
    // Another command says that it waits.
    hosts.run("a", &["explain"]).complains(&format!("migration {id} of demo is not finished"));

    for _ in 0..2 {
        hosts.run("a", &["recover", &id]).ends(6).complains("decide with --keep src or --keep dst");
        assert_eq!(hosts.virsh("a", &["domstate", "demo", "--reason"]).trim(), "paused (user)");
        assert_eq!(hosts.virsh("b", &["domstate", "demo"]).trim(), "running");
    }
    let said = hosts.run("a", &["recover", &id, "--keep", "dst"]).ends(0);
    let row = Row::of("split: destination's libvirtd silent; --keep dst", "switch-over");
    hosts.survived(row.recovered(said.code), "b", &before);
}

#[test]
fn a_split_can_be_decided_for_the_source() {
    let hosts = TwoHosts::up_with("", IMPATIENT);
    let before = hosts.held_guest("after");
    let id = split(&hosts);
    hosts.run("a", &["recover", &id]).ends(6);
    let said = hosts.run("a", &["recover", &id, "--keep", "src"]).ends(4);
    let row = Row::of("split: destination's libvirtd silent; --keep src", "switch-over");
    hosts.survived(row.recovered(said.code), "a", &before);
}

#[test]
fn a_source_left_paused_for_ever_is_destroyed_once_the_destination_runs() {
    let hosts = TwoHosts::up();
    let before = hosts.held_guest("after");
    let destination = daemon(&hosts, "b");
    let id = at_switch_over(&hosts, &[], || {
        send(destination, Signal::STOP);
        hosts.release();
        // The source has everything sent and waits for the answer when its daemon dies.
        wait_until_sent(&hosts);
        hosts.command("stop", &["a"]);
    });
    hosts.command("start", &["a"]);
    send(destination, Signal::CONT);
    wait_for(&hosts, "b", "running (migrated)");
    assert_eq!(hosts.virsh("a", &["domstate", "demo", "--reason"]).trim(), "paused (migrating)");

    let said = hosts.run("a", &["recover", "--auto"]).ends(0);
    assert!(said.stdout.contains("The guest runs on the destination with the planned devices; the source was never told and keeps a stale paused copy, which is destroyed") && said.stdout.contains(&id), "{said:#?}");
    let row = Row::of("source's libvirtd killed while it waits for a silent destination", "switch-over");
    hosts.survived(row.recovered(said.code), "b", &before);
}

#[test]
fn a_source_daemon_that_dies_at_switch_over_leaves_the_guest_on_the_source() {
    let hosts = TwoHosts::up();
    let before = hosts.held_guest("after");
    let destination = daemon(&hosts, "b");
    let source = daemon(&hosts, "a");
    let id = at_switch_over(&hosts, &[], || {
        send(destination, Signal::STOP);
        send(source, Signal::KILL);
        send(destination, Signal::CONT);
        hosts.release();
    });
    hosts.command("start", &["a"]);
    let said = hosts.run("a", &["recover", &id]);
    let on = if hosts.virsh("b", &["list", "--name"]).trim() == "demo" { "b" } else { "a" };
    let said = said.ends(if on == "a" { 4 } else { 0 });
    hosts.survived(Row::of("source's libvirtd killed", "switch-over").recovered(said.code), on, &before);
}

#[test]
fn while_the_destination_is_silent_nothing_is_changed() {
    let hosts = TwoHosts::up();
    let before = hosts.guest("a", "demo", &[]);
    let killed = hosts
        .pvm("a", &["migrate", "demo", "host-b", "--yes"])
        .env("PVM_FAULT", "after:perform-intent")
        .output()
        .unwrap();
    assert_eq!(killed.status.signal(), Some(9));
    let id = last_journal(&hosts, "a").unwrap().0;
    hosts.command("stop", &["b"]);
    let said = hosts.run("a", &["recover", &id]).ends(3);
    assert!(
        said.stdout.contains("The source runs the guest; the destination does not answer and may run it too"),
        "{said:#?}"
    );
    // A second migration of the guest does not begin while this one is open.
    hosts.run("a", &["migrate", "demo", "qemu+tcp://host-b/system", "--yes"]).ends(3);
    hosts.command("start", &["b"]);
    hosts.run("a", &["migrate", "demo", "host-b", "--yes"]).ends(6).complains(&format!("pvm recover {id}"));
    let said = hosts.run("a", &["recover", &id]).ends(4);
    let row = Row::of("pvm killed, destination's libvirtd stopped and started", "perform");
    hosts.survived(row.recovered(said.code), "a", &before);
}

#[test]
fn a_migration_that_outlived_its_pvm_is_followed_to_its_end_or_aborted() {
    let hosts = TwoHosts::up();
    let mut before = hosts.guest("a", "demo", &[]);
    let limit = || hosts.virsh("a", &["migrate-getmaxdowntime", "demo"]).trim().to_owned();
    let limit_before = limit();
    for (options, code, on) in [(&["--abort"][..], 4, "a"), (&[], 0, "b")] {
        let slow = ["--bandwidth", "1MiB", "--max-downtime", "777ms"];
        Running::start(&hosts, "host-b", &slow).flows().kill();
        let (id, last) = last_journal(&hosts, "a").unwrap();
        assert_eq!((last.as_str(), limit().as_str()), ("perform-intent", "777"));
        let unattended = hosts.run("a", &["recover", "--auto"]).ends(0);
        assert!(unattended.stdout.contains("libvirt is still migrating it"), "{unattended:#?}");
        let said = hosts.run("a", &[&["recover", id.as_str()], options].concat()).ends(code);
        if on == "a" {
            assert_eq!(limit(), limit_before, "QEMU keeps the limit that nobody sets back");
        }
        let row = Row::of(
            ["pvm killed, libvirt goes on"].iter().chain(options).copied().collect::<Vec<_>>().join("; "),
            "perform",
        );
        before = hosts.survived(row.recovered(said.code), on, &before);
    }
}

#[test]
fn a_torn_line_is_dropped_and_a_damaged_or_newer_journal_is_only_shown() {
    let hosts = TwoHosts::up();
    let before = hosts.guest("a", "demo", &[]);
    let killed = hosts
        .pvm("a", &["migrate", "demo", "host-b", "--yes"])
        .env("PVM_FAULT", "after:perform-intent")
        .output()
        .unwrap();
    assert_eq!(killed.status.signal(), Some(9));
    let (id, _) = last_journal(&hosts, "a").unwrap();
    let file = hosts.path(&format!("host-a/var/lib/pvm/migrations/{id}.ndjson"));
    let whole_text = fs::read_to_string(&file).unwrap();

    for (text, words) in [
        (whole_text.replacen("recheck", "recheek", 1), "line 3 is damaged: its checksum does not match"),
        (format!("{whole_text}{{\"v\":2}}\n"), "line 6 was written by a newer pvm"),
    ] {
        fs::write(&file, &text).unwrap();
        for args in [&["recover", &id][..], &["recover", "--auto"]] {
            hosts.run("a", args).ends(5).complains(words).complains("nothing was changed");
        }
        assert_eq!(fs::read_to_string(&file).unwrap(), text);
    }
    fs::write(&file, format!("{whole_text}{{\"v\":1,\"seq\":6")).unwrap();
    let said = hosts.run("a", &["recover", &id]).ends(4).complains("torn and was dropped");
    assert!(said.stdout.contains("The migration failed and the guest runs on the source"), "{said:#?}");
    let row = Row::of("pvm killed, journal damaged, then its last line torn", "perform");
    hosts.survived(row.recovered(said.code), "a", &before);
}

#[test]
fn what_each_host_wrote_about_a_guest_is_read_where_it_is() {
    let hosts = TwoHosts::up();
    let before = hosts.guest("a", "demo", &[]);
    let since = "2020-01-01T00:00:00Z";
    hosts.run("a", &["migrate", "demo", "host-b", "--yes"]).ends(0);
    hosts.life("b", "demo", Some(&before));
    let said = hosts.run("b", &["evidence", "demo", "--since", since]).ends(0);
    let evidence: serde_json::Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!((&evidence["schema"], &evidence["host"]), (&"pvm.evidence/1".into(), &"host-b".into()));
    assert!(evidence["log"]["started"].is_string() && evidence["log"]["qemu"].is_string(), "{evidence:#}");
    assert!(!said.stdout.contains("-incoming"), "the command line is left out");

    // The line that a proof on the source begins at.
    let said = hosts.run("a", &["evidence", "demo", "--since", since]).ends(0);
    assert!(said.stdout.contains("initiating migration"), "{said:#?}");
    let verified = hosts.run("b", &["verify", "demo", "--since", since]).ends(0);
    assert_eq!(verified.stdout, "demo on host-b: no device moved with its state\n");
    hosts.run("b", &["verify", "nothing", "--since", since]).ends(3).complains("has no guest");
    hosts.run("b", &["verify", "demo", "--since", "yesterday"]).ends(2);
    let document = hosts.run("b", &["verify", "demo", "--since", "10m", "-o", "json"]).ends(0).stdout;
    assert!(document.contains("\"pvm.verify/1\""), "{document}");
    // Only the pvm that moved it knows when.
    hosts.run("a", &["verify", "demo", "--host", "host-b"]).ends(0);
    hosts.run("b", &["verify", "demo"]).ends(2).complains("say --since when");
}

#[test]
fn a_direct_migration_whose_pvm_dies_before_switch_over_ends_on_the_source() {
    let hosts = TwoHosts::up();
    let before = hosts.guest("a", "demo", &[]);
    Running::start(&hosts, "host-b", &["--direct", "--bandwidth", "1MiB"]).flows().kill();
    let (id, last) = last_journal(&hosts, "a").unwrap();
    assert_eq!(last, "perform-intent");
    let said = hosts.run("a", &["recover", &id]).ends(4);
    assert!(said.stdout.contains("The migration failed and the guest runs on the source"), "{said:#?}");
    hosts.survived(Row::of("pvm killed, --direct", "perform").recovered(said.code), "a", &before);
}

#[test]
fn a_direct_migration_whose_pvm_dies_between_perform_and_confirm_is_decided_by_what_the_destination_did() {
    let hosts = TwoHosts::up();
    let before = hosts.held_guest("after");
    let destination = daemon(&hosts, "b");
    let id = at_switch_over(&hosts, &["--direct"], || {
        send(destination, Signal::STOP);
        hosts.release();
        wait_until_sent(&hosts);
    });
    wait_for(&hosts, "a", "paused (migrating)");
    send(destination, Signal::CONT);
    // The last call of that pvm waits in its socket: the destination starts the guest, or destroys it because its client is
    // gone. What it will do is not pvm's to say; what follows is.
    let mut said = hosts.run("a", &["recover", &id]);
    let on = if hosts.virsh("b", &["list", "--name"]).trim() == "demo" { "b" } else { "a" };
    if on == "a" && said.code == Some(6) {
        // A daemon that is busy destroys it as it would on demand, which is no proof that it never ran: somebody decides.
        assert!(said.stdout.contains("The source stands paused and nothing proves that the guest did not run on the destination in between: if it did, the source's memory is older than its disks"), "{said:#?}");
        said = hosts.run("a", &["recover", &id, "--keep", "src"]);
    } else {
        let row = if on == "b" {
            "The guest runs on the destination with the planned devices; the source was never told and keeps a stale paused copy, which is destroyed"
        } else {
            "The source stands paused and the destination's log proves that the guest never ran there"
        };
        assert!(said.stdout.contains(row), "{said:#?}");
    }
    assert_eq!(said.code, Some(if on == "b" { 0 } else { 4 }), "{said:#?}");
    let fault = Row::of("pvm killed between Perform and Confirm, --direct", "switch-over");
    hosts.survived(fault.recovered(said.code), on, &before);
}

#[test]
fn a_guest_marked_by_another_machine_is_refused_and_tells_where_its_journal_is() {
    let hosts = TwoHosts::up();
    let before = hosts.guest("a", "demo", &[]);
    // Moved from a by a pvm that dies after the move: the journal is on a, the guest on b, and the mark went along.
    let killed =
        hosts.pvm("a", &["migrate", "demo", "host-b", "--yes"]).env("PVM_FAULT", "before:verify").output().unwrap();
    assert_eq!(killed.status.signal(), Some(9), "{:#?}", Said::of(&killed));
    let id = last_journal(&hosts, "a").unwrap().0;
    wait_for(&hosts, "b", "running (migrated)");
    let mark = hosts.virsh("b", &["metadata", "demo", "--uri", "urn:pvm:migration:1", "--live"]);
    assert!(mark.contains(&format!("id=\"{id}\"")) && mark.contains("machine=\"host-a\""), "{mark}");

    hosts.run("b", &["migrate", "demo", "host-a", "--yes"]).ends(1).complains(&format!("pvm recover {id} there"));
    let list = hosts.run("b", &["recover"]).ends(0);
    assert!(list.stdout.contains(&id) && list.stdout.contains("its journal is on host-a"), "{list:#?}");
    let shown = hosts.run("b", &["recover", &id]).ends(6).complains("nothing was changed");
    assert!(shown.stderr.contains("metadata") && shown.stderr.contains("--remove --live"), "{shown:#?}");
    hosts.run("b", &["recover", "20200101-000000-000000"]).ends(3).complains("no migration has the id");

    let said = hosts.run("a", &["recover", &id]).ends(0);
    hosts.survived(Row::of("pvm killed; looked at from the other host", "verify").recovered(said.code), "b", &before);
    hosts.run("b", &["migrate", "demo", "host-a", "--yes"]).ends(0);
}

#[test]
fn a_guest_marked_by_a_migration_whose_journal_is_damaged_is_not_migrated() {
    let hosts = TwoHosts::up();
    let before = hosts.guest("a", "demo", &[]);
    let migrate = ["migrate", "demo", "host-b", "--yes"];
    let killed = hosts.pvm("a", &migrate).env("PVM_FAULT", "before:perform-intent").output().unwrap();
    assert_eq!(killed.status.signal(), Some(9), "{:#?}", Said::of(&killed));
    let (id, _) = last_journal(&hosts, "a").unwrap();
    let look = format!("pvm recover {id}");
    hosts.run("a", &migrate).ends(6).complains(&format!("migration {id} of demo is not finished: {look}"));

    // From its first line on: whose migration it was, only the guest can tell.
    let journal = hosts.path(&format!("host-a/var/lib/pvm/migrations/{id}.ndjson"));
    let whole = fs::read_to_string(&journal).unwrap();
    fs::write(&journal, whole.replacen("\"record\":\"plan\"", "\"record\":\"plam\"", 1)).unwrap();
    let mark = || hosts.virsh("a", &["metadata", "demo", "--uri", "urn:pvm:migration:1", "--live"]);
    let marked = mark();
    let said = format!("demo is marked by migration {id}, whose journal does not say that it has ended: {look}");
    hosts.run("a", &migrate).ends(6).complains(&said);
    assert_eq!((mark(), hosts.journals("a").len()), (marked, 1), "nothing was changed");
    hosts.run("a", &["recover", &id]).ends(5).complains("line 1 is damaged");

    fs::write(&journal, whole).unwrap();
    let recovered = hosts.run("a", &["recover", &id]).ends(0);
    let row = Row::of("pvm killed; its journal damaged and restored", "detach").recovered(recovered.code);
    let life = hosts.survived(row, "a", &before);
    hosts.run("a", &migrate).ends(0);
    hosts.life("b", "demo", Some(&life));
}
