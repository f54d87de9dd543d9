//! `pvm migrate` between two real libvirt daemons, with real QEMU guests. Needs root and the packages that
//! `tests/two-hosts/two-hosts install` installs; a missing part is a failure.

use std::fs;

use super::harness::TwoHosts;

/// The guest of the harness as a persistent one, with a console password.
fn persistent_guest(hosts: &TwoHosts, name: &str, password: &str) {
    let template = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/guest/guest.xml")).unwrap();
    let graphics = format!("<graphics type='vnc' autoport='yes' passwd='{password}'/>");
    let xml =
        template.replace("@NAME@", name).replace("@WORDS@", "").replace("</devices>", &format!("{graphics}</devices>"));
    let file = hosts.path(&format!("{name}.xml"));
    fs::write(&file, xml).unwrap();
    hosts.virsh("a", &["define", file.to_str().unwrap()]);
}

#[test]
fn a_guest_moves_there_and_back_and_goes_on_counting() {
    let hosts = TwoHosts::up();
    let before = hosts.guest("a", "demo", &[]);

    let said = hosts.run("a", &["migrate", "demo", "host-b", "--yes"]).ends(0);
    assert_eq!(said.stdout, "demo runs on host-b.\n");
    // It has no devices, but its pause may grow all the same.
    said.complains("Max downtime: 300 ms (QEMU default").complains("raised if pre-copy does not converge, up to 10 s");
    let between = hosts.life("b", "demo", Some(&before));
    assert_eq!(hosts.virsh("a", &["list", "--all", "--name"]).trim(), "");

    let said = hosts.run("b", &["migrate", "demo", "host-a", "--yes", "-o", "ndjson"]).ends(0);
    hosts.life("a", "demo", Some(&between));
    assert_eq!(hosts.virsh("b", &["list", "--all", "--name"]).trim(), "");
    let events = said.events();
    let last = events.last().unwrap();
    assert_eq!((&last["event"], &last["exit_code"], &last["runs_on"]), (&"result".into(), &0.into(), &"host-a".into()));
    assert!(last["downtime_ms"].as_u64().is_some(), "{last}");
    assert!(events.iter().any(|e| e["event"] == "switched"), "{events:#?}");

    for host in ["a", "b"] {
        let journals = hosts.journals(host);
        assert_eq!(journals.len(), 1);
        assert!(journals[0].1.lines().last().unwrap().contains("\"record\":\"done\""), "{journals:?}");
    }
}

#[test]
fn a_name_that_turns_text_round_is_shown_as_what_it_is() {
    let hosts = TwoHosts::up();
    let before = hosts.guest("a", "demo", &[]);
    let (host, shown) = ("b\u{202e}", "b\\u{202e}");
    let settings = hosts.path("host-a/etc/pvm/pvm.yaml");
    let named = fs::read_to_string(&settings).unwrap().replacen("host-b", host, 1);
    fs::write(&settings, named).unwrap();

    let said = hosts.run("a", &["migrate", "demo", host, "--yes"]).ends(0);
    assert_eq!(said.stdout, format!("demo runs on {shown}.\n"));
    assert!(!said.stderr.contains(host), "{said:#?}");
    said.complains(&format!("Migrating demo: host-a -> {shown}"));
    hosts.life("b", "demo", Some(&before));
}

#[test]
fn definition_autostart_and_password_move_along_and_the_password_is_nowhere_else() {
    let hosts = TwoHosts::up();
    persistent_guest(&hosts, "kept", "s3cr3tpw");
    hosts.virsh("a", &["autostart", "kept"]);
    hosts.virsh("a", &["start", "kept"]);
    let before = hosts.life("a", "kept", None);

    // libvirt alone does not say whether the guest's kernel is on host b.
    let plan = hosts.run("a", &["migrate", "kept", "host-b", "--dry-run", "--diff", "-v"]).ends(3);
    let document = hosts.run("a", &["migrate", "kept", "host-b", "--dry-run", "-o", "json"]).ends(3);
    assert_eq!(hosts.journals("a"), [], "a dry run writes nothing");
    let said = hosts.run("a", &["migrate", "kept", "host-b", "--yes", "-o", "json", "-v"]).ends(0);
    hosts.life("b", "kept", Some(&before));

    let receipt: serde_json::Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!((&receipt["schema"], &receipt["runs_on"]), (&"pvm.migrate/1".into(), &"host-b".into()));
    assert_eq!(hosts.virsh("a", &["list", "--all", "--name"]).trim(), "", "the definition stayed behind");
    let info = hosts.virsh("b", &["dominfo", "kept"]);
    assert!(info.contains("Persistent:     yes") && info.contains("Autostart:      enable"), "{info}");
    for which in [&["--security-info"][..], &["--security-info", "--inactive"]] {
        let xml = hosts.virsh("b", &[&["dumpxml", "kept"], which].concat());
        assert!(xml.contains("passwd='s3cr3tpw'"), "the password is lost: {xml}");
    }
    let everything = format!("{plan:?}{document:?}{said:?}{:?}", hosts.journals("a"));
    assert!(!everything.contains("s3cr3tpw"), "{everything}");
}

