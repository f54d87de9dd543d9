//! `pvm check-config`.

use super::{Context, Stop};
use crate::cli::check_config::CheckConfig;
use crate::outcome::Outcome;

/// Runs the command.
pub fn run(_context: &Context, _args: &CheckConfig) -> anyhow::Result<Outcome> {
    Err(Stop::unknown("check-config is under construction").into())
}
