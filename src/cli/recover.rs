//! `pvm recover`.

use clap::{Args, ValueEnum};

/// Complete or roll back an interrupted migration.
///
/// pvm looks at both hosts twice, compares them with the journal, and says which host runs the guest and what follows. It
/// does what is safe; where somebody has to decide, it changes nothing and prints the choices. It can be repeated at any time.
#[derive(Debug, Args)]
pub(crate) struct Recover {
    /// The migration, or its guest's name or UUID; without it, list the unfinished ones
    #[arg(value_name = "ID|INSTANCE")]
    pub id: Option<String>,
    /// Resolve every unfinished migration, but do only what is safe unattended
    #[arg(long, conflicts_with_all = ["id", "keep", "destroy_guest", "abort", "source_is_dead", "destination_is_dead"])]
    pub auto: bool,
    /// Which host's copy of the guest to keep, where pvm asks for a decision
    #[arg(long, value_name = "COPY", requires = "id")]
    pub keep: Option<Copy>,
    /// Keep neither copy: destroy the guest, where pvm asks for a decision
    #[arg(long, requires = "id", conflicts_with = "keep")]
    pub destroy_guest: bool,
    /// Abort the migration if libvirt is still running it and it is not in switchover
    #[arg(long, requires = "id")]
    pub abort: bool,
    /// The source is powered off or fenced and does not run the guest any more
    #[arg(long, requires = "id")]
    pub source_is_dead: bool,
    /// The destination is powered off or fenced and does not run the guest any more
    #[arg(long, requires = "id")]
    pub destination_is_dead: bool,
}

/// A copy of the guest.
#[derive(Debug, Clone, PartialEq, Eq, ValueEnum)]
pub(crate) enum Copy {
    /// The source's
    Src,
    /// The destination's
    Dst,
}
