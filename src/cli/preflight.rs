//! `pvm preflight`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::model::pci::PciAddress;
use crate::model::time::duration;

/// Check whether guests can migrate from SRC to DST, every reason if not, and which devices they get.
#[derive(Debug, Args)]
pub(crate) struct Preflight {
    /// Host the guests run on
    #[arg(value_name = "SRC")]
    pub source: String,
    /// Hosts they could migrate to
    #[arg(value_name = "DST", required_unless_present = "matrix")]
    pub destinations: Vec<String>,
    /// Every guest of all these hosts on each of the others: a table of guests by hosts
    #[arg(help_heading = "What", long, conflicts_with_all = ["request", "pci_requests", "replug", "copy_storage", "max_pause", "rehearse", "all"])]
    pub matrix: bool,
    /// Only this guest, repeatable [default: every guest with a PCI or mdev hostdev]
    #[arg(help_heading = "What", long, value_name = "NAME")]
    pub instance: Vec<String>,
    /// What the flavor asks for, when the domain does not say
    #[arg(help_heading = "What", long, value_name = "ALIAS:N,…")]
    pub request: Option<String>,
    /// What Nova stored when it booted the guest: the text of pci_requests of its row in instance_extra, as it is in
    /// the database (JSON), or the same in YAML: - {alias: NAME, count: N, spec: [{vendor_id: …, product_id: …}]}
    #[arg(help_heading = "What", long, value_name = "FILE", requires = "instance", conflicts_with = "request", value_hint = clap::ValueHint::FilePath)]
    pub pci_requests: Option<PathBuf>,
    /// A plain hostdev that is a port: unplug it before the migration and plug one in afterwards; repeatable
    #[arg(help_heading = "What", long, value_name = "ADDRESS")]
    pub replug: Vec<PciAddress>,
    /// Refuse a guest whose device state may pause it longer, as migrate does, like 2s
    #[arg(help_heading = "What", long, value_name = "TIME", value_parser = duration)]
    pub max_pause: Option<Duration>,
    /// What migrate --copy-storage would copy, of the one guest named
    #[arg(help_heading = "What", long, value_name = "DISK,…", value_delimiter = ',', requires = "instance")]
    pub copy_storage: Vec<String>,
    /// Try what no fact tells: start the migration of the guest named so slowly that it cannot complete, and abort it
    /// before switchover. The guest runs on; devices on DST are opened, which resets them
    #[arg(long, requires = "instance", conflicts_with_all = ["copy_storage", "all"])]
    pub rehearse: bool,
    /// Rehearse without asking
    #[arg(long, requires = "rehearse")]
    pub yes: bool,
    /// Rehearse a guest that Nova or another system owns: the guest's UUID, in full
    #[arg(long, value_name = "UUID", require_equals = true, requires = "rehearse")]
    pub bypass_owner: Option<String>,
    /// Treat warnings as errors
    #[arg(help_heading = "Safety", long)]
    pub strict: bool,
    /// Show passed checks too
    #[arg(help_heading = "Output", long)]
    pub all: bool,
}
