//! `pvm check-config`.

use std::path::PathBuf;

use clap::Args;

/// Check `[pci] device_spec` and `alias` as Nova would, and every trap Nova accepts in silence.
#[derive(Debug, Args)]
pub struct CheckConfig {
    /// nova.conf, a directory of *.conf, or YAML; several behave like several --config-file [default: Nova's own search]
    #[arg(value_name = "PATH", value_hint = clap::ValueHint::AnyPath)]
    pub paths: Vec<PathBuf>,
    /// Let warnings count
    #[arg(long)]
    pub strict: bool,
}
