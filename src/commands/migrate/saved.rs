//! Plans in files: written for review, read back, and executed only while they are what pvm would make now.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use super::plan::{Facts, Planned};
use super::wanted::Wanted;
use crate::commands::Stop;
use crate::model::identity;
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

/// Writes the plan, private and at once.
pub(super) fn save(path: &Path, planned: &Planned) -> Result<(), Stop> {
    let Some(plan) = &planned.plan else {
        let name = &planned.facts.domain().name;
        return Err(Stop::refused(format!("{name} has no device map: there is no plan to save")));
    };
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
    })
}

/// Refuses a saved plan of another guest or of other hosts, and one whose facts have changed, and says which.
pub(super) fn facts_hold(saved: &Plan, wanted: &Wanted, facts: &Facts) -> Result<(), Stop> {
    let name = &saved.instance.name;
    if saved.instance.uuid != facts.domain().uuid {
        return Err(Stop::refused(format!("the plan is for {name}, not for {}", facts.domain().name)));
    }
    let changes = saved.changes(&facts.source, &facts.destination);
    for (side, word, planned, host) in [
        ("source", &wanted.from, &saved.source, &facts.source.host),
        ("destination", &wanted.destination, &saved.destination, &facts.destination.host),
    ] {
        let uuid = changes.iter().find(|changed| changed.fact == format!("{side} uuid"));
        // Under another word only a UUID tells that it is the same host.
        if uuid.is_some() || (word != planned && !host.uuid.as_deref().is_some_and(identity::identifies)) {
            let (was, is) = uuid.map_or(("unknown", "unknown"), |uuid| (&uuid.was, &uuid.is));
            let message =
                format!("the plan's {side} is {planned} with UUID {was}, but {word} is a host with UUID {is}");
            return Err(Stop::refused(message));
        }
    }
    let mut reasons: Vec<_> =
        changes.into_iter().map(|changed| format!("{} was {}, is {}", changed.fact, changed.was, changed.is)).collect();
    let claimed = saved.map.iter().map(|moved| moved.destination).filter(|device| facts.excluded.contains(device));
    reasons.extend(claimed.map(|device| format!("destination {device} is claimed by another migration")));
    if reasons.is_empty() {
        return Ok(());
    }
    Err(Stop::refused(format!("the plan of {name} no longer holds: {}", reasons.join("; "))))
}

/// Refuses a saved plan that is not what pvm makes now of the same choices and the same map.
pub(super) fn is_made_again(saved: &Plan, now: &Plan) -> Result<(), Stop> {
    let other = saved.other_fields(now);
    if other.is_empty() {
        return Ok(());
    }
    let name = &saved.instance.name;
    let message = format!("the plan of {name} is not what pvm plans now: {} would be different", other.join(", "));
    Err(Stop::refused(message))
}
