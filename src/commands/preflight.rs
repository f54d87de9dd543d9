//! `pvm preflight`.

use super::{Context, Stop};
use crate::cli::preflight::Preflight;
use crate::outcome::Outcome;

/// Runs the command.
pub fn run(_context: &Context, _args: &Preflight) -> anyhow::Result<Outcome> {
    Err(Stop::unknown("preflight is under construction").into())
}
