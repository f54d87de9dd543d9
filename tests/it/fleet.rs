//! Several hosts by one word, and compressed snapshots.

use std::io::Write as _;
use std::path::Path;
use std::process::Output;

use serde_json::{Value, json};

use crate::cases::PAIR;
use crate::fleets::Fleet;
use crate::program;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn named(snapshot: &str, name: &str, uuid_ends: &str) -> Value {
    let mut host: Value = serde_json::from_str(snapshot).unwrap();
    host["host"]["name"] = json!(name);
    let uuid = host["host"]["uuid"].as_str().unwrap().to_owned();
    host["host"]["uuid"] = json!(format!("{}{uuid_ends}", &uuid[..uuid.len() - uuid_ends.len()]));
    host
}

/// The directory `fleet` with the source and two destinations, each packed another way.
fn lay_out(place: &Path) {
    let fleet = place.join("fleet");
    std::fs::create_dir(&fleet).unwrap();
    std::fs::write(fleet.join("a.json"), PAIR[0]).unwrap();
    std::fs::write(fleet.join("b.json.gz"), gzip(named(PAIR[1], "b", "b").to_string().as_bytes())).unwrap();
    let packed = ruzstd::encoding::compress_to_vec(
        named(PAIR[1], "c", "c").to_string().as_bytes(),
        ruzstd::encoding::CompressionLevel::Fastest,
    );
    std::fs::write(fleet.join("c.json.zst"), packed).unwrap();
}

fn pvm(place: &Path, line: &str) -> Output {
    program::pvm(place).args(line.split(' ')).output().unwrap()
}

fn document(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&output.stderr)))
}

#[test]
fn a_directory_and_a_group_stand_for_their_hosts() {
    let place = tempfile::tempdir().unwrap();
    lay_out(place.path());
    std::fs::write(
        place.path().join("pvm.yaml"),
        "hosts: {one: {facts: fleet/a.json}, two: {facts: fleet/b.json.gz}}\ngroups: {rack: [one, two]}\n",
    )
    .unwrap();
    let names = |line: &str, list: &str, name: &str| -> Vec<String> {
        let document = document(&pvm(place.path(), line));
        let names = document[list].as_array().unwrap_or_else(|| panic!("{document}")).iter();
        names.map(|entry| entry.pointer(name).unwrap().as_str().unwrap().to_owned()).collect()
    };
    let own: Value = serde_json::from_str(PAIR[0]).unwrap();
    let own = own["host"]["name"].as_str().unwrap();
    assert_eq!(names("inventory fleet/ -o json", "hosts", "/host/name"), [own, "b", "c"]);
    assert_eq!(names("--config pvm.yaml inventory rack -o json", "hosts", "/host/name"), [own, "b"]);
    // The host itself is in the directory, and no destination.
    assert_eq!(names("preflight fleet/a.json fleet/ -o json", "destinations", "/destination"), ["b", "c"]);
    assert_eq!(names("drain fleet/a.json --to fleet/ --dry-run -o json", "destinations", "/host"), ["b", "c"]);
    let one = document(&pvm(place.path(), "--config pvm.yaml preflight one rack -o json"));
    assert_eq!((&one["source"], &one["destination"]), (&json!("one"), &json!("two")), "the names of pvm.yaml");
    assert_eq!(names("preflight fleet/a.json fleet -o json", "destinations", "/destination"), ["b", "c"], "no slash");
}

