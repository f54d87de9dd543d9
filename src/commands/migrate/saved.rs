//! Plans in files: written for review, and read back.

use std::path::Path;

use crate::commands::{Context, Stop};
use crate::facts::replace::{holds_other, put};
use crate::model::paste::quoted;
use crate::model::regular::read_regular_text;
use crate::plan::document::{Plan, SCHEMA};

/// No plan is longer: a guest's XML twice, and its devices.
const MOST_BYTES: u64 = 16 << 20;

/// Reads a saved plan.
pub(super) fn read(path: &Path) -> Result<Plan, Stop> {
    let text = read_regular_text(path, MOST_BYTES)
        .map_err(|e| Stop::unknown(format!("cannot read {}: {e}", path.display())))?;
    Plan::parse(&text).map_err(|e| Stop::refused(format!("{}: {e}", path.display())))
}

/// Writes the plan, private and at once, and says how it is executed.
pub(super) fn save(context: &Context, path: &Path, plan: &Plan, is_live: bool) -> Result<(), Stop> {
    let mut text =
        serde_json::to_string_pretty(plan).map_err(|e| Stop::unknown(format!("cannot write the plan: {e}")))?;
    text.push('\n');
    if holds_other(path, SCHEMA) {
        return Err(Stop::refused(format!("{} is there and is no saved plan: it is not replaced", path.display())));
    }
    put(path, text.as_bytes()).map_err(|e| Stop::unknown(format!("cannot write {}: {e}", path.display())))?;
    let file = path.display().to_string();
    let file = quoted(&file);
    context.printer.note(&if is_live {
        format!("Nothing was changed. To do it: pvm migrate --plan {file}")
    } else {
        format!("Nothing was changed. The plan is of a snapshot, so it can only be looked at: pvm migrate --plan {file} --dry-run")
    });
    Ok(())
}
