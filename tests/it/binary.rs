//! The binary as it is shipped: it starts where libvirt is not installed, and says so where it needs it.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use crate::program::{self, PVM};

/// Pvm in the folder of this package's tests, with its state below `place`.
fn pvm(place: &Path) -> Command {
    let mut pvm = program::pvm(place);
    pvm.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests"));
    pvm
}

/// Runs pvm where the loader finds an empty file in libvirt's place.
fn without_libvirt(args: &[&str]) -> Output {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("libvirt.so.0"), "").unwrap();
    pvm(dir.path()).args(args).env("LD_LIBRARY_PATH", dir.path()).output().unwrap()
}

/// Names of the shared libraries that the loader must find before `main`, from a 64-bit ELF file.
fn needed(elf: &[u8]) -> Vec<String> {
    const PT_LOAD: u64 = 1;
    const PT_DYNAMIC: u64 = 2;
    const DT_NEEDED: u64 = 1;
    const DT_STRTAB: u64 = 5;
    let number =
        |at: usize, bytes: usize| elf[at..at + bytes].iter().rev().fold(0u64, |sum, byte| sum << 8 | u64::from(*byte));
    let at = |at: usize, bytes: usize| usize::try_from(number(at, bytes)).unwrap();
    assert_eq!(&elf[..5], b"\x7fELF\x02", "not a 64-bit ELF file");
    let (table, size, count) = (at(0x20, 8), at(0x36, 2), at(0x38, 2));
    let segments: Vec<usize> = (0..count).map(|i| table + i * size).collect();
    let in_file = |address: usize| {
        segments
            .iter()
            .filter(|s| number(**s, 4) == PT_LOAD)
            .find(|s| (at(**s + 16, 8)..at(**s + 16, 8) + at(**s + 32, 8)).contains(&address))
            .map(|s| address - at(*s + 16, 8) + at(*s + 8, 8))
            .unwrap()
    };
    let dynamic = *segments.iter().find(|s| number(**s, 4) == PT_DYNAMIC).unwrap();
    let entries: Vec<(u64, usize)> = (at(dynamic + 8, 8)..at(dynamic + 8, 8) + at(dynamic + 32, 8))
        .step_by(16)
        .map(|entry| (number(entry, 8), at(entry + 8, 8)))
        .collect();
    let names = in_file(entries.iter().find(|(tag, _)| *tag == DT_STRTAB).unwrap().1);
    entries
        .iter()
        .filter(|(tag, _)| *tag == DT_NEEDED)
        .map(|(_, offset)| {
            let name = &elf[names + offset..];
            String::from_utf8_lossy(&name[..name.iter().position(|b| *b == 0).unwrap()]).into_owned()
        })
        .collect()
}

#[test]
fn libvirt_is_not_linked() {
    let needed = needed(&fs::read(PVM).unwrap());
    assert!(needed.iter().any(|name| name.starts_with("libc.so")), "the list was not read: {needed:?}");
    assert!(!needed.iter().any(|name| name.contains("virt")), "a libvirt call has no forwarder: {needed:?}");
}

#[test]
fn what_needs_no_libvirt_works_without_it() {
    for (args, code) in [
        (&["--version"][..], 0),
        (&["check-config", "demo/nova.conf"], 1),
        (&["inventory"], 0),
        (&["inventory", "-o", "json"], 0),
        (&["preflight", "demo/lab-a.json", "demo/lab-b.json"], 0),
        (&["explain"], 0),
    ] {
        let output = without_libvirt(args);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        assert!(!output.stdout.is_empty(), "{args:?} printed nothing");
    }
}

