//! Completion of what is typed: a shell asks pvm, with the variable `COMPLETE` set. Only files are read; no daemon is asked.

#![expect(clippy::disallowed_methods, reason = "names of running guests are names of files")]

use std::ffi::{OsStr, OsString};
use std::path::Path;

use clap::{Arg, Command};
use clap_complete::engine::{ArgValueCompleter, CompletionCandidate, PathCompleter, ValueCompleter as _};
use clap_complete::env::CompleteEnv;

use super::explain;
use crate::cli;
use crate::facts::settings::Settings;
use crate::journal::{Store, state_directory};
use crate::output::text::is_dangerous;

/// Where libvirt's QEMU driver keeps the state of each running guest, in a file of its name.
const RUNNING: &str = "/run/libvirt/qemu";

/// More guests than a host runs: completion reads no further in a directory that somebody else may have filled.
const MOST: usize = 10_000;

/// Answers a shell that asks for completions. `false`: none asked.
pub(crate) fn answer(args: &[OsString]) -> bool {
    CompleteEnv::with_factory(command).try_complete(args.iter().cloned(), None).unwrap_or(true)
}

/// The command line with a source of values for each argument whose value has a name that pvm can look up.
pub(crate) fn command() -> Command {
    cli::command().mut_subcommands(|command| command.mut_args(with_values))
}

fn with_values(arg: Arg) -> Arg {
    let names = arg.get_value_names().unwrap_or_default();
    let words: Vec<&str> = names
        .iter()
        .flat_map(|name| name.split(|c: char| !c.is_ascii_uppercase()))
        .filter(|word| !word.is_empty())
        .collect();
    let kinds: Vec<Kind> = words.iter().filter_map(|word| Kind::of(word, arg.get_id().as_str())).collect();
    if kinds.is_empty() {
        return arg;
    }
    arg.add(ArgValueCompleter::new(move |typed: &OsStr| kinds.iter().flat_map(|kind| kind.values(typed)).collect()))
}

/// What a value names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Guest,
    Host,
    Code,
    Migration,
    /// A file or directory besides.
    File,
}

impl Kind {
    fn of(word: &str, arg: &str) -> Option<Self> {
        match word {
            "INSTANCE" | "GUEST" | "G" => Some(Self::Guest),
            // Elsewhere a name of something else.
            "NAME" => (arg == "instance").then_some(Self::Guest),
            "HOST" | "SRC" | "DST" | "GROUP" => Some(Self::Host),
            "CODE" => Some(Self::Code),
            "ID" => Some(Self::Migration),
            "PATH" | "FILE" | "DIR" => Some(Self::File),
            _ => None,
        }
    }

    fn values(self, typed: &OsStr) -> Vec<CompletionCandidate> {
        let names: Vec<(String, Option<String>)> = match self {
            Self::Guest => guests(Path::new(RUNNING)).into_iter().map(|name| (name, None)).collect(),
            Self::Host => hosts().into_iter().map(|name| (name, None)).collect(),
            Self::Code => explain::rules().iter().map(|rule| (rule.code.to_owned(), Some(rule.summary()))).collect(),
            Self::Migration => migrations(),
            Self::File => Vec::new(),
        };
        let typed_text = typed.to_string_lossy();
        let fits = |name: &str| name.starts_with(&*typed_text) && !name.chars().any(is_dangerous);
        let mut values: Vec<CompletionCandidate> = names
            .into_iter()
            .filter(|(name, _)| fits(name))
            .map(|(name, help)| CompletionCandidate::new(name).help(help.map(Into::into)))
            .collect();
        match self {
            Self::File => values.extend(PathCompleter::any().complete(typed)),
            Self::Host => values.extend(PathCompleter::any().filter(is_snapshot).complete(typed)),
            Self::Guest | Self::Code | Self::Migration => {}
        }
        values
    }
}

fn is_snapshot(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let name = name.trim_end_matches(".gz").trim_end_matches(".zst");
    path.is_dir() || [".json", ".yaml"].iter().any(|end| name.ends_with(end))
}

fn guests(directory: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(directory) else { return Vec::new() };
    let names = entries.take(MOST).flatten().filter_map(|entry| entry.file_name().into_string().ok());
    let mut names: Vec<String> = names.filter_map(|name| name.strip_suffix(".xml").map(str::to_owned)).collect();
    names.sort();
    names
}

fn hosts() -> Vec<String> {
    // A file that is wrong is told by the command itself.
    let settings = Settings::load(None).unwrap_or_default();
    let names = settings.hosts.into_keys().chain(settings.groups.into_keys());
    std::iter::once("local".to_owned()).chain(names).collect()
}

/// Unfinished migrations, each with its guest.
fn migrations() -> Vec<(String, Option<String>)> {
    let listed = state_directory().ok().and_then(|directory| Store::at(&directory).list().ok()).unwrap_or_default();
    let open = listed.into_iter().filter(|journal| !journal.is_closed());
    open.map(|journal| {
        let guest = journal.state().map(|state| state.plan.instance.name.clone());
        (journal.id, guest)
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offered(line: &[&str]) -> Vec<String> {
        let args = line.iter().map(OsString::from).collect();
        let found = clap_complete::engine::complete(&mut command(), args, line.len() - 1, None).unwrap();
        found.iter().map(|found| found.get_value().to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn what_is_typed_is_offered() {
        assert_eq!(offered(&["pvm", "explain", "clock-s"]), ["clock-skew"]);
        assert_eq!(offered(&["pvm", "migrate", "x", "loca"]), ["local"]);
        assert_eq!(offered(&["pvm", "migrate", "x", "y", "--allow", "clock-skew,pf-mt"]), ["clock-skew,pf-mtu"]);
        assert_eq!(offered(&["pvm", "inventory", "Cargo.to"]), [] as [&str; 0]);
        assert_eq!(offered(&["pvm", "check-config", "Cargo.to"]), ["Cargo.toml"]);
        assert_eq!(
            offered(&["pvm", "preflight", "tests/demo/lab-"]),
            ["tests/demo/lab-a.json", "tests/demo/lab-b.json"]
        );
    }

    #[test]
    fn hidden_commands_stay_hidden() {
        let commands = offered(&["pvm", ""]);
        assert!(commands.contains(&"migrate".to_owned()), "{commands:?}");
        for command in cli::command().get_subcommands().filter(|command| command.is_hide_set()) {
            assert!(!commands.contains(&command.get_name().to_owned()), "{}", command.get_name());
        }
    }

    #[test]
    fn running_guests_are_libvirts_files() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["web1.xml", "db.7.xml", "web1.pid"] {
            std::fs::write(dir.path().join(name), "").unwrap();
        }
        assert_eq!(guests(dir.path()), ["db.7", "web1"]);
        assert_eq!(guests(&dir.path().join("none")), [] as [&str; 0]);
    }
}
