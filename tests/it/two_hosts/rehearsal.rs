//! `pvm preflight --rehearse` between two real libvirt daemons: what only the attempt shows, and that it leaves nothing.

use std::fs;
use std::process::Stdio;

use super::harness::{Life, Said, TwoHosts, wait_until};

const REHEARSE: [&str; 7] = ["preflight", "local", "host-b", "--instance", "demo", "--rehearse", "--yes"];

/// The guest of the harness, with these elements among its devices.
fn guest_with(hosts: &TwoHosts, devices: &str) -> Life {
    let template = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/guest/guest.xml")).unwrap();
    let edited = template.replace("@NAME@", "demo").replace("@WORDS@", "");
    let file = hosts.path("demo.xml");
    fs::write(&file, edited.replace("</devices>", &format!("{devices}</devices>"))).unwrap();
    hosts.virsh("a", &["create", file.to_str().unwrap()]);
    hosts.life("a", "demo", None)
}

/// Runs a line of shell on host b, which must succeed.
#[track_caller]
fn on_b(hosts: &TwoHosts, line: &str) {
    hosts.command("exec", &["b", "sh", "-c", line]);
}

impl TwoHosts {
    /// Nothing of a rehearsal is left: the guest counts on where it was, as it was, and host b has neither it nor a claim.
    #[track_caller]
    fn left_nothing(&self, before: &Life) {
        self.life("a", "demo", Some(before));
        assert_eq!(self.virsh("b", &["list", "--all", "--name"]).trim(), "");
        assert_eq!(self.virsh("a", &["domstate", "demo"]).trim(), "running");
        assert_eq!(self.virsh("a", &["migrate-getmaxdowntime", "demo"]).trim(), "300");
        let mark = self.told("a", &["metadata", "demo", "--live", "https://libvirt.org/pvm/migration"]);
        assert_ne!(mark.code, Some(0), "{mark:#?}");
        assert!(!self.virsh("a", &["dumpxml", "demo"]).contains("pvm"));
        let open = fs::read_dir(self.path("host-a/var/lib/pvm/migrations")).map_or(0, Iterator::count);
        let (_, last) = self.journals("a").pop().unwrap();
        assert!(last.lines().last().unwrap().contains("\"record\":\"undone\""), "{open} {last}");
        assert!(last.contains("\"rehearsal\":true"), "{last}");
    }
}

#[test]
fn a_guest_that_could_move_is_rehearsed_and_runs_on() {
    let hosts = TwoHosts::up();
    let before = hosts.guest("a", "demo", &[]);
    // By libvirt alone nobody knows whether host b has the guest's kernel.
    hosts.run("a", &["preflight", "local", "host-b", "--instance", "demo"]).ends(3);
    hosts.run("a", &REHEARSE[..6]).ends(2).complains("confirmation required, but stdin is not a terminal; use --yes");
    assert_eq!(hosts.journals("a"), []);

    let said = hosts.run("a", &REHEARSE).ends(0).complains("aborted before switchover; it runs on");
    assert!(said.stdout.contains("QEMU on host-b accepted the guest, "), "{said:#?}");
    let told = said.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(told.contains("not proved: what comes at switchover"), "{said:#?}");
    hosts.left_nothing(&before);

    // As a document, again and again, and afterwards the migration itself.
    let said = hosts.run("a", &[&REHEARSE[..], &["-o", "json"]].concat()).ends(0);
    let report: serde_json::Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!((&report["schema"], &report["unknown"]), (&"pvm.preflight/1".into(), &serde_json::json!([])));
    let rows = report["instances"][0]["checks"].as_array().unwrap();
    assert!(rows.iter().any(|row| row["code"] == "rehearsal" && row["result"] == "info"), "{rows:#?}");
    hosts.left_nothing(&before);
    hosts.run("a", &["migrate", "demo", "host-b", "--yes"]).ends(0);
    hosts.life("b", "demo", Some(&before));
}

