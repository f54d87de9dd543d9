//! `pvm evidence`.

use super::{Context, OrStop as _, Stop};
use crate::cli::evidence::Evidence;
use crate::facts::remote::evidence;
use crate::journal::now;
use crate::model::outcome::Outcome;

/// Runs the command.
pub(crate) fn run(context: &Context, args: &Evidence) -> Result<Outcome, Stop> {
    let root = &context.global.root;
    let named = context.global.connect.is_some() || root == std::path::Path::new("/");
    let uri = named.then(|| context.local_uri()).transpose()?;
    let evidence = evidence::here(root, uri.as_deref(), &args.domain, args.since, now());
    context.printer.document(&evidence).or_stop(Outcome::Unknown)?;
    Ok(Outcome::Fine)
}