#[cfg(feature = "libvirt")]
#[test]
fn migrate_says_in_one_sentence_that_libvirt_is_missing() {
    let output = without_libvirt(&["migrate", "guest", "qemu+tcp://192.0.2.1/system", "--yes"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("libvirt is not installed on this machine"), "{said}");
    assert_eq!(said.trim_end().lines().count(), 1, "{said}");
}

#[test]
fn a_full_disk_under_stdout_is_named_and_ends_with_3() {
    let dir = tempfile::tempdir().unwrap();
    for args in [
        &["--help"][..],
        &["explain"],
        &["check-config", "demo/nova.conf"],
        &["check-config", "demo/nova.conf", "--fix"],
        &["inventory", "demo/lab-a.json"],
        &["inventory", "demo/lab-a.json", "-o", "json"],
        &["inventory", "demo/lab-a.json", "-o", "yaml"],
        &["inventory", "demo/lab-a.json", "demo/lab-b.json", "-o", "prometheus"],
        &["preflight", "demo/lab-a.json", "demo/lab-b.json"],
        &["preflight", "demo/lab-a.json", "demo/lab-b.json", "-o", "json"],
        &["paths", "/"],
        &["storage", "/"],
    ] {
        let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let output = pvm(dir.path()).args(args).stdout(full).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(3), "{args:?}: {said}");
        assert!(said.contains("pvm: cannot write to stdout: No space left on device"), "{args:?}: {said}");
    }
}

/// Rust's runtime opens /dev/null in place of a closed stdout: what is printed there would be lost without a word.
#[test]
fn a_closed_stdout_is_told_and_ends_with_3() {
    let place = tempfile::tempdir().unwrap();
    for args in
        ["explain hooks", "explain", "--version", "--help", "inventory fixtures/pair/src.json -o json", "history"]
    {
        let mut shell = program::shell(place.path(), "exec \"$@\" >&-");
        shell.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests"));
        let output = shell.arg(PVM).args(args.split(' ')).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(3), "{args}: {stderr}");
        assert!(stderr.contains("pvm: cannot write to stdout: it is closed"), "{args}: {stderr}");
    }
    // /dev/null is a place to write to.
    let mut shell = program::shell(place.path(), "exec \"$@\" >/dev/null");
    assert_eq!(shell.arg(PVM).arg("explain").output().unwrap().status.code(), Some(0));
}

#[test]
fn a_reader_that_has_gone_away_is_no_error() {
    let dir = tempfile::tempdir().unwrap();
    for args in [&["explain"][..], &["inventory", "demo/lab-a.json", "-o", "json"], &["--help"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = pvm(dir.path()).args(args).stdout(writer).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{args:?}");
        assert_eq!(String::from_utf8(output.stderr).unwrap(), "", "{args:?}");
    }
}

#[test]
fn a_wrong_pvm_yaml_is_wrong_usage() {
    let dir = tempfile::tempdir().unwrap();
    let settings = dir.path().join("pvm.yaml");
    for wrong in ["hosts: {a: {libvrt: x}}", "host: {}", "- a"] {
        fs::write(&settings, wrong).unwrap();
        let mut pvm = pvm(dir.path());
        let output = pvm.arg("--config").arg(&settings).args(["inventory", "demo/lab-a.json"]).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains("pvm.yaml:1: "), "{said}");
        assert_eq!(said.trim_end().lines().count(), 1, "{said}");
    }
}

#[test]
fn a_command_offers_what_it_has_and_what_is_hidden_is_not_proposed() {
    let dir = tempfile::tempdir().unwrap();
    for (line, says, is_silent_of) in [
        ("migrate g b -o sarif", "table, json, yaml, ndjson", "compact"),
        ("-o sarif history", "history has no output sarif; it has table, json, yaml", "ndjson"),
        ("inventory -o github", "prometheus", "sarif"),
        ("evidenc", "unrecognized subcommand 'evidenc'", "'evidence'"),
        ("inventori", "'inventory'", "'evidence'"),
        ("migrate g b --unsafe", "leave --unsafe out", "as a value"),
        (
            "check-config demo/nova.conf --allow json-syntax",
            "json-syntax is an error, which cannot be left out",
            "Nova",
        ),
        ("explain frobnicated", "no page has that word", "did you mean"),
    ] {
        let output = pvm(dir.path()).args(line.split(' ')).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        let code = if line.starts_with("explain") { 3 } else { 2 };
        assert_eq!(output.status.code(), Some(code), "{line}: {said}");
        assert!(said.contains(says) && !said.contains(is_silent_of), "{line}: {said}");
    }
}
