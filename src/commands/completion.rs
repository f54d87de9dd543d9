//! Completion of what is typed: a shell asks pvm, with the variable `COMPLETE` set. Files are read; only for the guests of another
//! host is its daemon asked, for a moment and without a question to whoever types.

#![expect(clippy::disallowed_methods, reason = "names of running guests are names of files")]

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

use clap::{Arg, Command};
use clap_complete::engine::{ArgValueCompleter, CompletionCandidate, PathCompleter, ValueCompleter as _};
use clap_complete::env::CompleteEnv;

use super::explain;
use crate::cli;
use crate::facts::HostRef;
use crate::facts::remote::file;
use crate::facts::settings::Settings;
use crate::journal::{Store, state_directory};
use crate::libvirt;
use crate::output::text::is_dangerous;

/// Where libvirt's QEMU driver keeps the state of each running guest, in a file of its name.
const RUNNING: &str = "/run/libvirt/qemu";

/// More guests than a host runs: completion reads no further in a directory that somebody else may have filled.
const MOST: usize = 10_000;

/// How long whoever types waits for the guests of another host.
const PATIENCE: Duration = Duration::from_secs(2);

/// Answers a shell that asks for completions. `false`: none asked.
pub(crate) fn answer(args: &[OsString]) -> bool {
    let host = source(args);
    CompleteEnv::with_factory(|| command(host.as_deref())).try_complete(args.iter().cloned(), None).unwrap_or(true)
}

/// The command line with a source of values for each argument whose value has a name that pvm can look up. Guests are those of
/// `host`; none: of this machine.
fn command(host: Option<&str>) -> Command {
    cli::command().mut_subcommands(|command| command.mut_args(|arg| with_values(arg, host)))
}

/// The host whose guests are meant: the one that an option of the line names, else the first argument of a subcommand that
/// begins with it.
fn source(args: &[OsString]) -> Option<String> {
    let words: Vec<&str> = args.iter().skip_while(|arg| *arg != "--").skip(2).filter_map(|arg| arg.to_str()).collect();
    let (_, before) = words.split_last()?;
    let option = before.iter().enumerate().find_map(|(at, word)| {
        let (name, inside) = word.split_once('=').map_or((*word, None), |(name, value)| (name, Some(value)));
        let is_host = ["--from", "--host"].contains(&name);
        is_host.then(|| inside.or_else(|| before.get(at + 1).copied())).flatten()
    });
    let begins_with_it = before.iter().position(|word| ["preflight", "drain"].contains(word));
    let first = begins_with_it.and_then(|at| before.get(at + 1)).copied().filter(|word| !word.starts_with('-'));
    option.or(first).map(str::to_owned)
}

fn with_values(arg: Arg, host: Option<&str>) -> Arg {
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
    let host = host.map(str::to_owned);
    let values = move |typed: &OsStr| kinds.iter().flat_map(|kind| kind.values(typed, host.as_deref())).collect();
    arg.add(ArgValueCompleter::new(values))
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
            "INSTANCE" | "GUEST" => Some(Self::Guest),
            // Elsewhere a name of something else.
            "NAME" => matches!(arg, "instance" | "only" | "except").then_some(Self::Guest),
            "HOST" | "SRC" | "DST" | "GROUP" => Some(Self::Host),
            "CODE" => Some(Self::Code),
            "ID" => Some(Self::Migration),
            "PATH" | "FILE" | "DIR" => Some(Self::File),
            _ => None,
        }
    }

    fn values(self, typed: &OsStr, host: Option<&str>) -> Vec<CompletionCandidate> {
        let names: Vec<(String, Option<String>)> = match self {
            Self::Guest => guests_of(host).into_iter().map(|name| (name, None)).collect(),
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

/// The running guests of a host.
fn guests_of(host: Option<&str>) -> Vec<String> {
    let Some(host) = host else { return guests(Path::new(RUNNING)) };
    let settings = Settings::load(None).unwrap_or_default();
    match HostRef::parse(host, &settings) {
        Ok(HostRef::Local) => guests(Path::new(RUNNING)),
        Ok(HostRef::Snapshot(path)) => {
            let domains = file::load(&path).map(|snapshot| snapshot.domains).unwrap_or_default();
            domains
                .into_iter()
                .filter(|domain| ["running", "paused"].contains(&&*domain.state))
                .map(|domain| domain.name)
                .collect()
        }
        Ok(host) => host.libvirt_uri("").map(asked).unwrap_or_default(),
        Err(_) => Vec::new(),
    }
}

/// The running guests that a daemon names in time.
fn asked(mut uri: String) -> Vec<String> {
    // ssh would ask for a password in the middle of the line that is typed.
    if uri.contains("ssh://") {
        uri += if uri.contains('?') { "&no_tty=1" } else { "?no_tty=1" };
    }
    let (done, answer) = mpsc::channel();
    std::thread::spawn(move || {
        let domains = libvirt::open(&uri).and_then(|daemon| daemon.domains()).unwrap_or_default();
        let running = domains.into_iter().filter(|domain| domain.id.is_some()).map(|domain| domain.name);
        // Nobody listens any more after the time is over.
        let _ = done.send(running.collect());
    });
    let mut names: Vec<String> = answer.recv_timeout(PATIENCE).unwrap_or_default();
    names.sort();
    names
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
        let args: Vec<OsString> = line.iter().map(OsString::from).collect();
        let asked: Vec<OsString> = ["pvm", "--"].map(OsString::from).into_iter().chain(args.clone()).collect();
        let mut command = command(source(&asked).as_deref());
        let found = clap_complete::engine::complete(&mut command, args, line.len() - 1, None).unwrap();
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
    fn guests_are_those_of_the_host_that_the_line_names() {
        const SAVED: &str = "tests/fixtures/pair/src.json";
        for line in [
            &["pvm", "migrate", "--from", SAVED, "d"][..],
            &["pvm", "migrate", "--from=tests/fixtures/pair/src.json", "d"],
            &["pvm", "preflight", SAVED, "x", "--instance", "db"],
            &["pvm", "drain", SAVED, "--only", ""],
            &["pvm", "verify", "--host", SAVED, "d"],
        ] {
            assert_eq!(offered(line), ["db-1"], "{line:?}");
        }
        assert_eq!(offered(&["pvm", "migrate", "--from", "tests/fixtures/none.json", "d"]), [] as [&str; 0]);
        let daemon: &[&str] = if cfg!(feature = "libvirt") { &["test"] } else { &[] };
        assert_eq!(asked("test:///default".into()), daemon);
        assert_eq!(asked("qemu+tcp://127.0.0.1:1/system".into()), [] as [&str; 0]);
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
