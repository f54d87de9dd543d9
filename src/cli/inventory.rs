//! `pvm inventory`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::model::pci::PciAddress;

/// Show devices: whether they are tagged live_migratable, which driver is bound, what probing found.
#[derive(Debug, Args)]
pub(crate) struct Inventory {
    /// Hosts: local, a snapshot file, a libvirt URI, a name from pvm.yaml, or a host name
    #[arg(value_name = "HOST", default_value = "local")]
    pub hosts: Vec<String>,
    /// Include devices that no device_spec matches
    #[arg(long)]
    pub all: bool,
    /// How devices are probed
    #[arg(long, value_name = "HOW", default_value = "passive")]
    pub probe: Probing,
    /// Only this PF with all its VFs
    #[arg(long, value_name = "ADDRESS")]
    pub pf: Option<PciAddress>,
    /// All columns, and a row for each device
    #[arg(long)]
    pub wide: bool,
    /// A row for each PF and a letter for each VF: free, used, claimed, mismatch
    #[arg(long, conflicts_with_all = ["wide", "all"])]
    pub map: bool,
    /// What Nova would report to Placement instead of the devices
    #[arg(long, conflicts_with_all = ["wide", "all", "map", "pf"])]
    pub placement: bool,
    /// Bring this pvm along to hosts that are asked by ssh: it is copied to a temporary file there, its digest is checked, and
    /// it is removed afterwards
    #[arg(long)]
    pub bootstrap: bool,
    /// Write each host's snapshot into this directory, compact and compressed, as soon as the host has answered
    #[arg(long, value_name = "DIR", value_hint = clap::ValueHint::DirPath, conflicts_with_all = ["all", "wide", "map", "placement", "pf", "strict"])]
    pub into: Option<PathBuf>,
    /// Treat warnings as errors
    #[arg(long)]
    pub strict: bool,
}

/// How devices are probed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Probing {
    /// Not at all
    None,
    /// Without opening them: debugfs, the QEMU that runs them, the table of drivers
    Passive,
    /// By opening those that are free, which resets them: one of each PF, or with --pf all of it
    Active,
}
