//! `pvm check-config`.

use std::path::PathBuf;

use clap::Args;

/// Validate `[pci] device_spec` and `alias` exactly as Nova does, and warn about mistakes Nova silently accepts.
#[derive(Debug, Args)]
pub struct CheckConfig {
    /// nova.conf, a directory of *.conf, or YAML; several behave like several --config-file [default: Nova's own search]
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
    /// Print the file with every harmless correction made; writes nothing
    #[arg(help_heading = "Output", long)]
    pub fix: bool,
    /// Print these corrections as a diff
    #[arg(help_heading = "Output", long)]
    pub diff: bool,
    /// Treat warnings as errors
    #[arg(help_heading = "Safety", long)]
    pub strict: bool,
}
