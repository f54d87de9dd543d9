//! `pvm paths`, hidden: what another host's pvm asks this one for.

use clap::Args;

/// Print what is at paths of this host that a guest would need. Read-only.
#[derive(Debug, Args)]
pub(crate) struct Paths {
    /// Absolute paths
    #[arg(value_name = "PATH", required = true)]
    pub paths: Vec<String>,
}
