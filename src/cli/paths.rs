//! `pvm paths`, hidden: what another host's pvm asks this one for.

use clap::Args;

/// Print what is at paths of this host that a guest would need, and which servers it reaches. Changes nothing.
#[derive(Debug, Args)]
pub(crate) struct Paths {
    /// Absolute paths
    #[arg(value_name = "PATH", required = true)]
    pub paths: Vec<String>,

    /// Servers that a guest's disks and devices connect to; repeatable
    #[arg(long, value_name = "HOST:PORT")]
    pub server: Vec<String>,
}
