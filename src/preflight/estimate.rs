//! How long a migration will take, with what the figure rests on.

use super::context::Hosts;
use super::report::Estimate;
use super::terms::Terms;
use crate::domain::guest::Guest;
use crate::model::pauses::{self, Pause, Way};
use crate::model::snapshot::Device;
use crate::plan::instance::Held;
use crate::plan::{InstancePlan, Role};

/// The estimate for a guest; `None` when its memory is not known.
pub(crate) fn estimate(guest: &Guest, plan: &InstancePlan<'_>, hosts: Hosts<'_>, terms: &Terms) -> Option<Estimate> {
    let memory = guest.memory?;
    let state = device_state(plan);
    let bytes = memory.saturating_add(state.unwrap_or(0));
    let link = terms.link();
    let source = match state {
        Some(0) | None => link.words.clone(),
        Some(_) => format!("{}, device state size as the devices report it", link.words),
    };
    Some(Estimate {
        bytes,
        #[expect(clippy::cast_precision_loss, reason = "tenths of a second")]
        seconds: (link.milliseconds(bytes) / 100) as f64 / 10.0,
        // What memory alone makes of the pause follows from QEMU's limit.
        downtime_ms: state
            .filter(|_| !plan.held.is_empty())
            .map(|state| terms.link_at_switchover().milliseconds(state)),
        pause: pause(plan, hosts, terms),
        source,
        error: "could be 3x off, longer with a high dirty rate".to_owned(),
    })
}

/// The pause by what earlier migrations took; none while one of the devices is not known.
pub(crate) fn pause(plan: &InstancePlan<'_>, hosts: Hosts<'_>, terms: &Terms) -> Option<Pause> {
    let devices: Option<Vec<&Device>> = moving(plan).map(|held| held.device).collect();
    let [source, destination] = [hosts.source, hosts.destination].map(|host| host.host.uuid.as_deref());
    terms.pauses.next(&pauses::kind(devices?, terms.tls), Way::between(source, destination))
}

/// The devices that move with their state.
fn moving<'p, 'a>(plan: &'p InstancePlan<'a>) -> impl Iterator<Item = &'p Held<'a>> {
    plan.held.iter().filter(|held| held.role != Role::Port || held.port_migrates)
}

/// Bytes of device state that move while the guest is paused; `None` when a device does not say.
pub(crate) fn device_state(plan: &InstancePlan<'_>) -> Option<u64> {
    moving(plan)
        .map(|held| held.device.and_then(|device| device.migration.state_size))
        .try_fold(0, |sum: u64, size| Some(sum.saturating_add(size?)))
}
