//! `pvm evidence`, hidden: what another host's pvm asks this one for.

use clap::Args;

use crate::model::time::Timestamp;

/// Print what QEMU and the kernel of this host have written about a guest. Read-only.
#[derive(Debug, Args)]
pub(crate) struct Evidence {
    /// The domain's name
    #[arg(value_name = "DOMAIN")]
    pub domain: String,
    /// From when on, like 2026-11-23T06:24:00Z
    #[arg(long, value_name = "TIME")]
    pub since: Timestamp,
}
