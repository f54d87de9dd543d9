//! `pvm drain`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::migrate::{MaxDowntime, parse_bandwidth, parse_downtime};
use crate::model::time::duration;

/// Move all guests of HOST to other hosts by one joint plan, and keep HOST empty until --uncordon.
#[derive(Debug, Clone, Args)]
pub(crate) struct Drain {
    /// Host to be emptied
    #[arg(value_name = "HOST", required_unless_present = "plan")]
    pub host: Option<String>,
    /// Hosts that guests may go to [default: every other host of pvm.yaml]
    #[arg(help_heading = "What", long, value_name = "HOST,…", value_delimiter = ',')]
    pub to: Vec<String>,
    /// Only these guests
    #[arg(help_heading = "What", long, value_name = "NAME,…", value_delimiter = ',')]
    pub only: Vec<String>,
    /// All guests but these
    #[arg(help_heading = "What", long, value_name = "NAME,…", value_delimiter = ',', conflicts_with = "only")]
    pub except: Vec<String>,
    /// Write the plan to FILE, to be reviewed and carried out later with --plan, and change nothing
    #[arg(help_heading = "What", long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub save_plan: Option<PathBuf>,
    /// Carry this plan out exactly, or refuse and say what has changed since. HOST is the plan's
    #[arg(help_heading = "What", long, value_name = "FILE", value_hint = clap::ValueHint::FilePath, conflicts_with_all = [
        "to", "only", "except", "save_plan", "allow", "timeout", "parallel", "max_downtime", "max_pause", "bandwidth", "direct", "tls", "parallel_connections",
    ])]
    pub plan: Option<PathBuf>,
    /// Go on with the drain of HOST that was begun on this machine: finish or undo what was under way, and plan the guests
    /// that are still there anew
    #[arg(help_heading = "What", long, conflicts_with_all = ["to", "only", "except", "dry_run", "save_plan", "plan"])]
    pub resume: bool,
    /// Let guests go to HOST again, and give up what is left of its drain
    #[arg(help_heading = "What", long, conflicts_with_all = ["to", "only", "except", "dry_run", "save_plan", "plan", "resume"])]
    pub uncordon: bool,
    /// Print the plan and change nothing
    #[arg(help_heading = "Safety", long)]
    pub dry_run: bool,
    /// Skip the confirmation prompt
    #[arg(help_heading = "Safety", long)]
    pub yes: bool,
    /// Go on with the other guests when one could not be moved
    #[arg(help_heading = "Safety", long)]
    pub keep_going: bool,
    /// Continue although this check failed or its answer is unknown, as for migrate; repeatable
    #[arg(help_heading = "Safety", long, value_name = "CODE,…|all", value_delimiter = ',')]
    pub allow: Vec<String>,
    /// Abort and undo each move after this time, like 10m, except during switchover [default: no limit]
    #[arg(help_heading = "Safety", long, value_name = "TIME", value_parser = duration)]
    pub timeout: Option<Duration>,
    /// How many guests leave at once, and arrive at once on each host
    #[arg(help_heading = "Tuning", long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..))]
    pub parallel: u16,
    /// Maximum downtime of each guest at switchover, like 300ms [default: auto]
    #[arg(help_heading = "Tuning", long, value_name = "TIME|auto", value_parser = parse_downtime)]
    pub max_downtime: Option<MaxDowntime>,
    /// Leave a guest where it is whose device state may pause it longer, like 2s; a guest's policy may allow less
    #[arg(help_heading = "Tuning", long, value_name = "TIME", value_parser = duration)]
    pub max_pause: Option<Duration>,
    /// Maximum bandwidth per second of each move, like 100MiB [default: no limit]
    #[arg(help_heading = "Tuning", long, value_name = "SIZE", value_parser = parse_bandwidth)]
    pub bandwidth: Option<u64>,
    /// Have pvm connect to both hosts, where libvirtd on HOST cannot connect to the destination
    #[arg(help_heading = "Tuning", long)]
    pub direct: bool,
    /// Encrypt the migration data
    #[arg(help_heading = "Tuning", long)]
    pub tls: bool,
    /// Number of parallel migration connections of each move
    #[arg(help_heading = "Tuning", long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=255))]
    pub parallel_connections: Option<u32>,
}
