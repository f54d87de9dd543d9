//! Transcripts: the cases of `tests/cmd/*/*.case`, what they put into place, and the commands they show.
//!
//! A case is what it puts into place, then one or more times `$ pvm …` with the exit code and everything printed below it.
//! Two verbs put something into place, and a case may use both:
//!
//! - `=== NAME` begins a file; its text goes to the next such line or the first command. `\xff` stands for that byte.
//! - Lines before any file: `src PATH = JSON` and `dst PATH = JSON` change the pair of snapshots on which everything fits,
//!   which is there as `src.json` and `dst.json` where a command names it (`*` and `*type-VF` stand for every element,
//!   `text /old/ => /new/` edits a string, `delete` removes); `file NAME = TEXT` is a file of one line; `#` is a comment.
//!
//! `UPDATE=1` writes what the commands print into the cases: `UPDATE=1 cargo test --test it check_config::`. A new case that
//! shows no command is given `preflight src.json dst.json`.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::program;

/// Source and destination on which everything fits.
pub const PAIR: [&str; 2] = [include_str!("../fixtures/pair/src.json"), include_str!("../fixtures/pair/dst.json")];

/// The names of the pair's files.
const NAMES: [&str; 2] = ["src.json", "dst.json"];

/// A file of `tests/cmd`.
pub struct Case {
    path: PathBuf,
    pub name: String,
    /// Everything before the first command, as it is written.
    head: String,
    pub runs: Vec<Run>,
}

/// A command of a case, and what is written below it.
pub struct Run {
    pub command: String,
    output: String,
}

impl Case {
    /// The cases of `tests/cmd/FOLDER`.
    pub fn all(folder: &str) -> Vec<Self> {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cmd").join(folder);
        let mut paths: Vec<_> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.retain(|path| path.extension().is_some_and(|e| e == "case"));
        paths.sort();
        assert!(!paths.is_empty(), "no cases in {folder}");
        paths.into_iter().map(Self::read).collect()
    }

    fn read(path: PathBuf) -> Self {
        let text = fs::read_to_string(&path).unwrap();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let mut case = Self { path, name, head: String::new(), runs: Vec::new() };
        for line in text.split_inclusive('\n') {
            if let Some(command) = line.strip_prefix("$ pvm ") {
                case.runs.push(Run { command: command.trim_end().to_owned(), output: String::new() });
            } else {
                case.runs.last_mut().map_or(&mut case.head, |run| &mut run.output).push_str(line);
            }
        }
        if case.runs.is_empty() {
            // A new one, whose output UPDATE=1 records.
            case.runs.push(Run { command: format!("preflight {} {}", NAMES[0], NAMES[1]), output: String::new() });
        }
        case
    }

    /// Puts the files of the case into `dir`.
    pub fn lay_out(&self, dir: &Path) {
        let mut files: Vec<(&str, String)> = Vec::new();
        let mut edits = Vec::new();
        for line in self.head.split_inclusive('\n') {
            match (line.strip_prefix("=== "), files.last_mut()) {
                (Some(name), _) => files.push((name.trim_end(), String::new())),
                (None, Some((_, text))) => text.push_str(line),
                (None, None) => edits.push(line.trim_end()),
            }
        }
        let mut pair = PAIR.map(|text| serde_json::from_str::<Value>(text).unwrap());
        for line in edits.into_iter().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let (verb, edit) = line.split_once(' ').unwrap();
            let (path, value) = edit.split_once(" = ").unwrap_or_else(|| panic!("{}: {line}", self.name));
            let document = match verb {
                "file" => {
                    write(dir, path, value.as_bytes());
                    continue;
                }
                "src" => &mut pair[0],
                "dst" => &mut pair[1],
                _ => panic!("{}: {line}", self.name),
            };
            let steps: Vec<&str> = path.split('/').skip(1).collect();
            assert!(apply(document, &steps, value) > 0, "{}: nothing is at {path}", self.name);
        }
        for (name, text) in files {
            write(dir, name, &bytes(&text));
        }
        for (name, document) in NAMES.iter().zip(&pair) {
            if self.runs.iter().any(|run| run.command.contains(name)) {
                write(dir, name, document.to_string().as_bytes());
            }
        }
    }

    /// What each command prints, below its exit code.
    fn play(&self) -> Vec<String> {
        let dir = tempfile::tempdir().unwrap();
        self.lay_out(dir.path());
        let shown = |run: &Run| {
            let (exit, text) = printed(dir.path(), &run.command, &[]);
            format!("exit {exit}\n{text}{}", if text.is_empty() || text.ends_with('\n') { "" } else { "\n" })
        };
        self.runs.iter().map(shown).collect()
    }

    fn update(&self, outputs: &[String]) {
        let mut text = self.head.clone();
        for (run, output) in self.runs.iter().zip(outputs) {
            let _ = write!(text, "$ pvm {}\n{output}", run.command);
        }
        fs::write(&self.path, text).unwrap();
    }
}

