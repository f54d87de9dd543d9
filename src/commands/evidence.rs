//! `pvm evidence`.

use super::Context;
use crate::cli::evidence::Evidence;
use crate::journal::now;
use crate::model::outcome::Outcome;
use crate::proof::collect::collect;

/// Runs the command.
pub fn run(context: &Context, args: &Evidence) -> anyhow::Result<Outcome> {
    context.printer.document(&collect(&context.global.root, &args.domain, args.since, now()))?;
    Ok(Outcome::Fine)
}
