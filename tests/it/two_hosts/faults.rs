//! Faults under a running `pvm migrate`, between two real libvirt daemons: signals, limits, dead daemons and guests, a cut
//! network, a journal that cannot be written, two pvm at once. Needs root and the packages that
//! `tests/two-hosts/two-hosts install` installs; a missing part is a failure.
//!
//! After every fault, and recovery where pvm asks for it: the guest runs on exactly one host and goes on counting, nothing is
//! left over, and the exit code said the truth.

use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::harness::{IMPATIENT, Life, TwoHosts, wait_until};
use super::outcome::Row;
use super::running::{Running, said_so};

/// A daemon that logs what it tells QEMU.
const MONITOR_LOG: &str =
    "log_filters = \"1:qemu.qemu_monitor\"\nlog_outputs = \"1:file:/var/log/libvirt/libvirtd.log\"\n";

/// So slow that there is time to disturb it: the guest has 17 MiB.
const SLOW: &str = "1MiB";

/// Just slow enough to be seen.
const FAST: &str = "8MiB";

/// A migration to host b, no faster than this.
fn start(hosts: &TwoHosts, bandwidth: &str, more: &[&str]) -> Running {
    start_to(hosts, "host-b", bandwidth, more)
}

fn start_to(hosts: &TwoHosts, destination: &str, bandwidth: &str, more: &[&str]) -> Running {
    Running::start(hosts, destination, &[&["--bandwidth", bandwidth], more].concat())
}

/// The id of the migration that waits.
fn waiting(hosts: &TwoHosts) -> String {
    let (name, _) = hosts.journals("a").pop().unwrap();
    name.strip_suffix(".ndjson").unwrap().to_owned()
}

#[test]
fn signals_and_limits_end_it_before_switch_over_and_leave_nothing() {
    let hosts = TwoHosts::up();
    let mut life = hosts.guest("a", "demo", &[]);
    for (signal, name) in [(Signal::INT, "SIGINT"), (Signal::TERM, "SIGTERM")] {
        let mut running = start(&hosts, SLOW, &[]).flows();
        running.signal(signal);
        let said = running.ended();
        said_so(&said, 130, Some("host-a"));
        life = hosts.survived(Row::of(name, "perform").exit(said.code), "a", &life);
    }

    let mut running = start(&hosts, SLOW, &["--timeout", "1s"]);
    let said = running.ended();
    said_so(&said, 4, Some("host-a"));
    assert!(said.stdout.contains("timed out"), "{said:#?}");
    life = hosts.survived(Row::of("--timeout runs out", "perform").exit(said.code), "a", &life);

    // While it is planned there is nothing to undo: pvm just ends.
    let (settings, asked) = (hosts.path("host-a/etc/pvm/pvm.yaml"), hosts.path("asked"));
    let quick = fs::read_to_string(&settings).unwrap();
    let ask = format!("facts: {{command: [sh, -c, 'echo >{}; exec sleep 600']}}", asked.display());
    fs::write(&settings, quick.replace("facts: libvirt", &ask)).unwrap();
    let mut planning = start(&hosts, SLOW, &[]);
    wait_until("the facts of host b are asked for", || asked.exists());
    planning.signal(Signal::INT);
    assert_eq!(planning.pvm.wait().unwrap().signal(), Some(2));
    fs::write(&settings, quick).unwrap();
    life = hosts.survived(Row::of("SIGINT", "plan"), "a", &life);

    // A closed terminal ends nothing.
    let mut running = start(&hosts, FAST, &[]).flows();
    running.signal(Signal::HUP);
    let said = running.ended();
    said_so(&said, 0, Some("host-b"));
    hosts.survived(Row::of("terminal closed (SIGHUP)", "perform").exit(said.code), "b", &life);
}

#[test]
fn nobody_listening_to_the_progress_ends_nothing() {
    let hosts = TwoHosts::up();
    let before = hosts.guest("a", "demo", &[]);
    let mut running = start(&hosts, FAST, &[]).flows();
    drop(running.pvm.stderr.take());
    drop(running.events);
    let code = running.pvm.wait().unwrap().code();
    assert_eq!(code, Some(0));
    hosts.survived(Row::of("stdout and stderr closed", "perform").exit(code), "b", &before);
}

