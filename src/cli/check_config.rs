//! `pvm check-config`.

use std::path::PathBuf;

use clap::Args;

/// Validate `[pci] device_spec` and `alias` exactly as Nova does, and warn about mistakes Nova silently accepts.
#[derive(Debug, Args)]
pub(crate) struct CheckConfig {
    /// nova.conf, a directory of *.conf, YAML, or - for standard input; several behave like several --config-file [default: Nova's own search]
    #[arg(value_name = "PATH", value_hint = clap::ValueHint::AnyPath)]
    pub paths: Vec<PathBuf>,
    /// Also check against the devices of this host
    #[arg(help_heading = "What", long, value_name = "HOST")]
    pub host: Option<String>,
    /// Show which device_spec matches a device of --host, and why the earlier ones do not
    #[arg(help_heading = "What", long, value_name = "ADDRESS", requires = "host")]
    pub trace: Vec<String>,
    /// Also check that another copy (controller, peer) agrees: a configuration or a host
    #[arg(help_heading = "What", long, value_name = "PATH|HOST")]
    pub compare: Option<String>,
    /// Show what a flavor with this would request, and which device_specs could serve it
    #[arg(help_heading = "What", long, value_name = "ALIAS:N,…")]
    pub request: Option<String>,
    /// Correct the files in place, only where that cannot change a meaning; the old file is kept as NAME.bak. Standard input is
    /// printed with its corrections
    #[arg(help_heading = "Corrections", long, conflicts_with = "diff")]
    pub fix: bool,
    /// Print these corrections as a patch of the whole file and write nothing: pvm check-config --diff | patch -p0
    #[arg(help_heading = "Corrections", long)]
    pub diff: bool,
    /// Leave out these findings; in a file the comment "# pvm: allow CODE" does so for the option below it
    #[arg(help_heading = "Safety", long, value_name = "CODE,…", value_delimiter = ',')]
    pub allow: Vec<String>,
    /// Treat warnings as errors
    #[arg(help_heading = "Safety", long)]
    pub strict: bool,
}
