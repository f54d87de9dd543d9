//! `pvm reach`, hidden: what another host's pvm asks this one for.

use clap::Args;

/// Try how this host reaches another, or wait until another reaches it. Changes nothing.
#[derive(Debug, Args)]
pub(crate) struct Reach {
    /// Open this libvirt URI
    #[arg(long, value_name = "URI")]
    pub libvirt: Option<String>,

    /// Look up this host name
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,

    /// Connect to this port of it
    #[arg(long, value_name = "PORT", requires = "name")]
    pub data_port: Option<u16>,

    /// Listen on this port until somebody comes with the token
    #[arg(long, value_name = "PORT", conflicts_with_all = ["libvirt", "name", "data_port"])]
    pub listen: Option<u16>,

    /// Listen at this address
    #[arg(long, value_name = "ADDRESS", requires = "listen")]
    pub at: Option<String>,

    /// What tells the one from the other who comes
    #[arg(long, value_name = "WORD", default_value = "")]
    pub token: String,
}
