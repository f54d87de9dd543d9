//! `pvm reach`.

use super::{Context, OrStop as _, Stop};
use crate::cli::reach::Reach;
use crate::facts::reach;
use crate::facts::reference::check_uri;
use crate::model::outcome::Outcome;

/// Runs the command.
pub(crate) fn run(context: &Context, args: &Reach) -> Result<Outcome, Stop> {
    if let Some(port) = args.listen {
        let listened = reach::listen(port, args.at.as_deref(), &args.token);
        context.printer.document(&listened).or_stop(Outcome::Unknown)?;
        return Ok(Outcome::Fine);
    }
    if let Some(uri) = &args.libvirt {
        check_uri(uri).map_err(|e| Stop::refused(e.to_string()))?;
    }
    let data = args.name.as_deref().map(|name| (name, args.data_port));
    let reach = reach::look(args.libvirt.as_deref(), data, &args.token);
    context.printer.document(&reach).or_stop(Outcome::Unknown)?;
    Ok(Outcome::Fine)
}