#[test]
fn a_second_signal_leaves_at_once_and_says_what_is_left_to_do() {
    let hosts = TwoHosts::up();
    let before = hosts.guest("a", "demo", &[]);
    let mut running = start(&hosts, SLOW, &[]).flows();
    // The daemon does not hear of the first one.
    hosts.command("signal", &["a", "daemon", "STOP"]);
    running.signal(Signal::INT);
    running.signal(Signal::TERM);
    let said = running.ended();
    hosts.command("signal", &["a", "daemon", "CONT"]);
    assert_eq!(said.code, Some(6), "{said:#?}");
    let id = waiting(&hosts);
    assert!(said.stderr.contains(&format!("pvm recover {id}")), "{said:#?}");

    let recovered = hosts.run("a", &["recover", &id]);
    // The abort may have reached the daemon or not: both ends are good ones.
    let on = match recovered.code {
        Some(0) => "b",
        Some(4) => "a",
        _ => panic!("{recovered:#?}"),
    };
    let row = Row::of("two signals while the source's libvirtd is silent", "perform");
    hosts.survived(row.exit(said.code).recovered(recovered.code), on, &before);
}

#[test]
fn a_destination_that_dies_is_survived_on_the_source() {
    let hosts = TwoHosts::up_with("", IMPATIENT);
    let mut life = hosts.guest("a", "demo", &[]);

    // Its QEMU.
    let mut running = start(&hosts, SLOW, &[]).flows();
    hosts.command("signal", &["b", "demo", "KILL"]);
    let said = running.ended();
    said_so(&said, 4, Some("host-a"));
    life = hosts.survived(Row::of("destination's QEMU killed", "perform").exit(said.code), "a", &life);

    // Its libvirtd: unreachable is not absent, so pvm does not call it undone.
    let mut running = start(&hosts, SLOW, &[]).flows();
    hosts.command("stop", &["b"]);
    let said = running.ended();
    assert_eq!(said.code, Some(6), "{said:#?}");
    hosts.virsh("a", &["domstate", "demo"]);
    hosts.command("start", &["b"]);
    let recovered = hosts.run("a", &["recover", &waiting(&hosts)]).ends(4);
    let row = Row::of("destination's libvirtd killed", "perform");
    hosts.survived(row.exit(said.code).recovered(recovered.code), "a", &life);
}

#[test]
fn a_source_daemon_that_restarts_is_asked_again() {
    let hosts = TwoHosts::up_with("", IMPATIENT);
    let before = hosts.guest("a", "demo", &[]);
    let mut running = start(&hosts, SLOW, &[]).flows();
    hosts.command("stop", &["a"]);
    hosts.command("start", &["a"]);
    let said = running.ended();
    let recovered = match said.code {
        Some(4) => None,
        // pvm asked before the daemon was back.
        Some(6) => hosts.run("a", &["recover", &waiting(&hosts)]).ends(4).code,
        _ => panic!("{said:#?}"),
    };
    let row = Row::of("source's libvirtd killed and restarted", "perform");
    hosts.survived(row.exit(said.code).recovered(recovered), "a", &before);
}

#[test]
fn a_network_that_is_cut_and_comes_back() {
    let hosts = TwoHosts::up_with(IMPATIENT, IMPATIENT);
    let before = hosts.guest("a", "demo", &[]);
    let mut running = start(&hosts, SLOW, &[]).flows();
    hosts.command("cut", &[]);
    let said = running.ended();
    assert_eq!(said.code, Some(6), "{said:#?}");
    hosts.command("heal", &[]);
    let recovered = hosts.run("a", &["recover", &waiting(&hosts)]).ends(4);
    let row = Row::of("network cut and restored", "perform");
    hosts.survived(row.exit(said.code).recovered(recovered.code), "a", &before);
}

