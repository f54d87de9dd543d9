//! Plans of drains in files.

use std::path::Path;

use super::facts::{Asked, Wanted};
use crate::commands::{Context, Stop};
use crate::drain::Drain;
use crate::drain::document::SCHEMA;
use crate::drain::saved::{Saved, seal};
use crate::facts::replace::{holds_other, put};
use crate::journal;
use crate::model::paste::quoted;
use crate::model::regular::read_regular_text;

/// No plan is longer: ten thousand guests with their devices and the facts about them.
const MOST_BYTES: u64 = 256 << 20;

/// Reads a saved plan.
pub(super) fn read(path: &Path) -> Result<Saved, Stop> {
    let text = read_regular_text(path, MOST_BYTES)
        .map_err(|e| Stop::unknown(format!("cannot read {}: {e}", path.display())))?;
    Saved::parse(&text).map_err(|e| Stop::refused(format!("{}: {e}", path.display())))
}

/// Writes the plan, private and at once, and says how it is carried out.
pub(super) fn save(
    context: &Context,
    path: &Path,
    plan: &Drain,
    wanted: &Wanted,
    asked: &Asked,
    is_live: bool,
) -> Result<(), Stop> {
    if plan.moves.is_empty() {
        return Err(Stop::refused("no guest can leave: there is no plan to save"));
    }
    let now = journal::now().to_string();
    let document = seal(plan, &wanted.choices, &asked.source, &asked.destinations, &now);
    if holds_other(path, SCHEMA) {
        return Err(Stop::refused(format!("{} is there and is no saved plan: it is not replaced", path.display())));
    }
    put(path, format!("{document:#}\n").as_bytes())
        .map_err(|e| Stop::unknown(format!("cannot write {}: {e}", path.display())))?;
    let file = path.display().to_string();
    let file = quoted(&file);
    context.printer.note(&if is_live {
        format!("Nothing was changed. To do it: pvm drain --plan {file}")
    } else {
        format!("Nothing was changed. The plan is of snapshots, so it can only be looked at: pvm drain --plan {file} --dry-run")
    });
    Ok(())
}
