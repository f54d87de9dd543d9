//! Transcripts of `pvm check-config`: every finding shown once, and the corrected file passing.
//!
//! Each file of `tests/cmd/check-config` is one case: `=== NAME` begins a file's text, `$ pvm …` a command, below it its exit
//! code and what it prints. The first command of a case named like a finding must show it, the last must not and must end
//! well. `UPDATE=1 cargo test --test check_config` writes the outputs anew.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a test reads files and stops at the first surprise"
)]

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

struct Case {
    path: PathBuf,
    name: String,
    files: Vec<(String, String)>,
    runs: Vec<Run>,
}

struct Run {
    command: String,
    output: String,
}

fn cases() -> Vec<Case> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cmd/check-config");
    let mut paths: Vec<_> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|e| e == "case"));
    paths.sort();
    assert!(!paths.is_empty());
    paths.into_iter().map(read).collect()
}

fn read(path: PathBuf) -> Case {
    let text = fs::read_to_string(&path).unwrap();
    let name = path.file_stem().unwrap().to_string_lossy().into_owned();
    let mut case = Case { path, name, files: Vec::new(), runs: Vec::new() };
    for line in text.split_inclusive('\n') {
        if let Some(name) = line.strip_prefix("=== ") {
            case.files.push((name.trim_end().to_owned(), String::new()));
        } else if let Some(command) = line.strip_prefix("$ pvm ") {
            case.runs.push(Run { command: command.trim_end().to_owned(), output: String::new() });
        } else if let Some(run) = case.runs.last_mut() {
            run.output.push_str(line);
        } else {
            case.files.last_mut().unwrap().1.push_str(line);
        }
    }
    case
}

/// The exit code and everything printed.
fn play(dir: &Path, command: &str) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_pvm"))
        .args(command.split_whitespace())
        .current_dir(dir)
        .env("NO_COLOR", "1")
        .env_remove("LIBVIRT_DEFAULT_URI")
        .output()
        .unwrap();
    let mut text = format!("exit {}\n", output.status.code().unwrap());
    text.push_str(&String::from_utf8(output.stdout).unwrap());
    text.push_str(&String::from_utf8(output.stderr).unwrap());
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text
}

fn codes() -> Vec<&'static str> {
    let lints = pvm::nova::lints::LINTS.iter().map(|lint| lint.rule.code);
    pvm::nova::RULES.iter().flat_map(|list| list.iter()).map(|rule| rule.code).chain(lints).collect()
}

/// `\\xff` stands for that byte, which is no UTF-8.
fn bytes(text: &str) -> Vec<u8> {
    text.split("\\xff").map(str::as_bytes).collect::<Vec<_>>().join(&0xff)
}

#[test]
fn transcripts_are_as_written() {
    let mut wrong = String::new();
    for case in cases() {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in &case.files {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes(text)).unwrap();
        }
        let outputs: Vec<String> = case.runs.iter().map(|run| play(dir.path(), &run.command)).collect();
        if codes().contains(&case.name.as_str()) {
            let shown = format!("[{}]", case.name);
            let (first, last) = (&outputs[0], outputs.last().unwrap());
            assert!(case.runs.len() > 1, "{}: no corrected file", case.name);
            assert!(first.contains(&shown), "{} is not shown:\n{first}", case.name);
            assert!(!last.contains(&shown) && last.starts_with("exit 0\n"), "{} is still there:\n{last}", case.name);
        }
        if std::env::var_os("UPDATE").is_some() {
            let mut text = String::new();
            for (name, content) in &case.files {
                let _ = write!(text, "=== {name}\n{content}");
            }
            for (run, output) in case.runs.iter().zip(&outputs) {
                let _ = write!(text, "$ pvm {}\n{output}", run.command);
            }
            fs::write(&case.path, text).unwrap();
            continue;
        }
        for (run, output) in case.runs.iter().zip(&outputs) {
            if run.output != *output {
                let _ = writeln!(
                    wrong,
                    "{}: pvm {}\n--- written\n{}--- printed\n{output}",
                    case.name, run.command, run.output
                );
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn every_finding_has_a_transcript() {
    let named: Vec<String> = cases().into_iter().map(|case| case.name).collect();
    let missing: Vec<_> = codes().into_iter().filter(|code| !named.iter().any(|name| name == code)).collect();
    assert!(missing.is_empty(), "no case for {missing:?}");
}