#[test]
fn what_cannot_be_done_is_refused_in_one_sentence_and_changes_nothing() {
    let hosts = TwoHosts::up();
    let before = hosts.guest("a", "demo", &[]);
    persistent_guest(&hosts, "off", "x");
    let cases: [(&[&str], i32, &str); 9] = [
        (&["demo", "local", "--yes"], 1, "are the same host, or two hosts with the same UUID"),
        (&["demo", "qemu+tcp://host-a/system", "--yes"], 1, "are the same host, or two hosts with the same UUID"),
        (&["off", "host-b", "--yes"], 1, "off on host-a is shutoff: only a running guest migrates"),
        (&["nothing", "host-b", "--yes"], 3, "host-a has no guest \"nothing\""),
        (&["demo", "qemu+tcp://host-b:1/system", "--yes"], 3, "Connection refused"),
        (&["demo", "qemu+tcp://nowhere.test/system", "--yes"], 3, "cannot connect to qemu+tcp://nowhere.test/system"),
        (&["demo", "host-b"], 2, "confirmation required, but stdin is not a terminal; use --yes"),
        (&["demo", "qemu+ext:///system?command=true", "--yes"], 1, "the scheme \"qemu+ext\" is not one of"),
        (&["demo", "host-b", "--root", "/nowhere", "--yes"], 2, "does not go with --root"),
    ];
    for (args, code, words) in cases {
        let said = hosts.run("a", &[&["-q", "migrate"], args].concat()).ends(code).complains(words);
        assert_eq!(said.stderr.lines().count(), 1, "{said:#?}");
        assert_eq!(said.stdout, "", "{said:#?}");
    }
    hosts.life("a", "demo", Some(&before));
    assert_eq!(hosts.journals("a"), []);
    assert_eq!(hosts.virsh("b", &["list", "--all", "--name"]).trim(), "");
}

#[test]
fn a_migration_that_fails_leaves_the_guest_where_it_was() {
    let hosts = TwoHosts::up();
    let before = hosts.guest("a", "demo", &[]);
    // The destination lacks the guest's kernel: QEMU does not start there.
    fs::remove_file(hosts.path("host-b/var/lib/libvirt/images/guest.elf")).unwrap();
    let said = hosts.run("a", &["migrate", "demo", "host-b", "--yes"]).ends(4);
    assert!(said.stderr.contains("demo stays on host-a, all was undone"), "{said:#?}");
    hosts.life("a", "demo", Some(&before));
    assert_eq!(hosts.virsh("b", &["list", "--all", "--name"]).trim(), "");
    assert!(hosts.journals("a")[0].1.lines().last().unwrap().contains("\"record\":\"undone\""));
}

#[test]
fn a_saved_plan_is_executed_as_it_is_or_refused_with_what_has_changed() {
    let hosts = TwoHosts::up();
    let before = hosts.guest("a", "demo", &[]);
    let file = hosts.path("demo.plan");
    let path = file.to_str().unwrap();
    hosts.run("a", &["migrate", "demo", "host-b", "--dry-run", "--save-plan", path, "--bandwidth", "64MiB"]).ends(3);
    // What is allowed by name is not unknown any more; what names no check is told.
    hosts.run("a", &["migrate", "demo", "host-b", "--dry-run", "--allow", "host-paths,hooks"]).ends(0);
    hosts.run("a", &["migrate", "demo", "host-b", "--dry-run", "--allow", "host-path"]).ends(2);
    let text = fs::read_to_string(&file).unwrap();
    let plan: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&plan["schema"], &plan["parameters"]["bandwidth_mib"]), (&"pvm.plan/1".into(), &64.into()));

    fs::write(&file, text.replace("\"bandwidth_mib\": 64", "\"bandwidth_mib\": 65")).unwrap();
    hosts.run("a", &["migrate", "demo", "host-b", "--plan", path, "--yes"]).ends(1).complains("it was changed");

    fs::write(&file, &text).unwrap();
    hosts.virsh("a", &["suspend", "demo"]);
    let said = hosts.run("a", &["migrate", "demo", "host-b", "--plan", path, "--yes"]).ends(1);
    assert!(said.stderr.contains("no longer holds: guest state was running, is paused"), "{said:#?}");
    assert_eq!(hosts.journals("a"), []);

    hosts.virsh("a", &["resume", "demo"]);
    hosts.run("a", &["migrate", "demo", "host-b", "--plan", path, "--yes"]).ends(0);
    hosts.life("b", "demo", Some(&before));
    assert!(hosts.journals("a")[0].1.contains("\"bandwidth_mib\":64"), "{:?}", hosts.journals("a"));
}

