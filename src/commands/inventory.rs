//! `pvm inventory`.

use super::{Context, Stop};
use crate::cli::inventory::Inventory;
use crate::outcome::Outcome;

/// Runs the command.
pub fn run(_context: &Context, _args: &Inventory) -> anyhow::Result<Outcome> {
    Err(Stop::unknown("inventory is under construction").into())
}
