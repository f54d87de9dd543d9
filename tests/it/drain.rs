//! `pvm drain` on snapshots: guests of one host that compete for what the others have.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};

use crate::cases::PAIR;
use crate::program;

const UUIDS: [&str; 2] = ["8a7b1c52-4c3e-4f0a-9d6b-2b1f3c5d7e90", "8a7b1c52-4c3e-4f0a-9d6b-2b1f3c5d7e91"];

/// The source with a second guest, which holds the VFs 3 and 4 where the first holds 1 and 2.
fn source() -> Value {
    let mut source: Value = serde_json::from_str(PAIR[0]).unwrap();
    let text = source["domains"][0].to_string();
    let mut text = text.replace("db-1", "db-2").replace(UUIDS[0], UUIDS[1]);
    for (held, instead) in [(1, 3), (2, 4)] {
        text = text.replace(&format!("0000:3b:00.{held}"), &format!("0000:3b:00.{instead}"));
        let function = |at: u32| format!("bus='0x3b' slot='0x00' function='0x{at}'");
        text = text.replace(&function(held), &function(instead));
    }
    let second: Value = serde_json::from_str(&text).unwrap();
    for at in [3, 4] {
        let first = source["devices"].as_array().unwrap()[at - 2].clone();
        let device = &mut source["devices"][at];
        let address = device["address"].clone();
        for key in
            first.as_object().unwrap().keys().filter(|key| ["used_by", "driver", "migration"].contains(&key.as_str()))
        {
            device[key] = first[key].clone();
        }
        device["used_by"][0]["name"] = json!("db-2");
        device["used_by"][0]["uuid"] = json!(UUIDS[1]);
        assert_eq!(device["address"], address);
    }
    source["domains"].as_array_mut().unwrap().push(second);
    source
}

/// A destination of this name that has the first `vfs` of its VFs.
fn destination(name: &str, uuid_ends: &str, vfs: usize) -> Value {
    let mut host: Value = serde_json::from_str(PAIR[1]).unwrap();
    host["host"]["name"] = json!(name);
    let uuid = host["host"]["uuid"].as_str().unwrap().to_owned();
    host["host"]["uuid"] = json!(format!("{}{uuid_ends}", &uuid[..uuid.len() - uuid_ends.len()]));
    let mut left = vfs;
    host["devices"].as_array_mut().unwrap().retain(|device| {
        let is_vf = device["parent_addr"].is_string();
        let stays = !is_vf || left > 0;
        left -= usize::from(is_vf && stays);
        stays
    });
    host
}

fn lay_out(place: &Path, hosts: &[(&str, Value)]) {
    for (name, host) in hosts {
        std::fs::write(place.join(name), host.to_string()).unwrap();
    }
}

/// The exit code and the plan.
fn drain(place: &Path, line: &str) -> (i32, Value) {
    let output = program::pvm(place).args(line.split(' ')).args(["-o", "json"]).output().unwrap();
    let document = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|e| panic!("{line}: {e}: {}", String::from_utf8_lossy(&output.stderr)));
    (output.status.code().unwrap(), document)
}

/// Every device that the plan gives away, as host and address; none twice.
fn given(plan: &Value) -> BTreeSet<(String, String)> {
    let mut given = BTreeSet::new();
    for leaving in plan["moves"].as_array().unwrap() {
        assert_eq!(leaving["map"].as_array().unwrap().len(), 2, "{leaving}");
        for moved in leaving["map"].as_array().unwrap() {
            let device = (leaving["destination"].to_string(), moved["destination"].to_string());
            assert!(given.insert(device), "twice in {plan}");
        }
    }
    given
}

#[test]
fn guests_get_devices_of_their_own() {
    let place = tempfile::tempdir().unwrap();
    lay_out(place.path(), &[("src.json", source()), ("b.json", destination("b", "b", 8))]);
    let (code, plan) = drain(place.path(), "drain src.json --to b.json --dry-run --parallel 1");
    assert_eq!((code, given(&plan).len()), (0, 4), "{plan}");
    assert!(plan["moves"][1]["start"].as_f64() >= plan["moves"][0]["seconds"].as_f64(), "one at a time: {plan}");
    assert_eq!(plan["is_proved"], true);
}