/// The exit code of a command in `dir`, and everything it prints.
pub fn printed(dir: &Path, command: &str, more: &[&str]) -> (i32, String) {
    let mut pvm = program::pvm(dir);
    let output = pvm.args(command.split_whitespace()).args(more).env("NO_COLOR", "1").output().unwrap();
    (output.status.code().unwrap(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
}

/// Fails unless every command of every case of a folder prints what is written below it, and each case holds for `besides`.
pub fn print_what_is_written(folder: &str, besides: impl Fn(&Case, &[String])) {
    let mut wrong = String::new();
    for case in Case::all(folder) {
        let outputs = case.play();
        besides(&case, &outputs);
        if std::env::var_os("UPDATE").is_some() {
            case.update(&outputs);
            continue;
        }
        for (run, output) in case.runs.iter().zip(&outputs).filter(|(run, output)| run.output != **output) {
            let (name, command, written) = (&case.name, &run.command, &run.output);
            let _ = writeln!(wrong, "{name}: pvm {command}\n--- written\n{written}--- printed\n{output}");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

fn write(dir: &Path, name: &str, text: &[u8]) {
    let path = dir.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// `\\xff` stands for that byte, which is no UTF-8.
fn bytes(text: &str) -> Vec<u8> {
    text.split("\\xff").map(str::as_bytes).collect::<Vec<_>>().join(&0xff)
}

/// Sets what is at the path to a JSON value, or removes it (`delete`), or edits it as text. Returns how many there were.
fn apply(at: &mut Value, steps: &[&str], value: &str) -> usize {
    let [step, rest @ ..] = steps else {
        if let Some(edit) = value.strip_prefix("text ") {
            let (old, new) = edit.split_once(" => ").unwrap();
            let text = at.as_str().unwrap();
            let changed = text.replace(unquoted(old), unquoted(new));
            assert_ne!(text, changed, "{edit}");
            *at = changed.into();
        } else {
            *at = serde_json::from_str(value).unwrap_or_else(|e| panic!("{value}: {e}"));
        }
        return 1;
    };
    match at {
        Value::Array(list) => {
            let mut edited = 0;
            for (index, element) in list.iter_mut().enumerate() {
                let is = |key: &str, word: &str| element.get(key).and_then(Value::as_str) == Some(word);
                let named = ["address", "name"].iter().any(|key| is(key, step));
                let kind = step.strip_prefix('*').is_some_and(|kind| kind.is_empty() || is("dev_type", kind));
                if named || kind || step.parse() == Ok(index) {
                    edited += apply(element, rest, value);
                }
            }
            edited
        }
        Value::Object(map) if rest.is_empty() && value == "delete" => usize::from(map.remove(*step).is_some()),
        Value::Object(map) if *step == "*" => map.values_mut().map(|element| apply(element, rest, value)).sum(),
        Value::Object(map) => apply(map.entry(*step).or_insert(Value::Null), rest, value),
        _ => 0,
    }
}

/// `/text/` without its first and last character.
fn unquoted(text: &str) -> &str {
    text.strip_prefix('/').and_then(|text| text.strip_suffix('/')).unwrap_or(text)
}
