//! A guest whose QEMU hangs, as it does on a stuck NFS or Ceph: nothing waits for it, and the other guests are seen to.

use std::process::Stdio;
use std::time::{Duration, Instant};

use super::harness::{Said, TwoHosts, wait_until};
use super::recover::last_journal;

/// What a command may take that meets one QEMU that hangs: a deadline of 10 s, one of 2 s, and a busy machine.
const WITHIN: Duration = Duration::from_secs(40);

/// Runs a command that must end although a QEMU hangs.
#[track_caller]
fn ends_in_time(hosts: &TwoHosts, args: &[&str]) -> Said {
    let begun = Instant::now();
    let mut pvm = hosts.pvm("a", args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    while pvm.try_wait().unwrap().is_none() {
        if begun.elapsed() > WITHIN {
            pvm.kill().unwrap();
            panic!("pvm {args:?} waits: {:#?}", Said::of(&pvm.wait_with_output().unwrap()));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Said::of(&pvm.wait_with_output().unwrap())
}

/// Leaves a migration of this guest to libvirt: its pvm is killed in the midst.
fn leave(hosts: &TwoHosts, guest: &str) {
    let args = ["migrate", guest, "host-b", "--yes", "--allow", "all", "--bandwidth", "1MiB"];
    let mut pvm = hosts.pvm("a", &args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    wait_until(&format!("{guest} begins to move"), || {
        assert!(pvm.try_wait().unwrap().is_none(), "pvm of {guest} has ended");
        hosts.virsh("a", &["domjobinfo", guest]).contains("Data processed")
    });
    pvm.kill().unwrap();
    pvm.wait().unwrap();
}

#[test]
fn one_that_hangs_in_a_migration_holds_up_neither_recovery_nor_other_guests() {
    let hosts = TwoHosts::up();
    hosts.guest("a", "demo", &["dirty=1"]);
    let other = hosts.guest("a", "other", &[]);
    hosts.guest("a", "third", &[]);
    leave(&hosts, "demo");
    leave(&hosts, "other");
    hosts.virsh("a", &["domjobabort", "other"]);
    hosts.command("signal", &["a", "demo", "STOP"]);

    let said = ends_in_time(&hosts, &["recover", "--auto"]);
    assert!(said.stdout.contains("other from host-a to host-b"), "{said:#?}");
    let all = format!("{}{}", said.stdout, said.stderr);
    assert!(all.contains("its QEMU does not answer"), "{said:#?}");
    let (open, closed): (Vec<_>, Vec<_>) =
        hosts.journals("a").into_iter().partition(|(_, text)| text.contains(r#""name":"demo""#));
    assert!(!open[0].1.contains(r#""record":"undone""#), "{open:#?}");
    assert!(closed[0].1.contains(r#""record":"undone""#), "the other guest was not seen to: {said:#?}");
    hosts.life("a", "other", Some(&other));

    let inventory = ends_in_time(&hosts, &["inventory", "-o", "json"]);
    assert!(inventory.stdout.contains("its QEMU does not answer"), "{}", inventory.stderr);
    ends_in_time(&hosts, &["preflight", "local", "host-b", "--instance", "third"]);
    let dry = ends_in_time(&hosts, &["migrate", "third", "host-b", "--dry-run", "--allow", "all"]);
    // By libvirt alone it is not known whether host b has the guest's kernel, which is allowed.
    assert!(dry.code == Some(0) && dry.stdout.contains("third"), "{dry:#?}");

    hosts.command("signal", &["a", "demo", "CONT"]);
}

#[test]
fn a_host_on_which_only_a_qemu_hangs_is_not_dead() {
    let hosts = TwoHosts::up();
    hosts.guest("a", "demo", &["dirty=1"]);
    leave(&hosts, "demo");
    let (id, _) = last_journal(&hosts, "a").unwrap();
    let records = || hosts.journals("a").pop().unwrap().1;
    let before = records();
    hosts.command("signal", &["a", "demo", "STOP"]);
    let said = ends_in_time(&hosts, &["recover", &id, "--source-is-dead"]);
    let all = format!("{}{}", said.stdout, said.stderr);
    assert!(all.contains("host-a is not dead: its libvirt daemon answers") && said.code == Some(3), "{said:#?}");
    assert_eq!(records(), before, "it was believed: {said:#?}");
    hosts.command("signal", &["a", "demo", "CONT"]);
}

#[test]
fn who_hung_before_is_told_without_being_asked_again() {
    let hosts = TwoHosts::up();
    let silent = ["g1", "g2", "g3"];
    hosts.guest("a", "well", &[]);
    for name in silent {
        hosts.guest("a", name, &[]);
        hosts.command("signal", &["a", name, "STOP"]);
    }
    let first = ends_in_time(&hosts, &["inventory", "-o", "json"]);
    assert_eq!(first.stdout.matches("its QEMU does not answer (within 10 s)").count(), 3, "{first:#?}");
    // libvirt's daemon still waits for each: another question would keep another of its workers.
    let again = ends_in_time(&hosts, &["inventory", "-o", "json"]);
    assert_eq!(again.stdout.matches("its QEMU does not answer (libvirt has waited for ").count(), 3, "{again:#?}");
    let snapshot: serde_json::Value = serde_json::from_str(&again.stdout).unwrap();
    let well = snapshot["domains"].as_array().unwrap().iter().find(|domain| domain["name"] == "well").unwrap();
    assert!(!well.to_string().contains("does not answer"), "{well:#}");
    for name in silent {
        hosts.command("signal", &["a", name, "CONT"]);
    }
}