#[test]
fn what_stands_for_no_host_is_refused() {
    let place = tempfile::tempdir().unwrap();
    lay_out(place.path());
    std::fs::create_dir(place.path().join("empty")).unwrap();
    std::fs::write(place.path().join("pvm.yaml"), "groups: {rack: [fleet/a.json]}\n").unwrap();
    std::fs::write(place.path().join("wrong.yaml"), "hosts: {a: {}}\n\ngroups: {rack: []}\n").unwrap();
    std::fs::write(place.path().join("bomb.json.gz"), gzip(&vec![b' '; 65 << 20])).unwrap();
    std::fs::write(
        place.path().join("cut.json.zst"),
        &std::fs::read(place.path().join("fleet/c.json.zst")).unwrap()[..99],
    )
    .unwrap();
    for (line, code, expected) in [
        ("inventory ./empty", 1, "has no snapshot"),
        ("inventory fleet/nosuch.json.gz", 3, "cannot read"),
        ("inventory bomb.json.gz", 1, "unpacked it is larger than 64 MiB"),
        ("inventory cut.json.zst", 1, "is not a snapshot"),
        ("--config pvm.yaml preflight rack fleet/b.json.gz", 1, "it is a group of hosts, and one host is wanted"),
        ("preflight ./fleet fleet/b.json.gz", 1, "it is a directory"),
        ("--config pvm.yaml preflight fleet/a.json rack", 2, "no destination other than"),
        ("--config wrong.yaml inventory fleet/a.json", 2, "wrong.yaml:3: group rack: it has no hosts"),
    ] {
        let output = pvm(place.path(), line);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{line}: {said}");
        assert!(said.contains(expected) && output.stdout.is_empty(), "{line}: {said}");
    }
}

/// As many VFs as two PFs of a ConnectX-7 have.
const FULL: Fleet = Fleet { seed: 1, vfs: 254, guests: 30 };

#[test]
fn a_compact_snapshot_is_small_and_loses_nothing() {
    let place = tempfile::tempdir().unwrap();
    let vfs = 508;
    std::fs::write(place.path().join("full.json"), serde_json::to_string(&FULL.host(1)).unwrap()).unwrap();
    let whole = pvm(place.path(), "inventory full.json -o json");
    let compact = pvm(place.path(), "inventory full.json -o compact");
    assert_eq!((whole.status.code(), compact.status.code()), (Some(0), Some(0)), "{compact:?}");
    let packed = gzip(&compact.stdout);
    let each = packed.len() / vfs;
    assert!(each <= 64, "{each} bytes a VF; {} written out", compact.stdout.len());
    std::fs::write(place.path().join("compact.json"), &compact.stdout).unwrap();
    std::fs::write(place.path().join("compact.json.gz"), &packed).unwrap();
    for name in ["compact.json", "compact.json.gz"] {
        let back = pvm(place.path(), &format!("inventory {name} -o json"));
        assert!(back.stdout == whole.stdout && !back.stdout.is_empty(), "{name}: {back:?}");
    }
}

#[test]
fn collecting_writes_each_host_that_answers() {
    use std::os::unix::fs::PermissionsExt as _;
    let place = tempfile::tempdir().unwrap();
    lay_out(place.path());
    let output = pvm(place.path(), "inventory fleet/ nosuch.json -o compact --into kept/today");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("cannot read nosuch.json") && said.contains("3 of 4 hosts are in kept/today"), "{said}");
    let kept = place.path().join("kept/today");
    let mut names: Vec<String> =
        std::fs::read_dir(&kept).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    let own: Value = serde_json::from_str(PAIR[0]).unwrap();
    let own = format!("{}.json.gz", own["host"]["name"].as_str().unwrap());
    assert_eq!(names, ["b.json.gz".to_owned(), "c.json.gz".to_owned(), own.clone()]);
    let mode = std::fs::metadata(kept.join("b.json.gz")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let (before, after) = (pvm(place.path(), "preflight fleet/a.json fleet/ -o json"), {
        pvm(place.path(), &format!("preflight kept/today/{own} kept/today/ -o json"))
    });
    assert_eq!(document(&before), document(&after));
    let lines = pvm(place.path(), "inventory fleet/ -o ndjson").stdout;
    let lines = String::from_utf8(lines).unwrap();
    let schemas: Vec<Value> =
        lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["schema"].clone()).collect();
    assert_eq!(schemas, vec![json!("pvm.inventory/1"); 3]);
    for (line, code) in [
        ("inventory fleet/ -o compact", 2),
        ("inventory fleet/ --into kept --wide", 2),
        ("inventory fleet/a.json --into fleet/a.json", 3),
    ] {
        assert_eq!(pvm(place.path(), line).status.code(), Some(code), "{line}");
    }
}
