//! State and job of a domain, as libvirt answers.

use std::collections::BTreeMap;
use std::fmt;

/// Why a running domain runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RunReason {
    /// It migrated here.
    Migrated,
    /// It was resumed.
    Unpaused,
    /// An outgoing migration failed or was cancelled.
    MigrationCanceled,
    /// Started, restored, woken up: nothing a migration does.
    Other(i32),
}

/// Why a paused domain is paused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PauseReason {
    /// For a migration: outgoing at switch-over, or incoming.
    Migration,
    /// Its process is being started.
    StartingUp,
    /// On request.
    User,
    /// An I/O error of a disk.
    IoError,
    /// A failed post-copy, a crash …
    Other(i32),
}

/// State of a domain with its reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// Its CPUs run.
    Running(RunReason),
    /// Its CPUs are stopped.
    Paused(PauseReason),
    /// Defined, no process. True: because it migrated away (forgotten when the daemon restarts).
    ShutOff {
        /// Whether a migration ended it.
        migrated: bool,
    },
    /// Crashed, suspended by the guest, going down: libvirt's number.
    Other(i32),
}

impl State {
    /// From libvirt's numbers: `virDomainState` and the reason enumeration that goes with it.
    pub(crate) fn from_numbers(state: i32, reason: i32) -> Self {
        match state {
            1 | 2 => Self::Running(match reason {
                2 => RunReason::Migrated,
                5 => RunReason::Unpaused,
                6 => RunReason::MigrationCanceled,
                other => RunReason::Other(other),
            }),
            3 => Self::Paused(match reason {
                1 => PauseReason::User,
                2 => PauseReason::Migration,
                5 => PauseReason::IoError,
                11 => PauseReason::StartingUp,
                other => PauseReason::Other(other),
            }),
            5 => Self::ShutOff { migrated: reason == 4 },
            other => Self::Other(other),
        }
    }

    /// Whether a process holds its memory.
    pub(crate) fn is_active(self) -> bool {
        match self {
            Self::Running(_) | Self::Paused(_) => true,
            Self::ShutOff { .. } => false,
            Self::Other(number) => number == 4 || number == 7,
        }
    }

    /// The word the snapshot uses.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Running(_) => "running",
            Self::Paused(_) => "paused",
            Self::ShutOff { .. } => "shutoff",
            Self::Other(4) => "shutdown",
            Self::Other(6) => "crashed",
            Self::Other(7) => "pmsuspended",
            Self::Other(_) => "unknown",
        }
    }
}

impl State {
    /// The reason in libvirt's word, where pvm tells it apart.
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Self::Running(RunReason::Migrated) | Self::ShutOff { migrated: true } => "migrated",
            Self::Running(RunReason::Unpaused) => "unpaused",
            Self::Running(RunReason::MigrationCanceled) => "migration canceled",
            Self::Paused(PauseReason::Migration) => "migrating",
            Self::Paused(PauseReason::StartingUp) => "starting up",
            Self::Paused(PauseReason::User) => "user",
            Self::Paused(PauseReason::IoError) => "I/O error",
            Self::Running(RunReason::Other(_))
            | Self::Paused(PauseReason::Other(_))
            | Self::ShutOff { migrated: false }
            | Self::Other(_) => "other",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.reason() {
            "other" => f.write_str(self.word()),
            reason => write!(f, "{} ({reason})", self.word()),
        }
    }
}

/// How a job ends, or that it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum JobKind {
    /// Running.
    Running,
    /// Ended well.
    Completed,
    /// Ended badly.
    Failed,
    /// Was aborted.
    Cancelled,
}

/// Numbers of a job, under libvirt's own names (`memory_remaining`, `vfio_data_transferred` …).
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Job {
    /// Whether it runs or how it ended.
    pub kind: JobKind,
    /// Every number the daemon gave.
    pub numbers: BTreeMap<String, u64>,
    /// Why it failed, where the daemon says so.
    pub error: Option<String>,
}

impl Job {
    /// From libvirt's `virDomainJobType`; `None` when no job runs.
    pub(crate) fn from_parts(kind: i32, numbers: BTreeMap<String, u64>, error: Option<String>) -> Option<Self> {
        let kind = match kind {
            1 | 2 => JobKind::Running,
            3 => JobKind::Completed,
            4 => JobKind::Failed,
            5 => JobKind::Cancelled,
            _ => return None,
        };
        Some(Self { kind, numbers, error })
    }

    /// One number.
    pub(crate) fn get(&self, name: &str) -> Option<u64> {
        self.numbers.get(name).copied()
    }

    /// Whether it is an outgoing migration (`VIR_DOMAIN_JOB_OPERATION_MIGRATION_OUT`).
    pub(crate) fn is_outgoing(&self) -> bool {
        self.get("operation") == Some(5)
    }

    /// Whether it is an incoming migration.
    pub(crate) fn is_incoming(&self) -> bool {
        self.get("operation") == Some(4)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_read_as_libvirt_means_them() {
        assert_eq!(State::from_numbers(1, 2), State::Running(RunReason::Migrated));
        assert_eq!(State::from_numbers(1, 6).to_string(), "running (migration canceled)");
        assert_eq!(State::from_numbers(3, 2).to_string(), "paused (migrating)");
        assert_eq!(State::from_numbers(5, 4), State::ShutOff { migrated: true });
        assert!(!State::from_numbers(5, 1).is_active());
        assert!(State::from_numbers(7, 0).is_active());
        assert_eq!(State::from_numbers(99, 0).word(), "unknown");
    }

    #[test]
    fn no_job_is_not_a_job() {
        assert_eq!(Job::from_parts(0, BTreeMap::new(), None), None);
        let job = Job::from_parts(2, BTreeMap::from([("operation".into(), 5)]), None).unwrap();
        assert!(job.is_outgoing() && !job.is_incoming());
    }
}
