//! The glue: gather facts, call the pure core, hand the result to `output`. No rules and no formatting here.

pub mod check_config;
pub mod evidence;
pub mod explain;
pub mod hosts;
pub mod inventory;
pub mod migrate;
pub mod paths;
pub mod preflight;
pub mod recover;
pub mod storage;
pub mod verify;
pub mod way;

use std::ffi::OsString;

use clap::Parser as _;
use clap::error::ErrorKind;

use crate::cli::{Cli, Command, Format, Global};
use crate::model::outcome::Outcome;
use crate::output::Printer;

/// What every command gets.
#[derive(Debug)]
pub struct Context {
    /// The global options.
    pub global: Global,
    /// Where results and notes go.
    pub printer: Printer,
}

impl Context {
    /// libvirt of this machine.
    pub fn local_uri(&self) -> String {
        #[expect(clippy::disallowed_methods, reason = "libvirt's own variable is part of the command line")]
        let named = || std::env::var("LIBVIRT_DEFAULT_URI").ok().filter(|uri| !uri.is_empty());
        self.global.connect.clone().or_else(named).unwrap_or_else(|| "qemu:///system".to_owned())
    }
}

/// An error with the outcome it leads to. Errors without one are [`Outcome::Unknown`]: pvm could not find out.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Stop {
    /// How the run ends.
    pub outcome: Outcome,
    /// One sentence with the object's name.
    pub message: String,
}

impl Stop {
    /// Wrong usage.
    pub fn usage(message: impl Into<String>) -> Self {
        Self { outcome: Outcome::Usage, message: message.into() }
    }

    /// A file that is not what it should be, or a deliberate refusal.
    pub fn refused(message: impl Into<String>) -> Self {
        Self { outcome: Outcome::Findings, message: message.into() }
    }

    /// Something that does not exist, cannot be read or cannot be reached.
    pub fn unknown(message: impl Into<String>) -> Self {
        Self { outcome: Outcome::Unknown, message: message.into() }
    }
}

/// Runs pvm with these arguments.
pub fn main(args: impl IntoIterator<Item = OsString>) -> Outcome {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(e) => {
            let asked = matches!(e.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
            // A reader that has gone away is not an error.
            let _ = e.print();
            return if asked { Outcome::Fine } else { Outcome::Usage };
        }
    };
    let printer = Printer::new(&cli.global);
    let context = Context { global: cli.global, printer: printer.clone() };
    match run(&context, &cli.command) {
        Ok(outcome) => outcome,
        Err(error) => {
            printer.complain(&format!("pvm: {}", crate::output::text::printable(&format!("{error:#}"))));
            error.downcast_ref::<Stop>().map_or(Outcome::Unknown, |stop| stop.outcome)
        }
    }
}

fn run(context: &Context, command: &Command) -> anyhow::Result<Outcome> {
    if context.global.output == Format::Ndjson && !matches!(command, Command::Migrate(_)) {
        return Err(Stop::usage("-o ndjson is for migrate only").into());
    }
    let is_recovery =
        matches!(command, Command::Recover(_) | Command::Evidence(_) | Command::Storage(_) | Command::Paths(_));
    if !is_recovery && context.global.root == std::path::Path::new("/") {
        recover::remind(&context.printer);
    }
    if context.global.output == Format::Prometheus && !matches!(command, Command::Inventory(_)) {
        return Err(Stop::usage("-o prometheus is for inventory only").into());
    }
    match command {
        Command::CheckConfig(args) => check_config::run(context, args),
        Command::Inventory(args) => inventory::run(context, args),
        Command::Preflight(args) => preflight::run(context, args),
        Command::Migrate(args) => migrate::run(context, args),
        Command::Recover(args) => recover::run(context, args),
        Command::Verify(args) => verify::run(context, args),
        Command::Explain(args) => explain::run(context, args),
        Command::Evidence(args) => evidence::run(context, args),
        Command::Storage(args) => storage::run(context, args),
        Command::Paths(args) => paths::run(context, args),
    }
}