/// What hinders guests with host devices is nothing to one without.
#[test]
fn a_guest_without_devices_goes_where_devices_cannot() {
    let place = tempfile::tempdir().unwrap();
    let (mut source, mut there) = (source(), destination("b", "b", 8));
    for xml in ["xml", "inactive_xml"] {
        let mut text = source["domains"][1][xml].as_str().unwrap().to_owned();
        while let (Some(begin), Some(end)) = (text.find("<hostdev"), text.find("</hostdev>")) {
            text.replace_range(begin..end + "</hostdev>".len(), "");
        }
        source["domains"][1][xml] = json!(text);
    }
    source["domains"][1]["hostdevs"] = json!([]);
    there["host"]["iommu"]["enabled"] = json!(false);
    lay_out(place.path(), &[("src.json", source), ("b.json", there)]);
    let (code, plan) = drain(place.path(), "drain src.json --to b.json --dry-run");
    assert_eq!((code, &plan["moves"][0]["guest"]), (1, &json!("db-2")), "{plan}");
    assert_eq!((&plan["stays"][0]["guest"], &plan["stays"][0]["code"]), (&json!("db-1"), &json!("iommu-enabled")));
}

/// `migrate` would refuse it, so the plan must not count on it. Without a cloud that goes for Nova's guests, too; with one, here of
/// the environment, Nova moves its own and nobody else's.
#[test]
fn a_guest_that_a_management_system_owns_stays_unless_nova_moves_it() {
    let place = tempfile::tempdir().unwrap();
    for (owner, word) in [("nova", "server migrate --live-migration"), ("ovirt", "the engine's Migrate action")] {
        let mut source = source();
        source["domains"][1]["owner"] = json!(owner);
        lay_out(place.path(), &[("src.json", source), ("b.json", destination("b", "b", 8))]);
        for allow in ["", " --allow guest-owner"] {
            let (code, plan) = drain(place.path(), &format!("drain src.json --to b.json --dry-run{allow}"));
            assert_eq!((code, plan["moves"].as_array().unwrap().len()), (1, 1), "{plan}");
            let stay = &plan["stays"][0];
            assert_eq!((&stay["guest"], &stay["code"]), (&json!("db-2"), &json!("guest-owner")), "{plan}");
            assert!(stay["remedy"].as_str().unwrap().contains(word), "{stay}");
        }
        let mut command = program::pvm(place.path());
        command.args(["drain", "src.json", "--to", "b.json", "--dry-run", "-o", "json"]);
        let cloud = [("OS_AUTH_URL", "http://127.0.0.1:1/v3"), ("OS_USERNAME", "u"), ("OS_PASSWORD", "p")];
        let plan: Value = serde_json::from_slice(&command.envs(cloud).output().unwrap().stdout).unwrap();
        assert_eq!(plan["stays"].as_array().unwrap().len(), usize::from(owner != "nova"), "{plan}");
    }
}

/// What a drain of `src.json` prints with `--dry-run`, and how it ends.
fn page(place: &Path) -> (Option<i32>, String) {
    let output = program::pvm(place).args(["drain", "src.json", "--to", "b.json", "--dry-run"]).output().unwrap();
    (output.status.code(), String::from_utf8(output.stdout).unwrap())
}

#[test]
fn a_guest_whose_state_is_not_known_may_run() {
    let place = tempfile::tempdir().unwrap();
    let mut source = source();
    source["domains"].as_array_mut().unwrap().iter_mut().for_each(|guest| guest["state"] = json!(""));
    lay_out(place.path(), &[("src.json", source), ("b.json", destination("b", "b", 8))]);
    let (code, text) = page(place.path());
    assert!(code == Some(3) && text.contains("guest-running"), "{text}");
}

