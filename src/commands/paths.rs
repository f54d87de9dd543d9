//! `pvm paths`.

use super::{Context, OrStop as _, Stop};
use crate::cli::paths::Paths;
use crate::facts::kernel::paths::look;
use crate::model::outcome::Outcome;

/// Runs the command.
pub(crate) fn run(context: &Context, args: &Paths) -> Result<Outcome, Stop> {
    context.printer.document(&look(&context.global.root, &args.paths)).or_stop(Outcome::Unknown)?;
    Ok(Outcome::Fine)
}
