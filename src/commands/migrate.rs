//! `pvm migrate`.

use super::{Context, Stop};
use crate::cli::migrate::Migrate;
use crate::outcome::Outcome;

/// Runs the command.
pub fn run(_context: &Context, _args: &Migrate) -> anyhow::Result<Outcome> {
    Err(Stop::unknown("migrate is under construction").into())
}
