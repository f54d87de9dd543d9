//! Transcripts of `pvm check-config`: every finding shown once, and the corrected file passing. The files of
//! `tests/cmd/check-config` are read as [`cases`] says; the first command of a case that is named like a finding must show
//! it, the last must not and must end well.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::cases::{self, Case};
use crate::program;

fn codes() -> Vec<&'static str> {
    let lints = pvm::internals::nova::lints::LINTS.iter().map(|lint| lint.rule.code);
    pvm::internals::nova::RULES.iter().flat_map(|list| list.iter()).map(|rule| rule.code).chain(lints).collect()
}

#[test]
fn transcripts_are_as_written() {
    cases::print_what_is_written("check-config", |case, outputs| {
        if codes().contains(&case.name.as_str()) {
            let shown = format!("[{}]", case.name);
            let (first, last) = (&outputs[0], outputs.last().unwrap());
            assert!(case.runs.len() > 1, "{}: no corrected file", case.name);
            assert!(first.contains(&shown), "{} is not shown:\n{first}", case.name);
            assert!(!last.contains(&shown) && last.starts_with("exit 0\n"), "{} is still there:\n{last}", case.name);
        }
    });
}

/// What only a Placement tells: `make nova` plays them.
const PLAYED_WITH_NOVA: [&str; 2] = ["placement-allocation", "placement-differs"];

#[test]
fn every_finding_has_a_transcript() {
    let named: Vec<String> = Case::all("check-config").into_iter().map(|case| case.name).collect();
    let missing: Vec<_> = codes()
        .into_iter()
        .filter(|code| !PLAYED_WITH_NOVA.contains(code) && !named.iter().any(|name| name == code))
        .collect();
    assert!(missing.is_empty(), "no case for {missing:?}");
}

fn with_bytes(dir: &Path, args: &[&str], bytes: &[u8]) -> Output {
    let mut pvm = program::pvm(dir);
    let pvm = pvm.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = pvm.spawn().unwrap();
    child.stdin.take().unwrap().write_all(bytes).unwrap();
    child.wait_with_output().unwrap()
}

fn with_stdin(dir: &Path, args: &[&str], text: &str) -> (i32, String, String) {
    let output = with_bytes(dir, args, text.as_bytes());
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

const WRONG: &str = "[DEFAULT]\ntransport_url = rabbit://nova:s3cret@mq\n[pci]\n\
    device_spec = {'vendor_id': '15b3', 'product_id': '101e', 'live_migratable': 'yes', 'managed': 'no'}\n\
    [database]\nconnection = mysql://nova:s3cret@db\n";

#[test]
fn standard_input_is_a_file_like_others() {
    let dir = tempfile::tempdir().unwrap();
    let (code, out, _) = with_stdin(dir.path(), &["check-config", "-"], WRONG);
    assert_eq!(code, 1);
    assert!(out.contains(" --> -:4:") && !out.contains("s3cret"), "{out}");
    let (code, out, _) = with_stdin(dir.path(), &["check-config", "-", "--fix"], WRONG);
    assert_eq!((code, out), (0, WRONG.replace('\'', "\"")));
}

/// `--fix` writes the whole file, and `--diff` is a patch that makes the same of it without showing what is secret.
#[test]
fn the_patch_makes_what_the_correction_makes() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["fixed.conf", "patched.conf", "applied.conf"] {
        std::fs::write(dir.path().join(name), WRONG).unwrap();
    }
    let run = |args: &[&str]| program::pvm(dir.path()).args(args).output().unwrap();
    assert!(run(&["check-config", "fixed.conf", "--fix"]).status.success());
    let fixed = std::fs::read_to_string(dir.path().join("fixed.conf")).unwrap();
    assert_eq!(fixed, WRONG.replace('\'', "\""));
    assert_eq!(std::fs::read_to_string(dir.path().join("fixed.conf.bak")).unwrap(), WRONG);
    let mut tried = 0;
    for (name, program, args) in [
        ("patched.conf", "patch", &["-p0", "-i", "x.patch"][..]),
        ("applied.conf", "git", &["apply", "-p0", "--unidiff-zero", "x.patch"]),
    ] {
        let patch = run(&["check-config", name, "--diff"]).stdout;
        assert!(!String::from_utf8_lossy(&patch).contains("s3cret"));
        std::fs::write(dir.path().join("x.patch"), patch).unwrap();
        let Ok(done) = Command::new(program).args(args).current_dir(dir.path()).output() else { continue };
        assert!(done.status.success(), "{program}: {}", String::from_utf8_lossy(&done.stderr));
        assert_eq!(std::fs::read_to_string(dir.path().join(name)).unwrap(), fixed, "{program}");
        tried += 1;
    }
    assert!(tried > 0, "neither patch nor git is installed");
}

/// Files are looked at before one is written, each once, and a name that holds escapes does not reach the terminal as it is.
#[test]
fn either_all_files_are_corrected_or_none() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| std::fs::write(dir.path().join(name), bytes).unwrap();
    let read = |name: &str| std::fs::read(dir.path().join(name)).unwrap();
    let run = |args: &[&str]| {
        let output = program::pvm(dir.path()).args(args).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    };
    let not_utf8 = [WRONG.as_bytes(), b"# \xff\n"].concat();
    write("a.conf", WRONG.as_bytes());
    write("b.conf", &not_utf8);
    for args in [&["a.conf", "b.conf", "--fix"][..], &["b.conf", "--diff"], &["b.conf", "--fix"]] {
        let (code, out, err) = run(&[&["check-config"], args].concat());
        assert_eq!((code, out.as_str()), (1, ""), "{args:?}");
        assert!(err.contains("cannot correct b.conf: it is not UTF-8 text"), "{args:?}: {err}");
    }
    assert_eq!((read("a.conf"), read("b.conf")), (WRONG.as_bytes().to_vec(), not_utf8.clone()));
    let output = with_bytes(dir.path(), &["check-config", "-", "--fix"], &not_utf8);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0));

    std::os::unix::fs::symlink("a.conf", dir.path().join("link.conf")).unwrap();
    let (code, _, err) = run(&["check-config", "a.conf", "link.conf", "--fix"]);
    assert_eq!((code, err.matches("was corrected").count()), (0, 1), "{err}");
    assert_eq!(String::from_utf8(read("a.conf")).unwrap(), WRONG.replace('\'', "\""));

    let name = "x\u{1b}[31m.conf";
    write(name, WRONG.as_bytes());
    let (_, patch, _) = run(&["check-config", name, "--diff"]);
    let (code, _, err) = run(&["check-config", name, "--fix"]);
    assert!(code == 0 && !err.contains('\u{1b}') && !patch.contains('\u{1b}'), "{err}{patch}");
}
