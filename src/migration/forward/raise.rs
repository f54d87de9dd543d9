//! The limit of the pause, raised while a pre-copy makes no progress.

use crate::libvirt::Hypervisor;

/// It is raised to this at most, in milliseconds; one that is not below it stands.
pub const LONGEST_RAISED_MS: u64 = 10_000;
/// The same in words, for plans.
pub const RAISED: &str = "doubled while there is no progress, up to 10 s";

/// What to raise this limit to, both in milliseconds; `None`: it stands.
fn longer(limit_ms: u64) -> Option<u64> {
    (limit_ms < LONGEST_RAISED_MS).then(|| limit_ms.max(1).saturating_mul(2).min(LONGEST_RAISED_MS))
}

/// Raises the guest's limit from what it is now, which may be what the operator has set meanwhile. What came of it, for a
/// sentence; `None`: it stands.
pub(super) fn raise(host: &dyn Hypervisor, uuid: &str) -> Option<String> {
    let from_ms = match host.max_downtime(uuid) {
        Ok(limit) => limit,
        Err(e) => return Some(format!("the limit of the pause could not be read: {e}")),
    };
    let to_ms = longer(from_ms)?;
    Some(match host.set_max_downtime(uuid, to_ms) {
        Ok(()) => format!("the limit of the pause is raised from {from_ms} ms to {to_ms} ms"),
        Err(e) => format!("the limit of the pause, {from_ms} ms, could not be raised: {e}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::migration::recover::scripted::Scripted;

    #[test]
    fn it_is_doubled_from_what_it_is_up_to_ten_seconds() {
        let host = Scripted::default();
        let raised = |from, to| Some(format!("the limit of the pause is raised from {from} ms to {to} ms"));
        assert_eq!(raise(&host, "u"), raised(300, 600));
        // One that failed has changed nothing, and names no limit that never held.
        host.0.lock().unwrap().refuses = vec!["set_max_downtime"];
        let failed = raise(&host, "u").unwrap();
        assert!(failed.starts_with("the limit of the pause, 600 ms, could not be raised: "), "{failed}");
        host.0.lock().unwrap().refuses = vec!["max_downtime"];
        let failed = raise(&host, "u").unwrap();
        assert!(failed.starts_with("the limit of the pause could not be read: "), "{failed}");
        host.0.lock().unwrap().refuses.clear();
        assert_eq!(raise(&host, "u"), raised(600, 1200));

        // The operator's own is not lowered.
        for (limit, to) in [(0, Some(2)), (7000, Some(10_000)), (10_000, None), (20_000, None)] {
            host.0.lock().unwrap().max_downtime_ms = Some(limit);
            assert_eq!(raise(&host, "u"), to.and_then(|to| raised(limit, to)));
        }
        let set = ["600", "1200", "2", "10000"].map(|ms| format!("set_max_downtime {ms}"));
        assert_eq!(host.calls(), set);
    }
}
