//! Options of `pvm migrate` that reach the hypervisor, between two real libvirt daemons. Needs root and the packages that
//! `tests/two-hosts/two-hosts install` installs; a missing part is a failure.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use rustix::process::Signal;

use super::harness;
use super::harness::{Life, TwoHosts, wait_until};
use super::running::{Running, said_so};
use crate::program::PVM;

#[test]
fn limits_reach_the_hypervisor_and_one_it_does_not_know_is_refused_before_the_start() {
    let hosts = TwoHosts::up();
    let before = hosts.guest("a", "demo", &[]);
    let version = hosts.virsh("a", &["version", "--daemon"]);
    let line = version.lines().find(|line| line.starts_with("Running against daemon:")).unwrap();
    let mut numbers = line.rsplit(' ').next().unwrap().split('.').map(|number| number.parse::<u32>().unwrap());
    let knows = (numbers.next(), numbers.next()) >= (Some(11), Some(1));

    let said = hosts.run("a", &["migrate", "demo", "host-b", "--yes", "--switchover-bandwidth", "1GiB"]);
    let between = if knows {
        said.ends(0);
        let there = hosts.life("b", "demo", Some(&before));
        hosts.run("b", &["migrate", "demo", "host-a", "--yes"]).ends(0);
        hosts.life("a", "demo", Some(&there))
    } else {
        said.ends(1).complains("--switchover-bandwidth needs libvirt 11.1 on both hosts");
        assert_eq!(hosts.journals("a"), []);
        hosts.life("a", "demo", Some(&before))
    };

    // A guest without devices keeps the hypervisor's limit; one that is named is set.
    let limit = || hosts.virsh("a", &["migrate-getmaxdowntime", "demo"]).trim().to_owned();
    assert_eq!(limit(), "300");
    hosts.run("a", &["migrate", "demo", "host-b", "--dry-run"]).ends(3);
    let mut slow =
        hosts.pvm("a", &["migrate", "demo", "host-b", "--yes", "--max-downtime", "1700ms", "--bandwidth", "1MiB"]);
    let mut slow = slow.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    wait_until("the limit is the one that was named", || limit() == "1700");
    assert_eq!(slow.wait().unwrap().code(), Some(0));
    hosts.life("b", "demo", Some(&between));
}

#[test]
fn a_guest_that_writes_faster_than_it_is_sent_gets_a_longer_pause_unless_the_limit_is_named() {
    let hosts = TwoHosts::up();
    // All of its 16 MiB at each tick: a pass at 16 MiB/s takes a second, and finds them all written again.
    let before = hosts.guest("a", "demo", &["pages=4096"]);
    let limit = || hosts.virsh("a", &["migrate-getmaxdowntime", "demo"]).trim().to_owned();
    let slow = ["migrate", "demo", "host-b", "--yes", "-o", "ndjson", "--bandwidth", "16MiB"];
    let raised = |said: &harness::Said| said.stdout.matches("the limit of the pause is raised").count();

    let said = hosts.run("a", &[&slow[..], &["--max-downtime", "500ms", "--timeout", "45s"]].concat()).ends(4);
    assert!(said.stdout.contains("it may never end") && raised(&said) == 0, "{said:#?}");
    assert_eq!(limit(), "300", "what was set for the migration is set back");

    // From the guest's own limit.
    hosts.virsh("a", &["migrate-setmaxdowntime", "demo", "700"]);
    let said = hosts.run("a", &slow).ends(0);
    assert!(said.stdout.contains("the limit of the pause is raised from 700 ms to 1400 ms"), "{said:#?}");
    hosts.life("b", "demo", Some(&before));
}