#[test]
fn who_may_have_to_stay_makes_it_unknown_whether_the_host_can_be_emptied() {
    let place = tempfile::tempdir().unwrap();
    let mut there = destination("b", "b", 8);
    for device in there["devices"].as_array_mut().unwrap() {
        device["migration"]["supported"] = Value::Null;
    }
    lay_out(place.path(), &[("src.json", source()), ("b.json", there)]);
    let (code, text) = page(place.path());
    assert!(text.starts_with("Whether cmp-a1 can be emptied is not known: 2 of 2 guests may have to stay"), "{text}");
    assert_eq!(code, Some(3), "{text}");
}

#[test]
fn a_destination_is_not_given_away_twice() {
    let place = tempfile::tempdir().unwrap();
    lay_out(place.path(), &[("src.json", source()), ("b.json", destination("b", "b", 3))]);
    for guest in ["db-1", "db-2"] {
        let (code, plan) = drain(place.path(), &format!("drain src.json --to b.json --dry-run --only {guest}"));
        assert_eq!((code, given(&plan).len()), (0, 2), "alone each can go: {plan}");
    }
    let (code, plan) = drain(place.path(), "drain src.json --to b.json --dry-run");
    assert_eq!((code, given(&plan).len()), (1, 2), "{plan}");
    assert!(plan["stays"][0]["why"].as_str().unwrap().contains("2 devices"), "{plan}");
    lay_out(place.path(), &[("c.json", destination("c", "c", 2))]);
    let (code, plan) = drain(place.path(), "drain src.json --to b.json,c.json --dry-run");
    assert_eq!((code, given(&plan).len()), (0, 4), "{plan}");
}

#[test]
fn memory_is_used_up() {
    let place = tempfile::tempdir().unwrap();
    let mut host = destination("b", "b", 8);
    host["host"]["numa_cells"][0]["memory_free"] = json!(6u64 << 30);
    lay_out(place.path(), &[("src.json", source()), ("b.json", host)]);
    let (code, plan) = drain(place.path(), "drain src.json --to b.json --dry-run");
    assert_eq!((code, plan["moves"].as_array().unwrap().len()), (1, 1), "4 GiB each do not fit 6 GiB: {plan}");
}

#[test]
fn what_is_not_known_is_not_taken_for_full() {
    let place = tempfile::tempdir().unwrap();
    let mut host = destination("b", "b", 8);
    host["host"]["memory_free"] = Value::Null;
    host["host"]["numa_cells"] = Value::Null;
    lay_out(place.path(), &[("src.json", source()), ("b.json", host)]);
    let (code, plan) = drain(place.path(), "drain src.json --to b.json --dry-run");
    assert_eq!((code, plan["moves"].as_array().unwrap().len()), (3, 0), "{plan}");
    for stay in plan["stays"].as_array().unwrap() {
        assert!(stay["is_unknown"] == true && stay["why"].as_str().unwrap().contains("not known"), "{plan}");
    }
}

#[test]
fn who_cannot_go_holds_nobody_up() {
    let place = tempfile::tempdir().unwrap();
    let mut from = source();
    from["domains"][0]["job"] = json!("migration-out");
    lay_out(place.path(), &[("src.json", from), ("b.json", destination("b", "b", 8))]);
    let (code, plan) = drain(place.path(), "drain src.json --to b.json,nosuch.json --dry-run");
    assert_eq!((code, &plan["moves"][0]["guest"], &plan["stays"][0]["guest"]), (1, &json!("db-2"), &json!("db-1")));
    assert_eq!(plan["stays"][0]["code"], "guest-job", "{plan}");
    assert_eq!(plan["unreachable"][0]["host"], "nosuch.json");
    let (code, _) = drain(place.path(), "drain src.json --to b.json --dry-run --except db-1");
    assert_eq!(code, 0);
}

