//! What every fault test ends with: the check that the guest is whole on one host, and the row this adds to the table of
//! fault × phase × outcome. `tests/run` collects the rows of one run.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "shared by several tests; a test runs programs and stops at the first surprise"
)]

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::harness::{Life, TwoHosts};

/// A fault, and how pvm came through it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Row {
    /// The phase it struck in.
    pub phase: String,
    /// What was done.
    pub fault: String,
    /// Exit code of the command it struck; none: that pvm was killed.
    pub exit: Option<i32>,
    /// Exit code of `pvm recover`; none: it was not needed.
    pub recovered: Option<i32>,
    /// The host it was moved away from.
    pub from: String,
    /// Where the guest runs afterwards, whole.
    pub runs_on: String,
    /// The test.
    pub test: String,
}

impl Row {
    /// A fault, struck in a phase.
    pub fn of(fault: impl Into<String>, phase: &str) -> Self {
        let thread = std::thread::current();
        let test = thread.name().unwrap_or_default().rsplit("::").next().unwrap_or_default().to_owned();
        let (phase, fault, from) = (phase.into(), fault.into(), "a".into());
        Self { phase, fault, exit: None, recovered: None, from, runs_on: String::new(), test }
    }

    /// The host it was moved away from, when that is not a.
    #[must_use]
    pub fn from(self, host: &str) -> Self {
        Self { from: host.to_owned(), ..self }
    }

    /// The exit code of the command it struck.
    #[must_use]
    pub fn exit(self, exit: Option<i32>) -> Self {
        Self { exit, ..self }
    }

    /// The exit code of the recovery that ended it.
    #[must_use]
    pub fn recovered(self, exit: Option<i32>) -> Self {
        Self { recovered: exit, ..self }
    }
}

impl TwoHosts {
    /// Fails unless the guest `demo` runs on this host alone and goes on counting, and no mark, open journal or held lock is
    /// left on either host. Then the fault's row goes into the table.
    #[track_caller]
    pub fn survived(&self, fault: Row, runs_on: &str, before: &Life) -> Life {
        let life = self.whole(runs_on, before);
        let row = Row { runs_on: runs_on.to_owned(), ..fault };
        let mut text = serde_json::to_string(&row).unwrap();
        text.push('\n');
        if let Some(file) = file() {
            let mut file = fs::OpenOptions::new().append(true).create(true).open(file).unwrap();
            // One write: lines of tests that run at once do not mix.
            file.write_all(text.as_bytes()).unwrap();
        }
        life
    }

    /// The check of [`survived`](Self::survived).
    #[track_caller]
    pub fn whole(&self, runs_on: &str, before: &Life) -> Life {
        let other = if runs_on == "a" { "b" } else { "a" };
        assert_eq!(self.virsh(runs_on, &["domstate", "demo"]).trim(), "running");
        assert_eq!(self.virsh(other, &["list", "--all", "--name"]).trim(), "", "a second copy");
        assert!(!self.virsh(runs_on, &["dumpxml", "demo"]).contains("pvm:"), "a mark is left in the guest");
        for host in ["a", "b"] {
            let waiting = self.run(host, &["recover", "-o", "json"]).ends(0);
            let waiting: serde_json::Value = serde_json::from_str(&waiting.stdout).unwrap();
            assert_eq!(waiting["migrations"], serde_json::json!([]), "on host {host}");
            let locks = self.path(&format!("host-{host}/var/lib/pvm/locks"));
            for lock in fs::read_dir(locks).into_iter().flatten() {
                // A killed pvm leaves the file, which nobody holds.
                let lock = fs::File::open(lock.unwrap().path()).unwrap();
                assert!(lock.try_lock().is_ok(), "a lock is held on host {host}");
            }
        }
        self.life(runs_on, "demo", Some(before))
    }
}

/// Where `tests/run` collects the rows of one run, whichever programs it starts.
pub fn file() -> Option<PathBuf> {
    std::env::var_os("FAULT_ROWS").map(PathBuf::from)
}

/// The rows of this run, by phase.
pub fn rows() -> Vec<Row> {
    let file = file().expect("the rows are collected by `make faults`, which starts this last");
    let text = fs::read_to_string(file).unwrap_or_default();
    let mut rows: Vec<Row> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let phases =
        ["plan", "claim", "recheck", "detach", "perform", "switch-over", "verify", "attach", "cleanup", "done"];
    rows.sort_by_key(|row| (phases.iter().position(|phase| *phase == row.phase), row.clone()));
    rows
}

/// The table in Markdown.
pub fn markdown(rows: &[Row]) -> String {
    let code = |code: Option<i32>, none: &str| code.map_or(none.to_owned(), |code| format!("exit {code}"));
    let mut text = String::from("| phase | fault | pvm | recover | guest runs on |\n| --- | --- | --- | --- | --- |\n");
    for row in rows {
        let (exit, recovered) = (code(row.exit, "killed"), code(row.recovered, "not needed"));
        let place = if row.runs_on == row.from { "source" } else { "destination" };
        writeln!(text, "| {} | {} | {exit} | {recovered} | {place} |", row.phase, row.fault).unwrap();
    }
    text
}
