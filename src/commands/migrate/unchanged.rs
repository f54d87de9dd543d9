//! Whether a saved plan may be executed: its facts hold, and pvm would make it again.

use super::facts::Facts;
use super::wanted::Wanted;
use crate::commands::Stop;
use crate::model::identity;
use crate::plan::document::Plan;

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
