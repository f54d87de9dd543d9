//! The glue: gather facts, call the pure core, hand the result to `output`. No rules and no formatting here.

mod ask;
pub(crate) mod check_config;
mod cloud;
pub(crate) mod collect;
pub(crate) mod completion;
pub(crate) mod drain;
pub(crate) mod evidence;
pub(crate) mod explain;
pub(crate) mod history;
pub(crate) mod hosts;
pub(crate) mod inventory;
pub(crate) mod learned;
pub(crate) mod matrix;
mod metrics;
pub(crate) mod migrate;
mod past;
pub(crate) mod paths;
pub(crate) mod preflight;
pub(crate) mod reach;
pub(crate) mod recover;
mod stop;
pub(crate) mod storage;
pub(crate) mod verify;
pub(crate) mod way;

use std::ffi::OsString;
use std::io::{self, Write as _};

use clap::FromArgMatches as _;
use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::cli::{self, Cli, Command, Global, names};
use crate::facts::reference::check_uri;
use crate::model::format::{Color, Format};
use crate::model::outcome::Outcome;
use crate::output::stopped::Stopped;
use crate::output::{self, Printer};
use stop::OrStop;
pub(crate) use stop::Stop;

/// What every command gets.
#[derive(Debug, Clone)]
pub(crate) struct Context {
    /// The global options.
    pub global: Global,
    /// Where results and notes go.
    pub printer: Printer,
}

impl Context {
    /// libvirt of this machine. A URI that runs a program of its own choice is refused, whoever named it.
    pub(crate) fn local_uri(&self) -> Result<String, Stop> {
        #[expect(clippy::disallowed_methods, reason = "libvirt's own variable is part of the command line")]
        let named = || std::env::var("LIBVIRT_DEFAULT_URI").ok().filter(|uri| !uri.is_empty());
        let uri = self.global.connect.clone().or_else(named).unwrap_or_else(|| "qemu:///system".to_owned());
        check_uri(&uri).map_err(|e| Stop::refused(e.to_string()))?;
        Ok(uri)
    }
}

/// Runs pvm with these arguments.
pub fn main(args: impl IntoIterator<Item = OsString>) -> Outcome {
    let args: Vec<OsString> = args.into_iter().collect();
    if completion::answer(&args) {
        return Outcome::Fine;
    }
    let (args, renamed) = names::today(args);
    let mut definition = cli::command();
    let parsed = definition.try_get_matches_from_mut(&args).and_then(|matches| {
        let name = matches.subcommand_name().unwrap_or_default().to_owned();
        Ok((name, Cli::from_arg_matches(&matches).map_err(|e| e.format(&mut definition))?))
    });
    let (name, cli) = match parsed {
        Ok(cli) => cli,
        Err(mut e) => {
            keep_hidden(&mut e, &definition);
            if let Some(ContextValue::String(option)) = e.get(ContextKind::InvalidArg)
                && let Some(hint) = names::virsh_hint(option)
            {
                let hint = StyledStr::from(hint);
                e.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![hint]));
                e.remove(ContextKind::SuggestedArg);
            }
            let asked = matches!(e.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
            let printed = if asked { output::closed::stdout().and_then(|()| e.print()) } else { e.print() };
            return match printed {
                Err(error) if asked && error.kind() != io::ErrorKind::BrokenPipe => {
                    // Nothing is left to say where stderr cannot be written, either.
                    let _ = writeln!(io::stderr(), "pvm: cannot write to stdout: {error}");
                    Outcome::Unknown
                }
                // A reader that has gone away is not an error.
                Ok(()) | Err(_) => {
                    if asked {
                        Outcome::Fine
                    } else {
                        let text = e.to_string();
                        let message = text.split("\n\n").next().unwrap_or(&text).trim_start_matches("error: ");
                        let format = cli::asked_format(&args);
                        let stopped = Stopped::new(Outcome::Usage, message, None, &[]);
                        // It was said on stderr.
                        let _ = stopped.print(&Printer::new(format, Color::Never, 0, false));
                        Outcome::Usage
                    }
                }
            };
        }
    };
    let Global { output, color, verbose, quiet, .. } = cli.global;
    let printer = Printer::new(output, color, verbose, quiet);
    output::log::begin(&printer);
    let context = Context { global: cli.global, printer: printer.clone() };
    for note in renamed {
        printer.note(&format!("pvm: note: {note}"));
    }
    let ended = offered(output, &name).and_then(|()| run(&context, &cli.command));
    if may_change(&cli.command) {
        history::keep(&context);
    }
    match ended {
        Ok(outcome) => outcome,
        Err(stop) => {
            stop.tell(&printer, may_change(&cli.command));
            stop.outcome
        }
    }
}

/// Whether the command is one that changes something, so that it has to say when it did not.
fn may_change(command: &Command) -> bool {
    match command {
        Command::Migrate(args) => !args.dry_run,
        Command::Drain(args) => !args.dry_run,
        _ => matches!(command, Command::Recover(_)),
    }
}

/// What is hidden is not proposed for a word that resembles it.
fn keep_hidden(error: &mut clap::Error, definition: &clap::Command) {
    let hidden: Vec<&str> =
        definition.get_subcommands().filter(|command| command.is_hide_set()).map(clap::Command::get_name).collect();
    let Some(ContextValue::Strings(proposed)) = error.get(ContextKind::SuggestedSubcommand) else { return };
    let open: Vec<String> = proposed.iter().filter(|name| !hidden.contains(&name.as_str())).cloned().collect();
    if open.is_empty() {
        error.remove(ContextKind::SuggestedSubcommand);
    } else {
        error.insert(ContextKind::SuggestedSubcommand, ContextValue::Strings(open));
    }
}

/// A format may stand before the subcommand, which may not have it.
fn offered(format: Format, command: &str) -> Result<(), Stop> {
    let formats = cli::formats(command);
    if formats.contains(&format) {
        return Ok(());
    }
    let names: Vec<&str> = formats.iter().map(|format| format.name()).collect();
    Err(Stop::usage(format!("{command} has no output {}; it has {}", format.name(), names.join(", "))))
}

fn run(context: &Context, command: &Command) -> Result<Outcome, Stop> {
    let is_quiet = matches!(
        command,
        Command::Recover(_) | Command::Evidence(_) | Command::Storage(_) | Command::Paths(_) | Command::Reach(_)
    );
    if !is_quiet && context.global.root == std::path::Path::new("/") {
        recover::remind(&context.printer);
    }
    match command {
        Command::CheckConfig(args) => check_config::run(context, args),
        Command::Inventory(args) => inventory::run(context, args),
        Command::Preflight(args) => preflight::run(context, args),
        Command::Migrate(args) => migrate::run(context, args),
        Command::Drain(args) => drain::run(context, args),
        Command::Recover(args) => recover::run(context, args),
        Command::Verify(args) => verify::run(context, args),
        Command::History(args) => history::run(context, args),
        Command::Explain(args) => explain::run(context, args),
        Command::Evidence(args) => evidence::run(context, args),
        Command::Storage(args) => storage::run(context, args),
        Command::Paths(args) => paths::run(context, args),
        Command::Reach(args) => reach::run(context, args),
    }
}
