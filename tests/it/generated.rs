//! `man/` and `completions/` are rendered from the command line's definition and the texts in `man/text`, and committed.
//! `UPDATE=1 cargo test --test it generated::` writes them anew, and what the examples of the manual print.

mod manual;
mod roff;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use clap_complete::env::{Bash, EnvCompleter, Fish, Zsh};

use crate::program;

/// The scripts that have each shell ask pvm for what can be typed.
fn completions(files: &mut BTreeMap<String, String>) {
    let shells: [(&dyn EnvCompleter, &str); 3] = [(&Bash, "pvm.bash"), (&Zsh, "_pvm"), (&Fish, "pvm.fish")];
    for (shell, name) in shells {
        let mut script = Vec::new();
        shell.write_registration("COMPLETE", "pvm", "pvm", "pvm", &mut script).unwrap();
        let mut script = String::from_utf8(script).unwrap();
        if name == "_pvm" {
            // zsh loads the file when the first completion is asked for, which is then answered, too.
            script += "if [[ ${funcstack[1]} == _pvm ]]; then _clap_dynamic_completer_pvm \"$@\"; fi\n";
        }
        files.insert(format!("completions/{name}"), script);
    }
}

#[test]
fn man_pages_and_completions_match_the_command_line() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = manual::pages();
    completions(&mut files);
    if std::env::var_os("UPDATE").is_some() {
        for (name, text) in &files {
            let path = root.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
    }
    let mut stale: Vec<&str> = files
        .iter()
        .filter(|(name, text)| fs::read_to_string(root.join(name)).ok().as_ref() != Some(text))
        .map(|(name, _)| name.as_str())
        .collect();
    let committed: Vec<String> = ["man", "completions"]
        .iter()
        .flat_map(|dir| fs::read_dir(root.join(dir)).into_iter().flatten().map(move |e| (dir, e.unwrap())))
        .filter(|(_, entry)| entry.file_type().unwrap().is_file())
        .map(|(dir, entry)| format!("{dir}/{}", entry.file_name().to_string_lossy()))
        .collect();
    stale.extend(committed.iter().filter(|name| !files.contains_key(*name)).map(String::as_str));
    assert!(stale.is_empty(), "not as rendered from the command line (UPDATE=1 writes them): {stale:?}");
}

/// A page without examples or without its exit codes is not found to be one by its reader.
#[test]
fn every_command_has_a_page_with_every_section() {
    let pages = manual::pages();
    let root = manual::definition();
    let mut count = 0;
    for name in manual::visible(&root).map(|command| format!("pvm-{}", command.get_name())).chain(["pvm".to_owned()]) {
        let page = &pages[&format!("man/{name}.8")];
        let headings: Vec<&str> = page.lines().filter_map(|line| line.strip_prefix(".SH ")).collect();
        let found: Vec<&str> = headings.iter().copied().filter(|heading| manual::SECTIONS.contains(heading)).collect();
        assert_eq!(found, manual::SECTIONS, "{name}");
        count += 1;
    }
    assert!(count > 7);
    let findings = &pages["man/pvm-findings.7"];
    for rule in pvm::internals::commands::explain::rules() {
        assert!(findings.contains(&format!(".SS {} (", roff::escape(rule.code))), "{}", rule.code);
    }
}

/// What the examples of the manual print is what pvm prints: the blocks `console` of `man/text` are run where the files of
/// the demo are. Blocks `sh` need hosts: their commands are parsed.
#[test]
fn examples_of_the_manual() {
    let place = tempfile::tempdir().unwrap();
    let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/demo");
    let pvm = place.path().join("pvm");
    let start = format!(
        "#!/bin/sh\nset -e\nplace=$(mktemp -d -p '{}')\ncp '{}'/* \"$place\"\ncd \"$place\"\nexec '{}' \"$@\"\n",
        place.path().display(),
        demo.display(),
        program::PVM
    );
    program::executable(&pvm, &start);
    let transcripts = trycmd::TestCases::new();
    transcripts.env("STATE_DIRECTORY", place.path().join("state").to_string_lossy());
    transcripts.register_bin("pvm", pvm.as_path()).case(manual::texts().join("*.md").to_str().unwrap());
    transcripts.case(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md").to_str().unwrap());
}

#[test]
fn every_command_line_in_the_texts_is_understood() {
    let mut files: Vec<_> = fs::read_dir(manual::texts()).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.push(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md"));
    let mut count = 0;
    for path in files {
        let text = fs::read_to_string(&path).unwrap();
        let mut is_shell = false;
        for line in text.lines().map(str::trim_start) {
            if let Some(language) = line.strip_prefix("```") {
                is_shell = ["sh", "console"].contains(&language);
            }
            let line = line.trim_start_matches("$ ");
            let Some(command) = line.strip_prefix("pvm ").filter(|_| is_shell) else { continue };
            // What a shell takes for itself is no argument.
            let words = command
                .split(" #")
                .next()
                .unwrap()
                .split_whitespace()
                .take_while(|word| !word.starts_with(['>', '&', ';', '|', '#']));
            let words: Vec<&str> = std::iter::once("pvm").chain(words.map(|word| word.trim_matches('\''))).collect();
            if let Err(e) = pvm::internals::cli::command().try_get_matches_from(&words) {
                assert!(!e.use_stderr(), "{}: {line}: {e}", path.display());
            }
            count += 1;
        }
    }
    assert!(count > 30, "{count}");
}

/// What a packager's lint would say of the pages.
#[test]
fn pages_are_clean() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let run = |program: &str, args: &[&str], page: &str| {
        Command::new(program).args(args).arg(page).current_dir(root).stdin(Stdio::null()).output()
    };
    for page in manual::pages().keys() {
        let output = run("mandoc", &["-T", "lint", "-W", "warning"], page)
            .or_else(|_| run("groff", &["-k", "-ww", "-man", "-Tutf8", "-z"], page))
            .expect("mandoc or groff reads the pages: install one of them");
        let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.is_empty(), "{page}: {said}");
    }
}
