//! A hook for tests: debug builds end themselves at a named point, as `kill -9` would. Release builds have none of it.
//!
//! `PVM_FAULT=after:perform-intent` ends pvm between that record and its effect, `PVM_FAULT=before:switched` between an
//! effect and the record of it; `after:detached:2` means the second time.

/// Ends the process here if the test asked for it.
#[cfg(debug_assertions)]
pub(super) fn point(when: &str, record: &str) {
    use std::sync::atomic::{AtomicU32, Ordering};

    static SEEN: AtomicU32 = AtomicU32::new(0);

    #[expect(clippy::disallowed_methods, reason = "debug builds only: the test says where to end")]
    let Ok(asked) = std::env::var("PVM_FAULT") else { return };
    if is_asked(&asked, when, record, || SEEN.fetch_add(1, Ordering::Relaxed) + 1) {
        // SIGKILL: no handler, no destructor, nothing flushed.
        let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    }
}

/// Nothing.
#[cfg(not(debug_assertions))]
pub(super) const fn point(_when: &str, _record: &str) {}

/// Whether `asked` names this point. `count` counts the visits of a point that is named.
#[cfg(debug_assertions)]
fn is_asked(asked: &str, when: &str, record: &str, count: impl FnOnce() -> u32) -> bool {
    let mut parts = asked.split(':');
    if parts.next() != Some(when) || parts.next() != Some(record) {
        return false;
    }
    let nth = parts.next().and_then(|n| n.parse().ok()).unwrap_or(1);
    count() == nth
}

#[cfg(all(test, debug_assertions))]
mod tests {
    use super::*;

    #[test]
    fn only_the_named_point_and_visit_is_meant() {
        assert!(is_asked("after:detached", "after", "detached", || 1));
        assert!(!is_asked("after:detached", "after", "detached", || 2));
        assert!(is_asked("after:detached:2", "after", "detached", || 2));
        assert!(!is_asked("after:detached", "before", "detached", || 1));
        assert!(!is_asked("after:detached", "after", "attached", || 1));
        assert!(!is_asked("", "after", "detached", || 1));
    }
}
