//! Inputs that somebody else wrote: every reader ends, soon and without a panic, whatever it is given; what has no end is
//! refused at once.

use std::fs;
use std::path::Path;
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use pvm::internals::facts::remote::file;

use super::program;
use readers::readers;

#[path = "../fuzz/readers.rs"]
mod readers;

/// Runs pvm here; it must end within a minute.
#[track_caller]
fn run(dir: &Path, args: &[&str]) -> Output {
    let mut child = program::pvm(dir)
        .args(args)
        .env("LIBVIRT_DEFAULT_URI", "qemu+unix:///system?socket=/nonexistent")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let limit = Instant::now() + Duration::from_secs(60);
    while child.try_wait().unwrap().is_none() {
        if Instant::now() > limit {
            child.kill().unwrap();
            panic!("pvm {args:?} does not end: {:?}", child.wait_with_output());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    child.wait_with_output().unwrap()
}

fn fifo(path: &Path) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
}

#[test]
fn fifos_and_devices_are_refused_at_once_wherever_a_file_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let at = |path: &str| dir.path().join(path);
    fs::write(at("nova.conf"), "[pci]\n").unwrap();
    fs::create_dir_all(at("root/sys/bus/pci/devices")).unwrap();
    fs::create_dir_all(at("root/proc")).unwrap();
    for path in ["fifo", "root/etc/nova/nova.conf", "confd/a.conf", "fifo.json", "state/migrations/a-1.ndjson"] {
        fifo(&at(path));
    }
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/pair/src.json");
    for (args, code) in [
        (&["check-config", "fifo"][..], 3),
        (&["check-config", "confd"], 3),
        (&["check-config", "/dev/zero"], 3),
        // The tree's configuration is there and cannot be read: a finding.
        (&["--root", "root", "inventory", "-o", "json"], 0),
        (&["--nova-config", "fifo", "--root", "root", "inventory"], 3),
        (&["--config", "fifo", "check-config", "nova.conf"], 3),
        (&["--config", "/dev/zero", "check-config", "nova.conf"], 3),
        (&["migrate", "--plan", "fifo", "g", "x"], 3),
        (&["migrate", "--plan", "/dev/zero", "g", "x"], 3),
        (&["preflight", "./fifo.json", "./fifo.json"], 1),
        (&["preflight", source, source, "--instance", "db-1", "--pci-requests", "fifo"], 3),
    ] {
        let said = run(dir.path(), args);
        assert_eq!(said.status.code(), Some(code), "pvm {args:?}: {said:?}");
        let text = String::from_utf8_lossy(&said.stderr).into_owned() + &String::from_utf8_lossy(&said.stdout);
        assert!(text.contains("not a regular file") || text.contains("nova-config-unreadable"), "pvm {args:?}: {text}");
    }
    // A journal that is none hinders no other command, and recovery names it.
    let listed = run(dir.path(), &["recover"]);
    assert!(String::from_utf8_lossy(&listed.stdout).contains("cannot read"), "{listed:?}");
}

#[test]
fn a_uri_that_runs_a_program_is_opened_by_nobody() {
    let dir = tempfile::tempdir().unwrap();
    for uri in ["qemu+ext:///system?command=./x", "qemu+ssh://h/system?command=./x", "qemu+ssh://h/system?netcat=./x"] {
        for command in [&["-c", uri, "inventory"][..], &["-c", uri, "recover"]] {
            let said = run(dir.path(), command);
            let text = String::from_utf8_lossy(&said.stderr);
            assert!(text.contains("is not one of"), "pvm {command:?}: {said:?}");
        }
    }
}

#[test]
fn a_snapshot_that_is_small_as_text_and_large_in_memory_is_refused() {
    for inner in [
        "\"bars\":[{},{},{},{},{},{},{},{}]",
        "\"vendor\":{\"a\":[[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[]]}",
    ] {
        let device = format!("{{\"address\":\"0000:01:00.0\",{inner}}},");
        let text = format!("{{\"schema\":\"pvm.inventory/1\",\"devices\":[{}{{}}]}}", device.repeat(32_000));
        let why = file::parse(text.as_bytes(), false, "x").unwrap_err().to_string();
        assert!(why.contains("more than"), "{why}");
    }
}

/// Numbers that are the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % n.max(1) as u64).unwrap()
    }

    /// The text with a few changes of the kinds that readers stumble over.
    fn mutate(&mut self, text: &[u8]) -> Vec<u8> {
        const TOKENS: &[&str] = &[
            "\"",
            "'",
            "{",
            "}",
            "[",
            "]",
            "\\u0000",
            "\\ud800",
            "\0",
            "\u{9b}",
            "\u{202e}",
            "\u{1b}[2J",
            "\n",
            "\r",
            "\t",
            "-1",
            "1e999",
            "18446744073709551616",
            "-9223372036854775808",
            "null",
            "[]",
            "{}",
            "$",
            "${",
            "\\",
            "*",
            "&x",
            "*x",
            "<<",
            ": ",
            "- ",
            "|",
            "!!binary",
            "ffff:ff:1f.7",
            "(a+)+$",
            "(?P<n>",
            "{1,99999}",
            "&amp;",
            "<!DOCTYPE",
            "<![CDATA[",
            "-->",
            "\u{feff}",
        ];
        let mut bytes = text.to_vec();
        for _ in 0..=self.below(6) {
            let (at, token) = (self.below(bytes.len()), TOKENS[self.below(TOKENS.len())].as_bytes());
            match self.below(6) {
                0 if !bytes.is_empty() => bytes[at] = u8::try_from(self.below(256)).unwrap(),
                1 => drop(bytes.splice(at..at, token.iter().copied())),
                2 => {
                    let end = (at + self.below(60)).min(bytes.len());
                    bytes.drain(at..end);
                }
                3 => {
                    let from = self.below(bytes.len());
                    let piece = bytes[from..(from + self.below(300)).min(bytes.len())].to_vec();
                    drop(bytes.splice(at..at, piece));
                }
                4 => {
                    let many = token.repeat([2, 50, 2000][self.below(3)]);
                    drop(bytes.splice(at..at, many));
                }
                _ => bytes.truncate(at),
            }
        }
        bytes
    }
}

#[test]
fn no_reader_panics_or_takes_long_over_what_somebody_changed() {
    const RUNS: usize = 150;
    for (name, text, read) in readers(Path::new(env!("CARGO_MANIFEST_DIR"))) {
        let mut dice = Dice(1);
        assert!(read(&text), "{name}: the text to begin with is not taken");
        let begun = Instant::now();
        for run in 0..RUNS {
            let changed = dice.mutate(&text);
            let started = Instant::now();
            read(&changed);
            assert!(started.elapsed() < Duration::from_secs(10), "{name}, run {run}: {:?}", started.elapsed());
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "{name}: {:?}", begun.elapsed());
    }
}
