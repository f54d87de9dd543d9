//! What happens, as data: a bar, lines or NDJSON are made of it.

use serde::Serialize;

use super::step::Phase;
use crate::journal::Receipt;
use crate::model::time::Timestamp;
use crate::proof::Verdict;

/// Something that happened in a migration.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Event {
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
    pub fn result(id: &str, time: Timestamp, receipt: Receipt) -> Self {
        Self { time, id: id.to_owned(), phase: Phase::Done, what: What::Result(Box::new(Conclusion::of(receipt))) }
    }
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum What {
    /// The phase has begun.
    Begun,
    /// How far the data is.
    Progress(Progress),
    /// The CPUs on the source have stopped: the point of no return.
    Switched,
    /// Somebody or a limit asked for the end; the job is being aborted.
    Stopping {
        /// Why.
        why: String,
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

/// How far the data is, as libvirt counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Progress {
    /// Since the job began.
    pub elapsed_ms: u64,
    /// Memory of the guest in bytes; 0 while it is not known.
    pub memory_total: u64,
    /// Bytes of memory sent or found to be zero.
    pub memory_processed: u64,
    /// Bytes of memory still to send; it rises again when the guest writes.
    pub memory_remaining: u64,
    /// Bytes of device state sent. Nobody knows a total.
    pub device_bytes: u64,
    /// Bytes of copied disks.
    pub disk_processed: u64,
    /// Bytes of disks still to copy.
    pub disk_remaining: u64,
    /// Bytes per second.
    pub rate: u64,
    /// Pass over the memory, from 1.
    pub iteration: u64,
}

/// The end of a migration: its receipt, with the verdict on the devices' state in one word.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Conclusion {
    /// `verified`, `lost`, `not verified`, or `nothing to prove`.
    pub device_state: Option<&'static str>,
    /// The receipt.
    #[serde(flatten)]
    pub receipt: Receipt,
}

impl Conclusion {
    /// Of this receipt.
    pub fn of(receipt: Receipt) -> Self {
        let device_state = receipt.verdict.as_ref().map(|verdict| match verdict {
            Verdict::NothingToProve => "nothing to prove",
            Verdict::Verified => "verified",
            Verdict::Lost { .. } => "lost",
            Verdict::NotVerified { .. } => "not verified",
        });
        Self { device_state, receipt }
    }
}
