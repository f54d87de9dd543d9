//! `pvm explain`.

use clap::Args;

/// Explain a finding: what it means, how to check by hand, how to fix.
#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// Code of the finding, or a word that is searched in all pages; none lists all codes
    #[arg(value_name = "CODE|WORD")]
    pub code: Option<String>,
}
