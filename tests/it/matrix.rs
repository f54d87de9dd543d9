//! `pvm preflight --matrix`: guests of a fleet by hosts.

use std::path::Path;
use std::process::Output;

use serde_json::{Value, json};

use crate::cases::PAIR;
use crate::program;

/// A host of this name with the guests of the pair's source, or none: it has the devices of the pair's destination.
fn host(name: &str, guest: Option<&str>) -> Value {
    let mut host: Value = serde_json::from_str(PAIR[usize::from(guest.is_none())]).unwrap();
    host["host"]["name"] = json!(name);
    let uuid = host["host"]["uuid"].as_str().unwrap().to_owned();
    host["host"]["uuid"] = json!(format!("{}{:02x}", &uuid[..34], name.bytes().last().unwrap()));
    if let Some(guest) = guest {
        let text = host.to_string().replace("db-1", guest);
        let uuid = "8a7b1c52-4c3e-4f0a-9d6b-2b1f3c5d7e90";
        let own = format!("{}{:02x}", &uuid[..34], guest.bytes().last().unwrap());
        host = serde_json::from_str(&text.replace(uuid, &own)).unwrap();
    }
    host
}

fn lay_out(place: &Path, hosts: &[Value]) {
    std::fs::create_dir(place.join("fleet")).unwrap();
    for host in hosts {
        let name = host["host"]["name"].as_str().unwrap();
        std::fs::write(place.join("fleet").join(format!("{name}.json")), host.to_string()).unwrap();
    }
}

fn pvm(place: &Path, line: &str) -> Output {
    program::pvm(place).args(line.split(' ')).output().unwrap()
}

fn document(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&output.stderr)))
}

/// The answer for a guest on a host: verdict, code, free devices.
fn cell(matrix: &Value, guest: &str, host: &str) -> (String, Option<String>, Option<u64>) {
    let is_of = |row: &&Value| row["guests"].as_array().unwrap().iter().any(|resident| resident["guest"] == guest);
    let row = matrix["rows"].as_array().unwrap().iter().find(is_of).unwrap_or_else(|| panic!("{guest}: {matrix}"));
    let mut found = None;
    for answer in row["answers"].as_array().unwrap() {
        for place in answer["hosts"].as_array().unwrap().iter().filter(|place| place["host"] == host) {
            assert!(found.is_none(), "{guest} on {host} twice: {matrix}");
            let text = |value: &Value| value.as_str().map(str::to_owned);
            found = Some((text(&answer["verdict"]).unwrap(), text(&answer["code"]), place["free"].as_u64()));
        }
    }
    found.unwrap_or_else(|| panic!("{guest} on {host}: {matrix}"))
}

#[test]
fn each_cell_is_what_preflight_says_of_the_pair() {
    let place = tempfile::tempdir().unwrap();
    let mut poor = host("d", None);
    poor["host"]["memory_free"] = json!(1 << 20);
    for cell in poor["host"]["numa_cells"].as_array_mut().unwrap() {
        cell["memory_free"] = json!(1 << 19);
        cell["hugepages"] = json!({});
    }
    lay_out(place.path(), &[host("a", Some("db-1")), host("b", Some("db-2")), host("c", None), poor]);
    let matrix = document(&pvm(place.path(), "preflight --matrix fleet/ nosuch.json -o json"));
    assert_eq!(matrix["hosts"][4]["host"], "nosuch.json");
    assert!(matrix["hosts"][4]["unreachable"].as_str().unwrap().contains("cannot read"), "{matrix}");
    for (guest, own) in [("db-1", "a"), ("db-2", "b")] {
        for to in ["a", "b", "c", "d"].into_iter().filter(|to| *to != own) {
            let line = format!("preflight fleet/{own}.json fleet/{to}.json --instance {guest} -o json");
            let report = document(&pvm(place.path(), &line));
            let (verdict, code, free) = cell(&matrix, guest, to);
            assert_eq!(report["instances"][0]["verdict"], json!(verdict), "{guest} on {to}");
            assert!(free.is_some(), "{guest} on {to}");
            let checks = report["instances"][0]["checks"].as_array().unwrap().iter();
            let worst = if verdict == "incompatible" { "error" } else { "unknown" };
            let codes: Vec<&str> =
                checks.filter(|row| row["result"] == worst).map(|row| row["code"].as_str().unwrap()).collect();
            match code {
                Some(code) => assert!(codes.contains(&code.as_str()), "{guest} on {to}: {code} {codes:?}"),
                None => assert!(codes.is_empty(), "{guest} on {to}: {codes:?}"),
            }
        }
    }
    assert_eq!(cell(&matrix, "db-1", "c").0, "compatible", "{matrix}");
    assert_eq!(cell(&matrix, "db-1", "d").0, "incompatible", "{matrix}");
}

#[test]
fn guests_with_the_same_answers_share_a_row() {
    let place = tempfile::tempdir().unwrap();
    lay_out(place.path(), &[host("a", Some("db-1")), host("b", Some("db-2")), host("c", None), host("d", None)]);
    let matrix = document(&pvm(place.path(), "preflight --matrix fleet/ -o json"));
    let names = |row: &Value| row["guests"].as_array().unwrap().iter().map(|g| g["guest"].clone()).collect::<Vec<_>>();
    let rows: Vec<_> = matrix["rows"].as_array().unwrap().iter().map(names).collect();
    assert_eq!(rows, [[json!("db-1"), json!("db-2")]], "{matrix}");
    let one = document(&pvm(place.path(), "preflight --matrix fleet/ --instance db-2 -o json"));
    assert_eq!(one["rows"].as_array().unwrap().len(), 1, "{one}");
}