#[test]
fn the_host_itself_is_none_of_its_destinations_under_any_name() {
    let place = tempfile::tempdir().unwrap();
    lay_out(place.path(), &[("src.json", source()), ("b.json", destination("b", "b", 8))]);
    let settings = place.path().join("pvm.yaml");
    std::fs::write(&settings, "hosts: {one: {facts: src.json}, two: {facts: b.json}}\n").unwrap();
    let (_, plan) = drain(place.path(), "--config pvm.yaml drain src.json --dry-run");
    let names = plan["destinations"].as_array().unwrap().iter().map(|host| host["host"].clone());
    assert_eq!(names.collect::<Vec<_>>(), [json!("two")], "{plan}");
    std::fs::write(&settings, "hosts: {one: {facts: src.json}}\n").unwrap();
    let args = "--config pvm.yaml drain src.json --dry-run";
    let output = program::pvm(place.path()).args(args.split(' ')).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{output:?}");
}

#[test]
fn a_page_has_eighty_columns() {
    let place = tempfile::tempdir().unwrap();
    lay_out(place.path(), &[("src.json", source()), ("b.json", destination("b", "b", 3))]);
    let output = program::pvm(place.path()).args("drain src.json --to b.json --dry-run".split(' ')).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("cannot be emptied: 1 of 2 guests"), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
}

#[test]
fn what_is_no_drain_is_refused() {
    let place = tempfile::tempdir().unwrap();
    lay_out(place.path(), &[("src.json", source()), ("copy.json", source()), ("b.json", destination("b", "b", 2))]);
    for (line, code) in [
        ("drain src.json --to copy.json --dry-run", 1),
        // Under two names it would be given away twice.
        ("drain src.json --to b.json,./b.json --dry-run", 1),
        ("drain src.json --dry-run", 2),
        ("drain src.json --to copy.json", 2),
        ("drain src.json --to nosuch.json --dry-run", 3),
        ("drain src.json --to copy.json --dry-run --only nobody", 3),
    ] {
        let output = program::pvm(place.path()).args(line.split(' ')).output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{line}: {}", String::from_utf8_lossy(&output.stderr));
        assert!(!output.stderr.is_empty() && output.stdout.is_empty(), "{line}");
    }
}

/// The second guest of the source, with what makes it another one.
fn with_policy(source: &mut Value, policy: &str) {
    let guest = &mut source["domains"][1];
    let text = guest["xml"].as_str().unwrap();
    let (head, tail) = text.split_once("<memory").unwrap();
    let metadata = format!("<metadata><pvm:policy xmlns:pvm='urn:pvm:migration:1' {policy}/></metadata>");
    guest["xml"] = json!(format!("{head}{metadata}<memory{tail}"));
}

