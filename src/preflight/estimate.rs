//! How long a migration will take, with what the figure rests on.

use super::report::Estimate;
use crate::domain::guest::Guest;
use crate::plan::{InstancePlan, Role};

/// What the network between two hosts is taken for: 10 Gbit/s.
const BYTES_PER_SECOND: u64 = 1_250_000_000;

/// QEMU's default limit of the pause.
pub const DEFAULT_DOWNTIME_MS: u64 = 300;

/// The estimate for a guest; `None` when its memory is not known.
pub fn estimate(guest: &Guest, plan: &InstancePlan<'_>) -> Option<Estimate> {
    let memory = guest.memory?;
    let state = device_state(plan);
    let bytes = memory.saturating_add(state.unwrap_or(0));
    let milliseconds = |bytes: u64| bytes.saturating_mul(1000) / BYTES_PER_SECOND;
    let source = match state {
        Some(0) => "10 Gbit/s assumed".to_owned(),
        Some(_) => "10 Gbit/s assumed, device state as the devices say".to_owned(),
        None => "10 Gbit/s assumed, size of the device state unknown".to_owned(),
    };
    Some(Estimate {
        bytes,
        #[expect(clippy::cast_precision_loss, reason = "tenths of a second")]
        seconds: (milliseconds(bytes) / 100) as f64 / 10.0,
        downtime_ms: milliseconds(state.unwrap_or(0)),
        source,
        error: "up to 3 times more or less, and longer when the guest writes much memory".to_owned(),
    })
}

/// Bytes of device state that move while the guest is paused; `None` when a device does not say.
pub fn device_state(plan: &InstancePlan<'_>) -> Option<u64> {
    plan.held
        .iter()
        .filter(|held| held.role != Role::Port || held.port_migrates)
        .map(|held| held.device.and_then(|device| device.migration.state_size))
        .try_fold(0, |sum: u64, size| Some(sum.saturating_add(size?)))
}
