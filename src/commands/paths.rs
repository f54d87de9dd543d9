//! `pvm paths`.

use super::Context;
use crate::cli::paths::Paths;
use crate::facts::kernel::paths::look;
use crate::model::outcome::Outcome;

/// Runs the command.
pub fn run(context: &Context, args: &Paths) -> anyhow::Result<Outcome> {
    context.printer.document(&look(&context.global.root, &args.paths))?;
    Ok(Outcome::Fine)
}