#[test]
fn policies_are_kept_to_and_named() {
    let place = tempfile::tempdir().unwrap();
    lay_out(place.path(), &[("src.json", source()), ("b.json", destination("b", "b", 8))]);
    let line = "--config pvm.yaml drain src.json --to b.json --dry-run";
    let with = |settings: &str, line: &str| {
        std::fs::write(place.path().join("pvm.yaml"), settings).unwrap();
        drain(place.path(), line)
    };
    let (code, plan) = with("guests: {'*-2': {drain: no}}\n", line);
    assert_eq!(
        (code, &plan["stays"][0]["guest"], &plan["stays"][0]["code"]),
        (1, &json!("db-2"), &json!("drain-policy"))
    );
    assert!(plan["stays"][0]["why"].as_str().unwrap().contains("guests: *-2 in pvm.yaml"), "{plan}");
    assert_eq!(plan["moves"].as_array().unwrap().len(), 1, "the other one leaves");
    let (code, plan) = with("guests: {'*-2': {drain: no}}\n", &format!("{line} --allow drain-policy"));
    assert_eq!((code, plan["moves"].as_array().unwrap().len()), (0, 2), "{plan}");

    let (code, plan) = with("guests: {db-2: {max_pause: 1ms}}\n", line);
    assert_eq!((code, &plan["stays"][0]["guest"], &plan["stays"][0]["code"]), (1, &json!("db-2"), &json!("max-pause")));
    let (code, plan) = with("guests: {db-2: {max_pause: 9s}}\ndefaults: {max_pause: 1h}\n", line);
    let kept = json!([{"policy": "max_pause", "value": "9000 ms", "by": "guests: db-2 in pvm.yaml"}]);
    assert_eq!(
        (
            code,
            plan["moves"].as_array().unwrap().iter().find(|one| one["guest"] == "db-2").unwrap()["policies"].clone()
        ),
        (0, kept)
    );
    let (code, plan) = with("{}\n", &format!("{line} --max-pause 1ms"));
    assert_eq!((code, plan["moves"].as_array().unwrap().len()), (1, 0), "{plan}");

    let (mut source, mut there) = (source(), destination("b", "b", 8));
    with_policy(&mut source, "drain='no'");
    lay_out(place.path(), &[("src.json", source.clone())]);
    let (code, plan) = with("{}\n", line);
    assert_eq!((code, &plan["stays"][0]["code"]), (1, &json!("drain-policy")), "{plan}");
    assert!(plan["stays"][0]["remedy"].as_str().unwrap().starts_with("virsh metadata db-2 --uri urn:pvm:"), "{plan}");
    // What cannot be read is not passed over.
    let mut odd = self::source();
    with_policy(&mut odd, "drain='perhaps'");
    lay_out(place.path(), &[("src.json", odd)]);
    let (code, plan) = with("{}\n", line);
    assert_eq!((code, &plan["stays"][0]["is_unknown"]), (3, &json!(true)), "{plan}");

    // One of the pattern is there already; the two on the source are not kept apart from each other.
    let resident = json!({"name": "db-9", "uuid": "8a7b1c52-4c3e-4f0a-9d6b-2b1f3c5d7e99", "state": "running"});
    there["domains"].as_array_mut().unwrap().push(resident);
    lay_out(place.path(), &[("src.json", self::source()), ("b.json", there), ("c.json", destination("c", "c", 8))]);
    let (code, plan) = with("apart: ['db-*']\n", line);
    assert_eq!((code, plan["stays"].as_array().unwrap().len()), (1, 2), "{plan}");
    assert!(plan["stays"][0]["why"].as_str().unwrap().contains("kept apart from db-9"), "{plan}");
    let (code, plan) = with("apart: ['db-*']\n", "--config pvm.yaml drain src.json --to b.json,c.json --dry-run");
    let to_c = |leaving: &Value| leaving["destination"] == "c" && leaving["policies"][0]["value"] == "db-*";
    assert!(code == 0 && plan["moves"].as_array().unwrap().iter().all(to_c), "{plan}");
    let (code, _) = with("apart: ['db-*']\n", &format!("{line} --allow guests-apart"));
    assert_eq!(code, 0);
}

/// The exit code, and stderr in one line.
fn said(place: &Path, line: &str) -> (i32, String) {
    let output = program::pvm(place).args(line.split(' ')).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr).split_whitespace().collect::<Vec<_>>().join(" ");
    (output.status.code().unwrap(), text)
}

