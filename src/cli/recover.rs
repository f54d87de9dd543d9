//! `pvm recover`.

use clap::{Args, ValueEnum};

/// Finish or undo a migration whose pvm died.
///
/// Looks at both hosts twice, compares with the journal, and says who runs the guest and what follows from it. What is safe
/// is done; where somebody has to decide, nothing is changed and the choices are printed. Can be repeated at any time.
#[derive(Debug, Args)]
pub struct Recover {
    /// The migration; none lists those that are not finished
    #[arg(value_name = "ID")]
    pub id: Option<String>,
    /// Every migration that is not finished, but only what is safe with nobody there
    #[arg(long, conflicts_with_all = ["id", "keep", "abort", "source_is_dead", "destination_is_dead"])]
    pub auto: bool,
    /// Where the table asks: which copy of the guest to keep
    #[arg(long, value_name = "COPY", requires = "id")]
    pub keep: Option<Copy>,
    /// End the migration if it is alive and not in switch-over
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
pub enum Copy {
    /// The source's
    Src,
    /// The destination's
    Dst,
    /// Neither: give the guest up
    None,
}
