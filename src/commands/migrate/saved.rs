//! Plans in files: written for review, and read back.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use crate::commands::{Context, Stop};
use crate::model::paste::quoted;
use crate::model::regular::read_regular_text;
use crate::plan::document::Plan;

/// No plan is longer: a guest's XML twice, and its devices.
const MOST_BYTES: u64 = 16 << 20;

/// Reads a saved plan.
pub(super) fn read(path: &Path) -> Result<Plan, Stop> {
    let text = read_regular_text(path, MOST_BYTES)
        .map_err(|e| Stop::unknown(format!("cannot read {}: {e}", path.display())))?;
    Plan::parse(&text).map_err(|e| Stop::refused(format!("{}: {e}", path.display())))
}

/// Writes the plan, private and at once, and says how it is executed.
pub(super) fn save(context: &Context, path: &Path, plan: &Plan) -> Result<(), Stop> {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}", std::process::id()));
    let beside = PathBuf::from(name);
    let write = || -> std::io::Result<()> {
        let mut options = std::fs::OpenOptions::new();
        let mut file = options.write(true).create_new(true).mode(0o600).open(&beside)?;
        file.write_all(serde_json::to_string_pretty(plan)?.as_bytes())?;
        file.write_all(b"\n")?;
        file.sync_all()?;
        std::fs::rename(&beside, path)
    };
    write().map_err(|e| {
        // Where nothing could be written there is nothing to remove.
        let _ = std::fs::remove_file(&beside);
        Stop::unknown(format!("cannot write {}: {e}", path.display()))
    })?;
    let file = path.display().to_string();
    context.printer.note(&format!("Nothing was changed. To do it: pvm migrate --plan {}", quoted(&file)));
    Ok(())
}
