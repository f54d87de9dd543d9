//! `pvm migrate`.

use clap::Args;

/// Move a running guest to DST, with rewritten XML.
#[derive(Debug, Args)]
pub struct Migrate {
    /// The guest: name, UUID, or Nova display name if unique
    #[arg(value_name = "INSTANCE")]
    pub instance: String,
    /// Where to
    #[arg(value_name = "DST")]
    pub destination: String,
    /// Where it runs
    #[arg(long, value_name = "SRC", default_value = "local")]
    pub from: String,
    /// What the flavor asks for, when the domain does not say
    #[arg(long, value_name = "ALIAS:N,…")]
    pub request: Option<String>,
    /// Print the plan and change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Show what changes in the XML
    #[arg(long)]
    pub diff: bool,
    /// Do not ask the last question
    #[arg(long)]
    pub yes: bool,
    /// Let warnings count
    #[arg(long)]
    pub strict: bool,
}
