//! `pvm history`.

use std::time::Duration;

use clap::Args;

use super::verify::Since;
use crate::model::time::duration;

/// List the migrations and drains that this machine's pvm has made, newest first.
///
/// Each line has what the migration came to and the guest's downtime as libvirt reported it. One migration, by its ID, is shown
/// with all figures of its receipt, one drain with what became of each guest.
#[derive(Debug, Args)]
pub(crate) struct History {
    /// A migration or drain; or a guest or drained host, by name or UUID: only its migrations or drains
    #[arg(value_name = "ID|INSTANCE")]
    pub of: Option<String>,
    /// Only those that began after this moment, like 2026-11-23T06:24:00Z, or at most so long ago, like 7d
    #[arg(long, value_name = "TIME")]
    pub since: Option<Since>,
    /// Remove the journals of migrations that ended longer ago than this, like 90d; an unfinished one is never removed
    #[arg(long, value_name = "TIME", value_parser = duration, conflicts_with_all = ["of", "since"])]
    pub prune: Option<Duration>,
}