/// Faults of the destination that no fact tells, with the words they are refused by.
#[test]
fn what_the_destination_refuses_is_found_out_before_the_guest_is_paused() {
    let hosts = TwoHosts::up_with("", "migration_port_min = 49152\nmigration_port_max = 49153\n");
    let before = guest_with(&hosts, "<graphics type='vnc' autoport='yes' keymap='de'/>");
    let refused = |words: &str| {
        let said: Said = hosts.run("a", &REHEARSE).ends(1);
        let told = said.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(
            told.contains("rehearsal: demo stays on host-a, all was undone: ") && told.contains(words),
            "{said:#?}"
        );
        hosts.left_nothing(&before);
    };
    let hook = "mkdir -p /etc/libvirt/hooks && printf '#!/bin/sh\\nexit 1\\n' >/etc/libvirt/hooks/qemu && \
                chmod 755 /etc/libvirt/hooks/qemu";
    on_b(&hosts, hook);
    hosts.command("stop", &["b"]);
    hosts.command("start", &["b"]);
    refused("Hook script execution failed");
    on_b(&hosts, "rm -r /etc/libvirt/hooks");

    on_b(&hosts, "mount -t tmpfs tmpfs /usr/share/qemu/keymaps");
    refused("could not read keymap file");
    on_b(&hosts, "umount /usr/share/qemu/keymaps");

    let listen = "import socket,time; s=[socket.create_server(('::',p),family=socket.AF_INET6,dualstack_ipv6=True) for p in (49152,49153)]; time.sleep(600)";
    let mut taken = std::process::Command::new(super::harness::script());
    taken.args(["exec", hosts.path("").to_str().unwrap(), "b", "python3", "-c", listen]).stdin(Stdio::null());
    let mut taken = taken.spawn().unwrap();
    wait_until("the port is taken", || hosts.command("exec", &["b", "cat", "/proc/net/tcp6"]).contains(":C001 "));
    refused("Unable to find an unused port in range 'migration' (49152-49153)");
    taken.kill().unwrap();
    taken.wait().unwrap();
    hosts.run("a", &REHEARSE).ends(0);
    hosts.left_nothing(&before);
}

#[test]
fn what_could_complete_is_not_rehearsed() {
    let hosts = TwoHosts::up();
    let before = hosts.guest("a", "demo", &[]);
    hosts.virsh("a", &["suspend", "demo"]);
    hosts.run("a", &REHEARSE).ends(1).complains("demo was not rehearsed: demo is paused");
    hosts.virsh("a", &["resume", "demo"]);
    assert_eq!(hosts.journals("a"), []);
    for args in [&REHEARSE[..3], &["preflight", "local", "host-b", "host-a", "--instance", "demo"]] {
        hosts.run("a", &[args, &["--rehearse", "--yes"]].concat()).ends(2);
    }
    hosts.life("a", "demo", Some(&before));
}

/// libvirt goes on with a rehearsal whose pvm dies, and recovery ends it, also with nobody there.
#[test]
#[cfg(debug_assertions)]
fn a_rehearsal_that_outlived_its_pvm_is_aborted_by_recovery() {
    use std::os::unix::process::ExitStatusExt as _;

    let hosts = TwoHosts::up();
    let before = hosts.guest("a", "demo", &[]);
    for record in
        ["after:claim", "after:mark-intent", "after:perform-intent", "before:perform-returned", "before:undone"]
    {
        let killed = hosts.pvm("a", &REHEARSE).env("PVM_FAULT", record).output().unwrap();
        assert_eq!(killed.status.signal(), Some(9), "{record}: {:#?}", Said::of(&killed));
        hosts.run("a", &["recover", "--auto"]).ends(0);
        hosts.left_nothing(&before);
    }
    // Under way when recovery looks.
    let mut pvm = hosts.pvm("a", &REHEARSE).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    wait_until("the copy is there", || hosts.virsh("b", &["list", "--all", "--name"]).trim() == "demo");
    pvm.kill().unwrap();
    pvm.wait().unwrap();
    let (id, _) = hosts.journals("a").pop().unwrap();
    let said = hosts.run("a", &["recover", id.trim_end_matches(".ndjson")]).ends(4);
    assert!(said.stdout.contains("rehearsal of demo from"), "{said:#?}");
    hosts.left_nothing(&before);
}
