//! `pvm inventory`.

use clap::Args;

/// Show devices: what is declared, which driver is bound, what the device answers.
#[derive(Debug, Args)]
pub struct Inventory {
    /// Hosts: local, a snapshot file, a libvirt URI, a name from pvm.yaml, or a host name
    #[arg(value_name = "HOST", default_value = "local")]
    pub hosts: Vec<String>,
    /// Also devices that no spec matches
    #[arg(long)]
    pub all: bool,
    /// Let warnings count
    #[arg(long)]
    pub strict: bool,
}
