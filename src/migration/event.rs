//! What happens, as data: a bar, lines or NDJSON are made of it.

use std::time::{Duration, Instant};

use serde::Serialize;

use crate::journal::Receipt;
use crate::model::time::Timestamp;
use crate::proof::Verdict;

/// The phases of a migration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Phase {
    /// Nothing is done yet.
    Plan,
    /// Devices of the destination are claimed.
    Claim,
    /// Fresh facts are read: all that can fail must fail here.
    Recheck,
    /// Ports are unplugged.
    Detach,
    /// libvirt migrates.
    Perform,
    /// Both hosts are asked, and whether the devices' state arrived.
    Verify,
    /// Ports are plugged in.
    Attach,
    /// What is left over is removed.
    Cleanup,
    /// What was done is undone.
    Undo,
    /// The end.
    Done,
}

impl Phase {
    /// Its name, as in events and the journal.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Plan => "plan",
            Self::Claim => "claim",
            Self::Recheck => "recheck",
            Self::Detach => "detach",
            Self::Perform => "perform",
            Self::Verify => "verify",
            Self::Attach => "attach",
            Self::Cleanup => "cleanup",
            Self::Undo => "undo",
            Self::Done => "done",
        }
    }
}

/// The present moment, for measuring.
#[expect(clippy::disallowed_methods, reason = "a migration measures its phases")]
pub(crate) fn moment() -> Instant {
    Instant::now()
}

/// A duration in milliseconds.
pub(crate) fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// The time that each phase of a migration took.
#[derive(Debug, Clone)]
pub(crate) struct Clock {
    started: Instant,
    phase: (Phase, Instant),
    past: Vec<(Phase, u64)>,
}

impl Clock {
    /// Starts with the plan made.
    pub(crate) fn start() -> Self {
        let now = moment();
        Self { started: now, phase: (Phase::Plan, now), past: Vec::new() }
    }

    /// The phase.
    pub(crate) fn phase(&self) -> Phase {
        self.phase.0
    }

    /// Time since the start.
    pub(crate) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// Time since the phase began.
    pub(crate) fn in_phase(&self) -> Duration {
        self.phase.1.elapsed()
    }

    /// Begins a phase; `false` when it has begun.
    pub(crate) fn enter(&mut self, phase: Phase) -> bool {
        if phase == self.phase.0 {
            return false;
        }
        self.past.push((self.phase.0, milliseconds(self.in_phase())));
        self.phase = (phase, moment());
        true
    }

    /// Milliseconds of each phase after the plan, as receipts keep them.
    pub(crate) fn phases(&self) -> Vec<(String, u64)> {
        let now = (self.phase.0, milliseconds(self.in_phase()));
        let all = self.past.iter().copied().chain([now]);
        all.filter(|(phase, _)| !matches!(phase, Phase::Plan | Phase::Done))
            .map(|(phase, time)| (phase.name().to_owned(), time))
            .collect()
    }
}

/// Something that happened in a migration.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Event {
    /// When.
    pub time: Timestamp,
    /// Of which migration.
    pub id: String,
    /// In which phase.
    pub phase: Phase,
    /// What.
    #[serde(flatten)]
    pub what: What,
}

impl Event {
    /// The last one of a migration.
    pub(crate) fn result(id: &str, time: Timestamp, receipt: Receipt) -> Self {
        Self { time, id: id.to_owned(), phase: Phase::Done, what: What::Result(Box::new(Conclusion::of(receipt))) }
    }
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub(crate) enum What {
    /// The phase has begun.
    Begun,
    /// How far the data is.
    Progress(Progress),
    /// The CPUs on the source have stopped: the point of no return.
    Switched,
    /// Somebody or a limit asked for the end, which comes as soon as what is under way allows.
    Stopping {
        /// Why.
        why: String,
        /// Whether a signal asked: then another one is a second wish.
        #[serde(skip)]
        by_signal: bool,
    },
    /// Something worth saying that changes nothing.
    Note {
        /// One sentence.
        message: String,
    },
    /// A step back.
    Undoing {
        /// What is undone.
        step: String,
    },
    /// The end; the last event.
    Result(Box<Conclusion>),
}

/// The answer to a wish to stop after switch-over.
pub(crate) const TOO_LATE: &str = "too late to stop: the guest is being switched over, which goes on";

/// How far the data is, as libvirt counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(into = "Known")]
pub(crate) struct Progress {
    /// Since the job began.
    pub elapsed_ms: u64,
    /// How long libvirt has not said any numbers, while it does not.
    pub silent_ms: u64,
    /// Memory of the guest in bytes; 0 while it is not known.
    pub memory_total: u64,
    /// Bytes of memory sent or found to be zero.
    pub memory_processed: u64,
    /// Bytes of memory still to send; it rises again when the guest writes.
    pub memory_remaining: u64,
    /// Bytes of device state sent. Nobody knows a total.
    pub device_bytes: u64,
    /// Bytes of device state still to send, where the source's QEMU says it (from 11.1 on).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device_remaining: Option<u64>,
    /// Bytes of copied disks.
    pub disk_processed: u64,
    /// Bytes of disks still to copy.
    pub disk_remaining: u64,
    /// Bytes per second.
    pub rate: u64,
    /// Pass over the memory, from 1.
    pub iteration: u64,
}

/// The numbers that are known, as machines read them: an unknown one is absent, since 0 would be a statement.
#[derive(Debug, Serialize)]
struct Known {
    elapsed_ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    silent_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    memory_total: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    memory_processed: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    memory_remaining: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    device_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    disk_processed: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    disk_remaining: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rate: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    iteration: Option<u64>,
}

impl From<Progress> for Known {
    fn from(progress: Progress) -> Self {
        let counted = |number: u64| Some(number).filter(|number| *number > 0);
        let memory = |number: u64| Some(number).filter(|_| progress.memory_total > 0);
        let disks = |number: u64| Some(number).filter(|_| progress.disk_processed + progress.disk_remaining > 0);
        Self {
            elapsed_ms: progress.elapsed_ms,
            silent_ms: counted(progress.silent_ms),
            memory_total: counted(progress.memory_total),
            memory_processed: memory(progress.memory_processed),
            memory_remaining: memory(progress.memory_remaining),
            device_bytes: counted(progress.device_bytes),
            disk_processed: disks(progress.disk_processed),
            disk_remaining: disks(progress.disk_remaining),
            rate: counted(progress.rate),
            iteration: counted(progress.iteration),
        }
    }
}

/// The end of a migration: its receipt, with the verdict on the devices' state in one word.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Conclusion {
    /// `verified`, `lost`, `not verified`, or `nothing to prove`.
    pub device_state: Option<&'static str>,
    /// The receipt.
    #[serde(flatten)]
    pub receipt: Receipt,
}

impl Conclusion {
    /// Of this receipt.
    pub(crate) fn of(receipt: Receipt) -> Self {
        let device_state = receipt.verdict.as_ref().map(|verdict| match verdict {
            Verdict::NothingToProve => "nothing to prove",
            Verdict::Verified => "verified",
            Verdict::Lost { .. } => "lost",
            Verdict::NotVerified { .. } => "not verified",
        });
        Self { device_state, receipt }
    }
}