#[test]
fn a_matrix_has_eighty_columns_and_says_first_what_matters() {
    let place = tempfile::tempdir().unwrap();
    let mut hosts = vec![host("a", Some("db-1"))];
    hosts[0]["domains"][0]["job"] = json!("migration-out");
    for (at, letter) in ('e'..='p').enumerate() {
        let mut host = host(&format!("compute-with-a-long-name-{letter}"), None);
        // All have another number of free devices.
        host["devices"].as_array_mut().unwrap().truncate(9 - at % 5);
        hosts.push(host);
    }
    lay_out(place.path(), &hosts);
    let output = pvm(place.path(), "preflight --matrix fleet/ nosuch.json");
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{text}");
    let first: Vec<&str> = text.split_whitespace().take(17).collect();
    assert_eq!(first.join(" "), "1 guest on 13 hosts, 1 more unreachable: 0 can leave their host, 1 can go nowhere");
    assert!(text.contains("guest-job") && text.contains("unreachable: nosuch.json"), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
}

#[test]
fn what_is_no_matrix_is_refused() {
    let place = tempfile::tempdir().unwrap();
    lay_out(place.path(), &[host("a", Some("db-1")), host("b", None)]);
    std::fs::copy(place.path().join("fleet/b.json"), place.path().join("copy.json")).unwrap();
    for (line, code) in [
        ("preflight --matrix fleet/a.json", 2),
        ("preflight --matrix fleet/a.json nosuch.json", 3),
        ("preflight --matrix fleet/ copy.json", 1),
        ("preflight --matrix fleet/ --instance nobody", 3),
        ("preflight --matrix fleet/ --rehearse --instance db-1", 2),
        ("preflight fleet/a.json", 2),
    ] {
        let output = pvm(place.path(), line);
        assert_eq!(output.status.code(), Some(code), "{line}: {}", String::from_utf8_lossy(&output.stderr));
        assert!(!output.stderr.is_empty() && output.stdout.is_empty(), "{line}");
    }
}

#[test]
fn hosts_of_one_name_are_columns_of_their_own() {
    let place = tempfile::tempdir().unwrap();
    let mut hosts = vec![host("a", Some("db-1")), host("b", None), host("c", None), host("d", None)];
    // What one of them lacks is not said of the other.
    hosts[2]["host"]["kvm"] = json!(false);
    lay_out(place.path(), &hosts);
    for letter in ["b", "c"] {
        let path = place.path().join("fleet").join(format!("{letter}.json"));
        let mut twin: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        twin["host"]["name"] = json!("twin");
        std::fs::write(&path, twin.to_string()).unwrap();
    }
    let matrix = document(&pvm(place.path(), "preflight --matrix fleet/ -o json"));
    let names: Vec<&Value> = matrix["hosts"].as_array().unwrap().iter().map(|host| &host["host"]).collect();
    assert_eq!(names, ["a", "fleet/b.json", "fleet/c.json", "d"]);
    assert_eq!(cell(&matrix, "db-1", "fleet/b.json").0, "compatible", "{matrix}");
    assert_eq!(cell(&matrix, "db-1", "fleet/c.json").1.as_deref(), Some("kvm-available"), "{matrix}");
    let text = String::from_utf8(pvm(place.path(), "preflight --matrix fleet/").stdout).unwrap();
    assert!(text.contains("fleet/b.json") && text.contains("fleet/c.json"), "{text}");
}

#[test]
fn the_page_has_every_guest_and_nothing_that_runs() {
    let place = tempfile::tempdir().unwrap();
    let mut hostile = host("cmp-a", Some("db-3"));
    hostile["domains"][0]["name"] = json!("db<b>1");
    lay_out(place.path(), &[hostile, host("cmp-b", None), host("cmp-c", Some("web-2"))]);
    std::fs::write(place.path().join("fleet/cmp-d.json"), "{}").unwrap();
    let page = |line: &str| {
        let output = pvm(place.path(), line);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(0), "{said}");
        (String::from_utf8(output.stdout).unwrap(), said)
    };
    let drain = "drain fleet/cmp-a.json --to fleet/cmp-b.json,fleet/cmp-d.json --dry-run -o html";
    for (line, named) in [("preflight --matrix ./fleet -o html", "web-2"), (drain, "0000:")] {
        let (text, said) = page(line);
        for part in ["<!DOCTYPE html>", "db&lt;b&gt;1", "cmp-b", "cmp-d", "</html>", named] {
            assert!(text.contains(part), "{line}: {part}: {text}");
        }
        assert!(text.len() < 100_000 && !text.contains("<b>") && !text.contains("<script"), "{text}");
        assert!(said.contains("Facts from files: the oldest of "), "{said}");
    }
    for (line, why) in [("preflight", "--matrix only"), ("drain", "--dry-run")] {
        let to = if line == "drain" { "--to " } else { "" };
        let refused = pvm(place.path(), &format!("{line} fleet/cmp-a.json {to}fleet/cmp-b.json -o html"));
        assert_eq!((refused.status.code(), refused.stdout.as_slice()), (Some(2), &b""[..]));
        assert!(String::from_utf8_lossy(&refused.stderr).contains(why), "{refused:?}");
    }
}
