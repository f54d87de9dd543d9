//! `pvm paths`.

use std::collections::BTreeMap;
use std::path::Path;

use super::{Context, OrStop as _, Stop};
use crate::cli::paths::Paths;
use crate::facts::kernel::paths::{Found, look};
use crate::facts::reach;
use crate::model::outcome::Outcome;

/// Runs the command.
pub(crate) fn run(context: &Context, args: &Paths) -> Result<Outcome, Stop> {
    let root = &context.global.root;
    let servers = if root == Path::new("/") { reach::servers(&args.server) } else { BTreeMap::default() };
    let found = Found { servers, ..look(root, &args.paths) };
    context.printer.document(&found).or_stop(Outcome::Unknown)?;
    Ok(Outcome::Fine)
}
