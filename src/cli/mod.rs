//! The command line: clap types only. Man pages and completions are rendered from [`command`].

pub(crate) mod check_config;
pub(crate) mod drain;
pub(crate) mod evidence;
pub(crate) mod explain;
pub(crate) mod history;
pub(crate) mod inventory;
pub(crate) mod migrate;
pub(crate) mod names;
pub(crate) mod paths;
pub(crate) mod preflight;
pub(crate) mod reach;
pub(crate) mod recover;
pub(crate) mod storage;
pub(crate) mod verify;

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::LazyLock;

use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use clap::{ArgAction, Args, CommandFactory, Parser, Subcommand, ValueEnum as _};

use crate::model::format::{Color, Format};
use crate::model::known;
use crate::model::outcome::Outcome;

/// Live-migrate KVM guests that own SR-IOV virtual functions.
///
/// pvm validates configurations as Nova does, shows what devices can really do, predicts whether a guest can migrate and why
/// not, and migrates it.
#[derive(Debug, Parser)]
#[command(name = "pvm", version, long_version = long_version(), propagate_version = true, max_term_width = 100, after_help = exit_status())]
pub(crate) struct Cli {
    /// Options of every subcommand.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What support asks for first: the version, the commit it was built from, which `make` says, and the features.
fn long_version() -> &'static str {
    static TEXT: LazyLock<String> = LazyLock::new(|| {
        let commit = option_env!("PVM_COMMIT").unwrap_or("unknown");
        let libvirt = if cfg!(feature = "libvirt") { "libvirt, loaded when it is needed" } else { "without libvirt" };
        let openstack = if cfg!(feature = "openstack") { "openstack" } else { "without openstack" };
        format!(
            "{}\ncommit: {commit}\nfeatures: {libvirt}; {openstack}\nknowledge of drivers, ids, versions and faults: {}",
            env!("CARGO_PKG_VERSION"),
            known::AS_OF
        )
    });
    &TEXT
}

/// Options that stand before or after any subcommand.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// File-system root to read: DIR/sys, DIR/proc, DIR/etc/nova, DIR/lib/modules
    #[arg(long, global = true, value_name = "DIR", default_value = "/", value_hint = clap::ValueHint::DirPath)]
    pub root: PathBuf,
    /// How to print the result
    #[arg(short, long, global = true, value_name = "FORMAT", default_value = "table")]
    pub output: Format,
    /// When to colour
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub color: Color,
    /// pvm's own settings [default: /etc/pvm/pvm.yaml, not required]
    #[arg(long, global = true, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub config: Option<PathBuf>,
    /// Print passed checks and notes too, and the calls to libvirt, QEMU and other hosts with their times; -vv: also
    /// ssh's command lines
    #[arg(short, long, global = true, action = ArgAction::Count, conflicts_with = "quiet")]
    pub verbose: u8,
    /// Print only the result and errors
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// libvirt of the local host [default: LIBVIRT_DEFAULT_URI, else qemu:///system]
    #[arg(short, long, global = true, value_name = "URI")]
    pub connect: Option<String>,
    /// Cloud of clouds.yaml whose Nova owns guests [default: nova.cloud of pvm.yaml, OS_CLOUD, else OS_*]
    #[arg(long, global = true, value_name = "CLOUD")]
    pub os_cloud: Option<String>,
    /// Nova's configuration on the hosts, repeatable [default: Nova's own search]
    #[arg(long, global = true, value_name = "PATH", value_hint = clap::ValueHint::AnyPath)]
    pub nova_config: Vec<PathBuf>,
}

/// The subcommands.
#[allow(rustdoc::broken_intra_doc_links, reason = "help is read in a terminal, where [pci] is what it says")]
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Validate [pci] device_spec and alias exactly as Nova does, and warn about mistakes Nova silently accepts
    ///
    /// A YAML file has device_spec and alias at its top or under pci, each a list of mappings with the keys of Nova's JSON;
    /// plain values count as they are written. Lines outside the section pci and the options pvm knows are never shown: nova.conf
    /// holds passwords.
    CheckConfig(check_config::CheckConfig),
    /// Show devices: whether they are tagged live_migratable, which driver is bound, what probing found
    Inventory(inventory::Inventory),
    /// Check whether guests can migrate from SRC to DST, every reason if not, and which devices they get
    Preflight(preflight::Preflight),
    /// Migrate a running guest to DST
    Migrate(migrate::Migrate),
    /// Plan which guests can leave HOST together, to where and when, and why the others stay
    Drain(drain::Drain),
    /// Complete or roll back an interrupted migration
    Recover(recover::Recover),
    /// Check that the device state was loaded on the destination
    Verify(verify::Verify),
    /// List past migrations, with what each came to
    History(history::History),
    /// Explain a finding: what it means, how to check by hand, how to fix
    Explain(explain::Explain),
    /// Print what this host has written about a guest
    #[command(hide = true)]
    Evidence(evidence::Evidence),
    /// Print what this host knows of disk images
    #[command(hide = true)]
    Storage(storage::Storage),
    /// Print what is at paths of this host
    #[command(hide = true)]
    Paths(paths::Paths),
    /// Try how this host reaches another
    #[command(hide = true)]
    Reach(reach::Reach),
}

/// The whole definition, for man pages and completions, too. Each subcommand offers the formats that it has.
pub fn command() -> clap::Command {
    let root = Cli::command();
    let output = root.get_arguments().find(|arg| arg.get_id() == "output").cloned();
    root.mut_subcommands(|command| {
        let offered = formats(command.get_name());
        let values = offered.iter().filter_map(Format::to_possible_value);
        let parser = PossibleValuesParser::new(values).try_map(|name| Format::from_str(&name, true));
        match output.clone() {
            Some(output) => command.arg(output.value_parser(parser)),
            None => command,
        }
    })
}

/// The format that was asked for, when the command line as a whole cannot be read.
pub(crate) fn asked_format(args: &[OsString]) -> Format {
    let words: Vec<&str> =
        args.iter().map(|arg| arg.to_str().unwrap_or_default()).take_while(|arg| *arg != "--").collect();
    let asked = words.iter().enumerate().find_map(|(at, word)| match *word {
        "-o" | "--output" => words.get(at + 1).copied(),
        word => word.strip_prefix("--output=").or_else(|| word.strip_prefix("-o")),
    });
    let offered = words
        .iter()
        .find(|word| Cli::command().find_subcommand(word).is_some())
        .map_or(formats(""), |word| formats(word));
    let format = asked.and_then(|name| Format::from_str(name, true).ok()).filter(|format| offered.contains(format));
    format.unwrap_or(Format::Table)
}

/// The formats that a subcommand has.
pub(crate) fn formats(command: &str) -> &'static [Format] {
    use Format::{Compact, Github, Html, Json, Ndjson, Prometheus, Sarif, Table, Yaml};
    match command {
        "check-config" => &[Table, Json, Yaml, Sarif, Github],
        "inventory" => &[Table, Json, Yaml, Ndjson, Compact, Prometheus],
        "migrate" => &[Table, Json, Yaml, Ndjson],
        "drain" => &[Table, Json, Yaml, Ndjson, Html],
        "preflight" => &[Table, Json, Yaml, Html],
        _ => &[Table, Json, Yaml],
    }
}

/// The table of exit codes as help text.
pub(crate) fn exit_status() -> String {
    use std::fmt::Write as _;
    let mut text = String::from("Exit status:\n");
    for (outcome, meaning) in Outcome::ALL {
        let _ = writeln!(text, "  {:>3}  {meaning}", outcome.code());
    }
    text
}
