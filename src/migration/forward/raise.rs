//! The limit of the pause, raised while a pre-copy makes no progress.

use std::thread;
use std::time::Duration;

use crate::libvirt::Hypervisor;

/// It is raised to this at most, in milliseconds; one that is not below it stands.
pub(crate) const LONGEST_RAISED_MS: u64 = 10_000;
/// The same in words, for plans.
pub(crate) const RAISED: &str = "raised if pre-copy does not converge, up to 10 s";

/// How often the running job is asked how long the pause would be. Single answers are ten times too high (QEMU 11.1.3 in
/// the lab, where little was sent just before).
const ANSWERS: usize = 8;
/// How long between two of them.
const BETWEEN: Duration = Duration::from_millis(250);

/// What to raise this limit to, all in milliseconds; `None`: it stands. It is doubled, and goes to what is expected at once
/// when that is more: QEMU counts the devices' state in it from 11.1 on. Before, a device that does not fit leaves what is
/// expected below the limit.
fn longer(limit_ms: u64, expected_ms: Option<u64>) -> Option<u64> {
    let doubled = limit_ms.max(1).saturating_mul(2).min(LONGEST_RAISED_MS);
    let expected = expected_ms.filter(|expected| *expected <= LONGEST_RAISED_MS);
    (limit_ms < LONGEST_RAISED_MS).then(|| expected.map_or(doubled, |expected| expected.max(doubled)))
}

/// How long the pause would be, in milliseconds: the least of several answers, or `None` when one is missing.
fn least(answers: impl Iterator<Item = Option<u64>>) -> Option<u64> {
    answers.take(ANSWERS).try_fold(u64::MAX, |least, answer| Some(least.min(answer?)))
}

/// Raises the guest's limit from what it is now, which may be what the operator has set meanwhile. What came of it, for a
/// sentence; `None`: it stands.
pub(super) fn raise(host: &dyn Hypervisor, uuid: &str) -> Option<String> {
    let from_ms = match host.max_downtime(uuid) {
        Ok(limit) => limit,
        Err(e) => return Some(format!("the limit of the pause could not be read: {e}")),
    };
    let answers = (0..).map(|nth| {
        if nth > 0 {
            thread::sleep(BETWEEN);
        }
        host.job(uuid).ok()??.get("downtime")
    });
    let to_ms = longer(from_ms, least(answers))?;
    Some(match host.set_max_downtime(uuid, to_ms) {
        Ok(()) => format!("the limit of the pause is raised from {from_ms} ms to {to_ms} ms"),
        Err(e) => format!("the limit of the pause, {from_ms} ms, could not be raised: {e}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::libvirt::scripted::Scripted;

    #[test]
    fn it_goes_at_once_to_what_is_expected_when_that_is_more_than_twice() {
        // QEMU 11.1.3 with 8 MiB of device state at 2 MiB/s, and 10.0.2, which does not count them.
        assert_eq!(
            longer(300, least([3100, 61_000, 4900, 3400, 33_000, 3300, 4100, 3600].map(Some).into_iter())),
            Some(3100)
        );
        assert_eq!(longer(300, least([92, 102, 95, 99, 97, 96, 98, 93].map(Some).into_iter())), Some(600));
        assert_eq!(longer(300, Some(450)), Some(600));
        assert_eq!(longer(300, Some(60_000)), Some(600), "the longest would not do either");
        assert_eq!(longer(10_000, Some(9000)), None);
        assert_eq!(least([Some(3100), None].into_iter()), None, "the job has ended");
    }

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