#[test]
fn two_pvm_do_not_move_one_guest() {
    let hosts = TwoHosts::up();
    let before = hosts.guest("a", "demo", &[]);
    let mut running = start(&hosts, SLOW, &[]).flows();
    let second = hosts.run("a", &["migrate", "demo", "host-b", "--yes"]).ends(1);
    let under_way = format!("migration {} of demo is under way", waiting(&hosts));
    assert!(second.stderr.contains(&under_way), "{second:#?}");
    running.signal(Signal::INT);
    said_so(&running.ended(), 130, Some("host-a"));
    hosts.survived(Row::of("a second pvm for the same guest", "perform").exit(second.code), "a", &before);
}

#[test]
fn no_journal_no_migration() {
    let hosts = TwoHosts::up();
    let before = hosts.guest("a", "demo", &[]);
    let state = "/var/lib/pvm";
    fs::create_dir(hosts.path("host-a/var/lib/pvm")).unwrap();
    // Read-only, and full from the first byte on, and full after a few records.
    for (mount, fault) in [("ro", "journal's disk read-only"), ("rw,size=4k,nr_inodes=1", "journal's disk full")] {
        hosts.command("exec", &["a", "mount", "-t", "tmpfs", "-o", mount, "tmpfs", state]);
        let said = hosts.run("a", &["migrate", "demo", "host-b", "--yes"]).ends(3);
        assert!(said.stderr.contains("journal") || said.stderr.contains("lock"), "{said:#?}");
        hosts.command("exec", &["a", "umount", state]);
        hosts.survived(Row::of(fault, "plan").exit(said.code), "a", &before);
    }
}