#[test]
fn a_host_without_pvm_is_known_as_far_as_its_libvirt_goes() {
    let hosts = TwoHosts::up();
    hosts.guest("b", "demo", &[]);
    let said = hosts.run("a", &["inventory", "host-b", "-o", "json"]).ends(0);
    let snapshot: serde_json::Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!(snapshot["via"], "libvirt");
    assert_eq!(snapshot["host"]["name"], "host-b.test");
    let version = hosts.virsh("b", &["version", "--daemon"]);
    let daemon = snapshot["host"]["libvirt"].as_str().unwrap();
    assert!(version.contains(&format!("Running against daemon: {daemon}")), "{daemon} {version}");
    let domain = &snapshot["domains"][0];
    assert_eq!((&domain["name"], &domain["state"]), (&"demo".into(), &"running".into()));
    assert_eq!(domain["blocked_reasons"], serde_json::json!([]), "its QEMU was asked over the monitor");
    let list = hosts.virsh("b", &["nodedev-list", "--cap", "pci"]);
    assert_eq!(snapshot["devices"].as_array().unwrap().len(), list.split_whitespace().count());
    let unknown = snapshot["host"]["unknown"].as_array().unwrap();
    assert!(unknown.iter().any(|u| u["fact"] == "kernel"), "{unknown:#?}");
    // ssh is not there at all: libvirt answers, and the reason is told.
    let settings = "hosts:\n  host-b: {libvirt: 'qemu+tcp://host-b/system'}\n";
    fs::write(hosts.path("host-a/etc/pvm/pvm.yaml"), settings).unwrap();
    let said = hosts.run("a", &["inventory", "host-b"]).ends(0);
    assert!(said.stdout.contains("These facts come from libvirt alone, because "), "{said:#?}");
}

#[test]
fn where_the_daemons_do_not_reach_each_other_pvm_connects_to_both() {
    let hosts = TwoHosts::up();
    let before = hosts.guest("a", "demo", &[]);
    // A name of host b that only host b knows.
    let names = hosts.path("host-b/etc/hosts");
    fs::write(&names, format!("{}127.0.0.1 only-b\n", fs::read_to_string(&names).unwrap())).unwrap();
    let to_itself = ["migrate", "demo", "qemu+tcp://only-b/system", "--from", "host-a", "--yes"];
    let said = hosts.run("b", &to_itself).ends(4).complains("--direct has pvm connect to both hosts");
    assert!(said.stderr.contains("demo stays on host-a"), "{said:#?}");
    let before = hosts.life("a", "demo", Some(&before));

    let plan = hosts.run("b", &["migrate", "demo", "local", "--from", "host-a", "--direct", "--dry-run", "-o", "json"]);
    let plan: serde_json::Value = serde_json::from_str(&plan.ends(0).stdout).unwrap();
    assert_eq!(plan["flags"], serde_json::json!(["live", "direct", "abort-on-error"]));
    assert_eq!(plan["parameters"]["direct"], true);
    // What the failed call taught is known from now on.
    let dry = ["migrate", "demo", "qemu+tcp://only-b/system", "--from", "host-a", "--dry-run"];
    let said = hosts.run("b", &dry).ends(3);
    assert!(said.stdout.contains("peer to peer failed on"), "{said:#?}");
    let said = hosts.run("a", &["preflight", "local", "host-b", "-v"]).ends(0);
    assert!(said.stderr.contains("is untested: if libvirtd on"), "{said:#?}");
    hosts.run("b", &["migrate", "demo", "local", "--from", "host-a", "--direct", "--yes"]).ends(0);
    let between = hosts.life("b", "demo", Some(&before));
    assert!(hosts.journals("b").pop().unwrap().1.contains("\"direct\":true"));

    hosts.run("a", &["migrate", "demo", "local", "--from", "host-b", "--direct", "--yes"]).ends(0);
    let before = hosts.life("a", "demo", Some(&between));
    // Pulled without --direct: the source's daemon is told this machine by its name, not as its own local socket.
    hosts.run("b", &["migrate", "demo", "local", "--from", "host-a", "--yes"]).ends(0);
    let between = hosts.life("b", "demo", Some(&before));
    assert!(hosts.journals("b").pop().unwrap().1.contains("\"uri\":\"qemu+tcp://host-b"));
    hosts.run("a", &["migrate", "demo", "local", "--from", "host-b", "--yes"]).ends(0);
    hosts.life("a", "demo", Some(&between));
    assert_eq!(hosts.virsh("b", &["list", "--all", "--name"]).trim(), "");
}
