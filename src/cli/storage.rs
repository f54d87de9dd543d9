//! `pvm storage`, hidden: what another host's pvm asks this one for.

use clap::Args;

/// Print what this host knows of disk images. Read-only.
#[derive(Debug, Args)]
pub(crate) struct Storage {
    /// The images
    #[arg(value_name = "PATH", required = true)]
    pub paths: Vec<String>,
}
