//! `pvm drain`.

use clap::Args;

/// Plan which guests can leave HOST together, to where and when, and why the others stay.
#[derive(Debug, Args)]
pub struct Drain {
    /// Host to be emptied
    #[arg(value_name = "HOST")]
    pub host: String,
    /// Hosts that guests may go to [default: every other host of pvm.yaml]
    #[arg(help_heading = "What", long, value_name = "HOST,…", value_delimiter = ',')]
    pub to: Vec<String>,
    /// Only these guests
    #[arg(help_heading = "What", long, value_name = "NAME,…", value_delimiter = ',')]
    pub only: Vec<String>,
    /// All guests but these
    #[arg(help_heading = "What", long, value_name = "NAME,…", value_delimiter = ',', conflicts_with = "only")]
    pub except: Vec<String>,
    /// How many guests leave at once, and arrive at once on each host
    #[arg(help_heading = "Transfer", long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..))]
    pub parallel: u16,
    /// Bandwidth of the link in MiB/s that the times are reckoned with
    #[arg(help_heading = "Transfer", long, value_name = "MIB", value_parser = clap::value_parser!(u64).range(1..))]
    pub bandwidth: Option<u64>,
    /// Plan only; required, as pvm does not carry out the plan yet
    #[arg(long, required = true)]
    pub dry_run: bool,
}