/// Another host's facts by its own pvm, as ssh would reach it.
fn facts_by_command(hosts: &TwoHosts) {
    for (host, peer) in [("a", "b"), ("b", "a")] {
        let anchor = fs::read_to_string(hosts.path(&format!("host-{peer}/anchor.pid"))).unwrap();
        let enter = format!("nsenter, --target, '{}', --mount, --uts, --net, --wd=/, --", anchor.trim());
        let settings = format!(
            "hosts:\n  host-{peer}:\n    libvirt: qemu+tcp://host-{peer}/system\n    facts: {{command: [{enter}, {PVM}, inventory, -o, json]}}\n"
        );
        fs::write(hosts.path(&format!("host-{host}/etc/pvm/pvm.yaml")), settings).unwrap();
    }
}

/// The guest of the harness with a disk in this file.
fn guest_with_disk(hosts: &TwoHosts, name: &str, file: &str) -> Life {
    let template = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/guest/guest.xml")).unwrap();
    let disk = format!(
        "<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{file}'/><target dev='vda' bus='virtio'/></disk>"
    );
    let xml =
        template.replace("@NAME@", name).replace("@WORDS@", "").replace("</devices>", &format!("{disk}</devices>"));
    let path = hosts.path(&format!("{name}.xml"));
    fs::write(&path, xml).unwrap();
    hosts.virsh("a", &["create", path.to_str().unwrap()]);
    hosts.life("a", name, None)
}

/// Bytes of a disk.
const LENGTH: usize = 8 << 20;

/// Two hosts, the guest demo on the first with a disk that only that host has, the disk's place on both, and its content.
fn demo_with_a_disk() -> (TwoHosts, Life, [PathBuf; 2], Vec<u8>) {
    let hosts = TwoHosts::up();
    let disk = "/var/lib/libvirt/images/disk.raw";
    let places = ["a", "b"].map(|host| hosts.path(&format!("host-{host}{disk}")));
    let content: Vec<u8> = (0..LENGTH).map(|at| u8::try_from(at * 7 % 251).unwrap()).collect();
    fs::write(&places[0], &content).unwrap();
    let life = guest_with_disk(&hosts, "demo", disk);
    (hosts, life, places, content)
}

/// Whether something of a disk has been copied.
fn copies(event: &serde_json::Value) -> bool {
    event["disk_processed"].as_u64() > Some(0)
}

fn empty_image(path: &Path, length: u64) {
    // It may be there from before.
    let _ = fs::remove_file(path);
    fs::File::create(path).unwrap().set_len(length).unwrap();
}

#[test]
fn a_disk_is_copied_only_when_it_is_named_and_only_onto_another_empty_image() {
    let (hosts, before, [_on_a, on_b], content) = demo_with_a_disk();
    let there = ["migrate", "demo", "host-b", "--yes"];
    let copy = [&there[..], &["--copy-storage", "vda"]].concat();

    // Unnamed it is not copied: the disk is the source's alone.
    let said = hosts.run("a", &there).ends(1);
    assert!(format!("{said:?}").contains("disk-storage"), "{said:#?}");
    // The other host has no channel to look through.
    hosts.run("a", &copy).ends(1).complains("copy-target").complains("without a channel to its own pvm");
    facts_by_command(&hosts);
    hosts.run("a", &copy).ends(1).complains("host-b has no /var/lib/libvirt/images/disk.raw to copy onto");
    empty_image(&on_b, 4096);
    hosts.run("a", &copy).ends(1).complains("has 4096 bytes, the disk 8388608").complains("truncate -s 8388608");
    fs::write(&on_b, vec![1; LENGTH]).unwrap();
    let forced = [&copy[..], &["--allow", "copy-target"]].concat();
    hosts.run("a", &forced).ends(1).complains("check 'copy-target' cannot be allowed when it fails");
    hosts.run("a", &copy).ends(1).complains("is not empty");
    assert_eq!(fs::read(&on_b).unwrap(), vec![1; LENGTH], "a refusal writes nothing");

    // Ended on the way: the target is half written, which is said, and stands in the way of the next attempt.
    empty_image(&on_b, LENGTH as u64);
    let mut running = Running::start(&hosts, "host-b", &["--copy-storage", "vda", "--bandwidth", "1MiB"]).until(copies);
    running.signal(Signal::INT);
    let said = running.ended();
    said_so(&said, 130, Some("host-a"));
    let last = said.events().pop().unwrap();
    let left = "whatever was copied of disk vda is still on host-b: /var/lib/libvirt/images/disk.raw";
    assert!(last["summary"].as_str().unwrap().contains(left), "{last}");
    hosts.run("a", &copy).ends(1).complains("is not empty");
    let between = hosts.life("a", "demo", Some(&before));

    // The same from the journal, when pvm dies before it can say so (debug builds have the hook).
    if cfg!(debug_assertions) {
        empty_image(&on_b, LENGTH as u64);
        let killed = hosts.pvm("a", &copy).env("PVM_FAULT", "after:perform-intent").output().unwrap();
        assert_eq!(killed.status.code(), None);
        let (journal, _) = hosts.journals("a").pop().unwrap();
        let recovered = hosts.run("a", &["recover", journal.strip_suffix(".ndjson").unwrap()]).ends(4);
        assert!(format!("{recovered:?}").contains(left), "{recovered:#?}");
    }

    empty_image(&on_b, LENGTH as u64);
    hosts.run("a", &copy).ends(0).complains("host-a keeps what was disk vda: /var/lib/libvirt/images/disk.raw");
    hosts.life("b", "demo", Some(&between));
    assert!(fs::read(&on_b).unwrap() == content, "the copy differs");
}