/// A migration that others abort at the moment of switch-over in which an abort is lost: see `two-hosts/hold.c`. Pvm is
/// stopped, and stays so.
fn aborted_in_the_moment(hosts: &TwoHosts, hold: &str) -> (Life, Running) {
    let log = hosts.path("host-a/var/log/libvirt/libvirtd.log");
    let cancels = || fs::read_to_string(&log).unwrap().matches(r#"msg={"execute":"migrate_cancel""#).count();
    for _ in 0..5 {
        let life = hosts.held_guest(hold);
        let mut running = start(hosts, "1GiB", &[]).switched();
        // With HOLD=before a question of pvm's about the job would wait for QEMU, and the abort for the question.
        running.signal(Signal::STOP);
        let before = cancels();
        let told = std::thread::scope(|scope| {
            let abort = scope.spawn(|| hosts.told("a", &["domjobabort", "demo"]));
            let limit = Instant::now() + Duration::from_secs(20);
            while cancels() == before && !abort.is_finished() && Instant::now() < limit {
                std::thread::sleep(Duration::from_millis(20));
            }
            let told = cancels() > before;
            // Switch-over goes on once QEMU was told.
            hosts.release();
            abort.join().unwrap();
            told
        });
        if told {
            return (life, running);
        }
        // Pvm had asked already: once more, from the start.
        running.signal(Signal::CONT);
        running.ended();
        hosts.run("a", &["recover", "--auto"]);
        for host in ["a", "b"] {
            hosts.told(host, &["destroy", "demo"]);
        }
    }
    panic!("QEMU was not told to cancel, in none of five attempts");
}

#[test]
fn an_abort_that_meets_the_switch_over_does_not_leave_the_guest_waiting_for_ever() {
    let hosts = TwoHosts::up_with(MONITOR_LOG, "");
    let version = std::process::Command::new("/usr/bin/qemu-system-x86_64").arg("--version").output().unwrap();
    let version = String::from_utf8(version.stdout).unwrap();
    for hold in ["after", "before"] {
        // With HOLD=before libvirt may notice by itself, and other QEMUs may not have the moment at all: there the abort may
        // also come too late, and the guest has moved.
        let always = hold == "after" && version.contains(" version 7.2");
        let (before, mut running) = aborted_in_the_moment(&hosts, hold);
        running.signal(Signal::CONT);
        let said = running.ended();
        let on = if said.code == Some(0) && !always { "b" } else { "a" };
        match on {
            "a" => said_so(&said, 4, Some("host-a")),
            _ => said_so(&said, 0, Some("host-b")),
        }
        assert!(!always || said.stdout.contains("waits for libvirt: it is ended"), "{said:#?}");
        let fault = format!("aborted by others (HOLD={hold})");
        hosts.survived(Row::of(&*fault, "switch-over").exit(said.code), on, &before);
        hosts.virsh(on, &["destroy", "demo"]);

        // The same without the pvm that began it.
        let (before, running) = aborted_in_the_moment(&hosts, hold);
        running.kill();
        let recovered = hosts.run("a", &["recover", "--auto"]).ends(0);
        assert!(
            !always
                || recovered.stdout.contains(
                    "The migration was aborted during switchover and QEMU waits for libvirt, which will not answer"
                ),
            "{recovered:#?}"
        );
        let moved = !always && hosts.virsh("b", &["list", "--name"]).trim() == "demo";
        let on = if moved { "b" } else { "a" };
        hosts.survived(Row::of(format!("{fault}, pvm killed"), "switch-over").recovered(recovered.code), on, &before);
        hosts.virsh(on, &["destroy", "demo"]);
    }
}

#[test]
fn a_signal_after_switch_over_is_noted_and_the_migration_goes_on() {
    let hosts = TwoHosts::up();
    let before = hosts.held_guest("after");
    let running = start(&hosts, "1GiB", &[]).switched();
    running.signal(Signal::INT);
    let mut running = running.until(|event| event["message"].as_str().unwrap_or("").contains("too late to stop"));
    hosts.release();
    let said = running.ended();
    said_so(&said, 0, Some("host-b"));
    let journal = hosts.journals("a").pop().unwrap().1;
    assert_eq!(journal.matches("\"record\":\"switched\"").count(), 1, "{journal}");
    hosts.survived(Row::of("SIGINT", "switch-over").exit(said.code), "b", &before);
}

#[test]
fn credentials_that_are_refused_change_nothing() {
    let hosts = TwoHosts::up();
    let before = hosts.guest("a", "demo", &[]);
    // Host b wants a name and a password.
    let settings = hosts.path("host-b/etc/libvirt/libvirtd.conf");
    let open = fs::read_to_string(&settings).unwrap();
    fs::write(&settings, open.replace("auth_tcp = \"none\"", "auth_tcp = \"sasl\"")).unwrap();
    hosts.command("stop", &["b"]);
    hosts.command("start", &["b"]);
    let mut code = None;
    // By password; by certificates, which pvm's machine has none of.
    for (uri, words) in [("qemu+tcp://host-b/system", "authenticat"), ("qemu+tls://host-b/system", "certificate")] {
        let said = hosts.run("a", &["migrate", "demo", uri, "--yes"]).ends(3).complains(words);
        assert_eq!(said.stdout, "");
        assert_eq!(hosts.journals("a"), [], "nothing had begun");
        code = said.code;
    }
    hosts.survived(Row::of("credentials refused", "plan").exit(code), "a", &before);
}

/// A page of tmpfs: what is left of a journal's last page can be written on a full disk too.
const PAGE: usize = 4096;

/// How often the plan of a journal, and it alone, names the destination by its URI.
const NAMED: usize = 3;

/// A URI of host b so long that the records of a journal up to this one fill a page almost, and the next needs another.
/// `journal` is one of a run with a short URI.
fn uri_that_fills_a_page(journal: &str, up_to: &str) -> String {
    let at = journal.find(&format!("\"record\":\"{up_to}\"")).unwrap();
    let end = at + journal[at..].find('\n').unwrap() + 1;
    let short = "qemu+tcp://host-b/system";
    assert_eq!(journal[..end].matches(short).count(), NAMED, "{journal}");
    assert!(end < PAGE - 200, "{journal}");
    // libvirt has no use for a key where nothing is encrypted.
    format!("{short}?keyfile=/{}", "x".repeat((PAGE - 20 - end) / NAMED - "?keyfile=/".len()))
}

#[test]
fn a_disk_that_is_full_in_the_middle_of_a_run() {
    let hosts = TwoHosts::up();
    let life = hosts.guest("a", "demo", &[]);
    // A run that only tells how long the records are.
    hosts.run("a", &["migrate", "demo", "qemu+tcp://host-b/system", "--yes", "--bandwidth", FAST]).ends(0);
    let life = hosts.life("b", "demo", Some(&life));
    hosts.run("b", &["migrate", "demo", "host-a", "--yes"]).ends(0);
    let life = hosts.life("a", "demo", Some(&life));
    let records = hosts.journals("a").pop().unwrap().1;
    let (early, late) = (uri_that_fills_a_page(&records, "recheck"), uri_that_fills_a_page(&records, "perform-intent"));
    let on_a = |command: &str| hosts.command("exec", &["a", "sh", "-c", command]);
    on_a("rm -r /var/lib/pvm; mkdir /var/lib/pvm; mount -t tmpfs -o size=64k tmpfs /var/lib/pvm");

    // Before anything is touched: a page for the guest's lock and one for the journal are left.
    on_a("head -c $((14 * 4096)) /dev/zero >/var/lib/pvm/filling");
    let said = hosts
        .run("a", &["migrate", "demo", &early, "--yes", "--bandwidth", FAST])
        .ends(3)
        .complains("nothing was changed");
    assert!(said.stderr.contains("No space left on device"), "{said:#?}");
    on_a("rm /var/lib/pvm/filling");
    let recovered = hosts.run("a", &["recover", "--auto"]).ends(0);
    assert!(recovered.stdout.contains("Nothing had been touched"), "{recovered:#?}");
    let row = Row::of("disk full for the journal", "recheck").exit(said.code).recovered(recovered.code);
    let life = hosts.survived(row, "a", &life);

    // After libvirt was told to migrate: the guest moves, which is said, but the journal cannot be closed: what it lacks is
    // made up for afterwards.
    let mut running = start_to(&hosts, &late, FAST, &[]).flows();
    on_a("cat /dev/zero >/var/lib/pvm/filling 2>/dev/null; test -s /var/lib/pvm/filling");
    let said = running.ended();
    said_so(&said, 5, Some(&late));
    let last = said.events().pop().unwrap();
    let id = last["id"].as_str().unwrap();
    let summary = last["summary"].as_str().unwrap();
    assert!(
        summary.starts_with(&format!("demo runs on {late}, but the migration is not finished: cannot write")),
        "{summary}"
    );
    assert!(summary.ends_with(&format!("No space left on device; see: pvm recover {id}")), "{summary}");
    on_a("rm /var/lib/pvm/filling");
    let recovered = hosts.run("a", &["recover", "--auto"]).ends(0);
    assert!(recovered.stdout.contains("last record: perform-intent"), "{recovered:#?}");
    let row = Row::of("disk full for the journal", "perform").exit(said.code).recovered(recovered.code);
    hosts.survived(row, "b", &life);
}

#[test]
fn a_destination_daemon_that_dies_at_switch_over() {
    let hosts = TwoHosts::up_with("", IMPATIENT);
    let before = hosts.guest("a", "demo", &[]);
    let mut running = start(&hosts, "1GiB", &[]).switched();
    hosts.command("stop", &["b"]);
    hosts.command("start", &["b"]);
    let said = running.ended();
    // Whether it had started the guest's CPUs before it died decides who has the guest. Nobody may have it twice, and pvm has
    // to say so if it is not clear.
    let there = hosts.virsh("b", &["list", "--name"]).trim() == "demo";
    let here = hosts.virsh("a", &["list", "--name"]).trim() == "demo";
    let (mut recovered, mut on) = (None, if there { "b" } else { "a" });
    match said.code {
        Some(0 | 4) => {}
        Some(6) => {
            let id = waiting(&hosts);
            let mut again = hosts.run("a", &["recover", &id]);
            if again.code == Some(6) {
                assert!(there && here && again.stdout.contains("The guest is on both hosts: the destination runs it, and the source took a lost answer for a failure or started it anew"), "{again:#?}");
                assert_eq!(hosts.virsh("a", &["domstate", "demo", "--reason"]).trim(), "paused (user)");
                again = hosts.run("a", &["recover", &id, "--keep", "dst"]).ends(0);
                on = "b";
            }
            recovered = again.code;
        }
        _ => panic!("{said:#?}"),
    }
    let row = Row::of("destination's libvirtd killed and restarted", "switch-over").exit(said.code);
    hosts.survived(row.recovered(recovered), on, &before);
}