/// Files by name.
type Laid = Vec<(&'static str, Value)>;

fn three_hosts() -> Laid {
    vec![("src.json", source()), ("b.json", destination("b", "b", 3)), ("c.json", destination("c", "c", 2))]
}

#[test]
fn a_saved_plan_is_the_one_that_is_made_or_is_refused_with_what_differs() {
    let place = tempfile::tempdir().unwrap();
    lay_out(place.path(), &three_hosts());
    let (code, _) = said(place.path(), "drain src.json --to b.json,c.json --parallel 1 --save-plan night.plan");
    assert_eq!(code, 0);
    let (code, plan) = drain(place.path(), "drain src.json --to b.json,c.json --parallel 1 --dry-run");
    let (again, made_again) = drain(place.path(), "drain --plan night.plan --dry-run");
    assert_eq!((code, again), (0, 0));
    assert_eq!(plan["moves"], made_again["moves"]);
    let (code, text) = said(place.path(), "drain b.json --plan night.plan --dry-run");
    assert!(code == 1 && text.contains("the plan is for src.json, not for b.json"), "{code} {text}");

    let changed = |change: fn(&mut Laid)| {
        let mut hosts = three_hosts();
        change(&mut hosts);
        lay_out(place.path(), &hosts);
        let said = said(place.path(), "drain --plan night.plan --dry-run");
        lay_out(place.path(), &three_hosts());
        said
    };
    for (words, change) in [
        (
            "db-1 is not on cmp-a1 any more",
            (|hosts| hosts[0].1["domains"][0]["state"] = json!("shutoff")) as fn(&mut Laid),
        ),
        ("source qemu was", |hosts| hosts[0].1["host"]["qemu"] = json!("9.9.9")),
        ("driver was mlx5_vfio_pci, is vfio-pci", |hosts| hosts[1].1["devices"][1]["driver"] = json!("vfio-pci")),
        ("db-2: source uuid was", |hosts| hosts[0].1["host"]["uuid"] = json!("11111111-2222-3333-4444-555555555555")),
        ("db-1: b: guest-memory: b has 1024 MiB free", |hosts| {
            for host in &mut hosts[1..] {
                host.1["host"]["numa_cells"][0]["memory_free"] = json!(1u64 << 30);
            }
        }),
        ("db-3 is not in the plan", |hosts| {
            let mut third = hosts[0].1["domains"][1].clone();
            (third["name"], third["uuid"]) = (json!("db-3"), json!("8a7b1c52-4c3e-4f0a-9d6b-2b1f3c5d7e92"));
            hosts[0].1["domains"].as_array_mut().unwrap().push(third);
        }),
    ] {
        let (code, text) = changed(change);
        assert!(code == 1 && text.contains("no longer holds") && text.contains(words), "{words}: {code} {text}");
    }
    let saved = std::fs::read_to_string(place.path().join("night.plan")).unwrap();
    for (edited, words) in [
        (saved.replacen("\"db-1\"", "\"db-9\"", 1), "digest"),
        (plan.to_string(), "printed, not saved"),
        ("{}".to_owned(), "schema"),
        (String::new(), "not the plan of a drain"),
    ] {
        std::fs::write(place.path().join("night.plan"), edited).unwrap();
        let (code, text) = said(place.path(), "drain --plan night.plan --dry-run");
        assert!(code == 1 && text.contains(words), "{words}: {code} {text}");
    }
    let (code, _) = said(place.path(), "drain --plan nosuch.plan --dry-run");
    assert_eq!(code, 3);
    let (code, _) = said(place.path(), "drain --plan night.plan --to b.json");
    assert_eq!(code, 2);
}

#[test]
fn a_saved_plan_for_which_together_there_is_no_room_any_more_is_refused() {
    let place = tempfile::tempdir().unwrap();
    let mut there = destination("b", "b", 8);
    lay_out(place.path(), &[("src.json", source()), ("b.json", there.clone())]);
    assert_eq!(said(place.path(), "drain src.json --to b.json --save-plan night.plan").0, 0);
    // Each of them would fit alone.
    there["host"]["numa_cells"][0]["memory_free"] = json!(6u64 << 30);
    lay_out(place.path(), &[("b.json", there)]);
    let (code, text) = said(place.path(), "drain --plan night.plan --dry-run");
    assert!(code == 1 && text.contains("db-2: b has no room for it beside the others"), "{code} {text}");
}

/// What several guests wait for is said once.
#[test]
fn what_is_not_known_stands_once_on_the_page() {
    let place = tempfile::tempdir().unwrap();
    let mut from = source();
    from["host"]["cpu"] = json!({});
    lay_out(place.path(), &[("src.json", from), ("b.json", destination("b", "b", 8))]);
    let (_, plan) = drain(place.path(), "drain src.json --to b.json --dry-run");
    let of = |at: usize| plan["moves"][at]["unknown"].as_array().unwrap();
    let rows: Vec<&str> = of(0).iter().chain(of(1)).map(|row| row["code"].as_str().unwrap()).collect();
    assert!(!rows.is_empty(), "nothing is unknown: {plan}");
    let output = program::pvm(place.path()).args("drain src.json --to b.json --dry-run".split(' ')).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    for code in rows {
        assert_eq!(text.matches(&format!("{code}: ")).count(), 1, "{code}: {text}");
    }
    assert!(text.contains("(all)"), "{text}");
}