#[test]
fn a_disk_is_copied_too_where_pvm_holds_both_connections() {
    let (hosts, before, [_on_a, on_b], content) = demo_with_a_disk();
    facts_by_command(&hosts);
    let copy = ["migrate", "demo", "host-b", "--yes", "--direct", "--copy-storage", "vda"];

    // Ended on the way: the job is aborted over pvm's own connections, and the half-written target is named.
    empty_image(&on_b, LENGTH as u64);
    let slow = ["--direct", "--copy-storage", "vda", "--bandwidth", "1MiB"];
    let mut running = Running::start(&hosts, "host-b", &slow).until(copies);
    running.signal(Signal::INT);
    let said = running.ended();
    said_so(&said, 130, Some("host-a"));
    let left = "whatever was copied of disk vda is still on host-b: /var/lib/libvirt/images/disk.raw";
    assert!(said.events().pop().unwrap()["summary"].as_str().unwrap().contains(left), "{said:#?}");
    let between = hosts.life("a", "demo", Some(&before));

    // With pvm goes the migration: libvirt ends the copying, and recovery says what is left of it.
    empty_image(&on_b, LENGTH as u64);
    Running::start(&hosts, "host-b", &slow).until(copies).kill();
    let (journal, _) = hosts.journals("a").pop().unwrap();
    let recovered = hosts.run("a", &["recover", journal.strip_suffix(".ndjson").unwrap()]).ends(4);
    assert!(format!("{recovered:?}").contains(left), "{recovered:#?}");
    assert_eq!(hosts.virsh("b", &["list", "--all", "--name"]).trim(), "", "a second copy");
    let between = hosts.life("a", "demo", Some(&between));

    empty_image(&on_b, LENGTH as u64);
    hosts.run("a", &copy).ends(0).complains("host-a keeps what was disk vda: /var/lib/libvirt/images/disk.raw");
    hosts.life("b", "demo", Some(&between));
    assert!(fs::read(&on_b).unwrap() == content, "the copy differs");
    assert_eq!(hosts.virsh("a", &["list", "--all", "--name"]).trim(), "", "a second copy");
}

#[test]
fn a_disk_that_both_hosts_see_is_not_copied_onto_itself() {
    let hosts = TwoHosts::up();
    facts_by_command(&hosts);
    // Outside of what each host has for itself, and empty: only its number tells.
    let shared = hosts.path("shared.raw");
    empty_image(&shared, 1 << 20);
    guest_with_disk(&hosts, "demo", shared.to_str().unwrap());
    let said = hosts.run("a", &["migrate", "demo", "host-b", "--yes", "--copy-storage", "vda"]);
    said.ends(1).complains("is the source's own file");
}
