//! `pvm evidence`.

use super::{Context, OrStop as _, Stop};
use crate::cli::evidence::Evidence;
use crate::journal::now;
use crate::model::outcome::Outcome;
use crate::proof::collect::collect;

/// Runs the command.
pub fn run(context: &Context, args: &Evidence) -> Result<Outcome, Stop> {
    context
        .printer
        .document(&collect(&context.global.root, &args.domain, args.since, now()))
        .or_stop(Outcome::Unknown)?;
    Ok(Outcome::Fine)
}
