//! The records of a migration's journal. One is written before each change, so whatever is not recorded has not begun.
//!
//! They never hold a secret: domain XML is not in them, only the XML of detached ports, which has none.

use serde::{Deserialize, Serialize};

use crate::model::device_move::{DeviceMove, Instance};
use crate::model::options::Options;
use crate::model::pci::PciAddress;
use crate::model::time::Timestamp;
use crate::proof::Verdict;

/// The version of the records this build writes, and the newest it reads.
pub(crate) const VERSION: u32 = 1;

/// One line of a journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// [`VERSION`].
    pub v: u32,
    /// Position in the journal, from 1.
    pub seq: u64,
    /// When it was written, by the clock of the host pvm runs on.
    pub time: Timestamp,
    /// What it says.
    #[serde(flatten)]
    pub entry: Entry,
}

/// What a record says. `…Intent` and `…Requested` stand before a change, the others after an observation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "kebab-case")]
pub enum Entry {
    /// The first record of every journal: what is going to be done.
    Plan(Box<Plan>),
    /// Devices of the destination are about to be claimed for this migration.
    Claim {
        /// The map, complete.
        map: Vec<DeviceMove>,
    },
    /// Fresh facts were read and the plan still holds. The last record before anything is touched.
    Recheck,
    /// The guest is about to be marked in its live metadata, which every machine sees. Not a phase: the records before it
    /// stand.
    MarkIntent,
    /// A port is about to be unplugged from the guest.
    UnplugRequested {
        /// The port, with what is needed to plug it in again.
        port: Port,
    },
    /// The guest has let go of the port.
    Detached {
        /// The port's address on the source.
        source: PciAddress,
    },
    /// libvirt is about to be told to migrate.
    PerformIntent(PerformIntent),
    /// Nova is about to be told to migrate.
    NovaRequest(PerformIntent),
    /// Nova has taken that. Not a phase: the records before it stand.
    NovaAccepted {
        /// The id under which Nova files what becomes of it.
        request: Option<String>,
    },
    /// Nova is about to be told to abort. Not a phase: the records before it stand.
    NovaAbort {
        /// The number of the migration on Nova's record.
        migration: u64,
    },
    /// libvirt answered that a device was taken in between, or Nova has chosen by itself: the migration goes on with another
    /// map. Not a phase: the records before it stand.
    Reclaim {
        /// The new map, complete.
        map: Vec<DeviceMove>,
    },
    /// The source was seen paused for migration: the point of no return.
    Switched,
    /// libvirt's call returned.
    PerformReturned {
        /// Its error; none is success.
        error: Option<String>,
        /// Bytes of device state the source sent.
        vfio_bytes: Option<u64>,
        /// Whether the source's daemon did not reach the destination's, so that nothing moved.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        peer_unreached: bool,
    },
    /// The proof was made. A verdict once recorded is not computed again: logs rotate.
    Verify {
        /// On which side the devices were looked at.
        side: Side,
        /// What came out.
        verdict: Verdict,
    },
    /// The proof was made while the source did not answer. Not a phase: the records before it stand.
    Proof {
        /// What came out on the destination.
        verdict: Verdict,
    },
    /// A port is about to be plugged in.
    AttachIntent {
        /// The port's address on the source.
        source: PciAddress,
        /// The device it gets.
        device: PciAddress,
    },
    /// The port is plugged in.
    Attached {
        /// The port's address on the source.
        source: PciAddress,
        /// The device it has.
        device: PciAddress,
    },
    /// The guest is where it should be; what is left over is about to be removed.
    Cleanup,
    /// A step back is about to be made.
    UndoIntent {
        /// Which.
        step: Step,
    },
    /// A step back was made.
    UndoDone {
        /// Which.
        step: Step,
    },
    /// The operator decided. Holds for every later run of recovery.
    Decision {
        /// Which copy to keep.
        keep: Option<Keep>,
        /// The source will not come back: it is powered off or fenced.
        source_is_dead: bool,
        /// The destination will not come back: it is powered off or fenced.
        destination_is_dead: bool,
    },
    /// Recovery is about to change something. Not a phase: the records before it stand.
    RecoverIntent {
        /// Row of the decision table.
        row: String,
        /// The change.
        step: Step,
    },
    /// The migration is complete: nothing is left to do.
    Done {
        /// What it came to.
        receipt: Receipt,
    },
    /// The migration is undone: nothing is left to do.
    Undone {
        /// What it came to.
        receipt: Receipt,
    },
}

impl Entry {
    /// Whether it need not be on disk before the next record is: it announces no change to a host, and what it says can be
    /// seen again.
    pub const fn waits_for_the_next(&self) -> bool {
        matches!(self, Self::Claim { .. } | Self::Recheck | Self::PerformReturned { .. } | Self::Verify { .. })
    }

    /// The record's name, as in the file.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Plan(_) => "plan",
            Self::Claim { .. } => "claim",
            Self::Recheck => "recheck",
            Self::MarkIntent => "mark-intent",
            Self::UnplugRequested { .. } => "unplug-requested",
            Self::Detached { .. } => "detached",
            Self::PerformIntent(_) => "perform-intent",
            Self::NovaRequest(_) => "nova-request",
            Self::NovaAccepted { .. } => "nova-accepted",
            Self::NovaAbort { .. } => "nova-abort",
            Self::Reclaim { .. } => "reclaim",
            Self::Switched => "switched",
            Self::PerformReturned { .. } => "perform-returned",
            Self::Verify { .. } => "verify",
            Self::Proof { .. } => "proof",
            Self::AttachIntent { .. } => "attach-intent",
            Self::Attached { .. } => "attached",
            Self::Cleanup => "cleanup",
            Self::UndoIntent { .. } => "undo-intent",
            Self::UndoDone { .. } => "undo-done",
            Self::Decision { .. } => "decision",
            Self::RecoverIntent { .. } => "recover-intent",
            Self::Done { .. } => "done",
            Self::Undone { .. } => "undone",
        }
    }
}

/// What is going to be done.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Plan {
    /// The migration's id; also the journal's file name.
    pub id: String,
    /// Version of the pvm that wrote it.
    pub pvm_version: String,
    /// The guest.
    pub instance: Instance,
    /// The machine that keeps this journal.
    pub machine: String,
    /// Where it runs.
    pub source: Host,
    /// What to call that host: `local` has a name too.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub source_label: String,
    /// Where it goes.
    pub destination: Host,
    /// URI under which the source's daemon reaches the destination's.
    pub destination_uri: String,
    /// Where the data goes; `None`: libvirt's choice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub migrate_uri: Option<String>,
    /// The device map.
    pub map: Vec<DeviceMove>,
    /// What the guest has in common with others whose pauses are compared with its own: see `model::pauses`. Journals of pvm 0.1
    /// have none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Ports, in the order in which they are unplugged.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<Port>,
    /// Whether pvm holds both connections (no peer to peer).
    pub direct: bool,
    /// Whether the guest is persistent on the source: its definition is removed there after the move.
    pub undefine_source: bool,
    /// Whether the guest is defined on the destination.
    pub persist_destination: bool,
    /// Whether the guest starts with its host.
    pub autostart: bool,
    /// Whether the guest is paused, and stays so.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub paused: bool,
    /// Whether it is a rehearsal, to be aborted before switch-over.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub rehearsal: bool,
    /// How it is done.
    pub parameters: Options,
    /// Nova's part in it, where Nova owns the guest and moves it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nova: Option<Managed>,
}

/// What has to be known of a guest that Nova moves, to ask for it again: no secret is in it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Managed {
    /// The entry of clouds.yaml; none when the environment (`OS_*`) described the cloud.
    pub cloud: Option<String>,
    /// Nova's name of the host where the guest runs.
    pub source: String,
    /// Nova's name of the host where it goes.
    pub destination: String,
    /// The number of the newest migration that Nova had on record for the guest before; 0: none.
    pub before: u64,
}

impl Plan {
    /// What to call the host that the guest runs on.
    pub(crate) fn source_name(&self) -> &str {
        if self.source_label.is_empty() { &self.source.name } else { &self.source_label }
    }

    /// The devices that move with their state. Ports are unplugged by then.
    pub fn moving_state(&self) -> impl Iterator<Item = &DeviceMove> {
        self.map.iter().filter(|moved| moved.moves_state())
    }

    /// What a migration that ended on the source leaves of the disks it was to copy; empty when there are none.
    pub fn left_of_copies(&self) -> String {
        let left = |(disk, path)| {
            format!("; whatever was copied of disk {disk} is still on {}: {path}", self.destination.name)
        };
        self.copied_disks().map(left).collect()
    }

    /// Disks that are copied: target name and path.
    pub fn copied_disks(&self) -> impl Iterator<Item = (&str, &str)> {
        self.parameters.copy_disks.iter().map(|(disk, path)| (disk.as_str(), path.as_str()))
    }
}

/// A host.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Host {
    /// Its name, as the operator gave it.
    pub name: String,
    /// Its libvirt, as this machine reaches it.
    pub uri: String,
    /// Its UUID, as its libvirt said it, which alone tells it from another host under that name. Journals of pvm 0.1 have none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uuid: Option<String>,
}

/// A port that is unplugged for the migration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Port {
    /// Its address on the source.
    pub source: PciAddress,
    /// libvirt's alias for it.
    pub alias: Option<String>,
    /// The element of the source's domain XML.
    pub source_xml: String,
    /// The element for the destination.
    pub destination_xml: String,
    /// Whether it is in the guest's persistent definition too.
    pub persistent: bool,
    /// The device that `destination_xml` names.
    #[serde(default)]
    pub planned: Option<PciAddress>,
    /// Other devices of the destination that were free and on the same physical network, best first.
    #[serde(default)]
    pub alternatives: Vec<PciAddress>,
}

/// The guest as it was when libvirt was told to migrate it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct PerformIntent {
    /// libvirt's id of the running domain on the source.
    pub domain_id: Option<u32>,
    /// Its state, in libvirt's word: `running`, `paused`, ….
    pub state: String,
    /// The state's reason, in libvirt's word: `booted`, `migrated`, `unpaused`, ….
    pub reason: String,
    /// Which try this is, from 1.
    pub attempt: u32,
    /// Its limit of the pause in milliseconds, which the migration may change: as virDomainMigrateGetMaxDowntime says.
    pub max_downtime_ms: Option<u64>,
    /// The checksum of its definition on the source, which tells that one from a definition that somebody makes later. None
    /// for a transient guest, and in journals of pvm 0.1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub definition: Option<String>,
    /// Whether its autostart is about to be taken off, so that a source that reboots does not start a second copy.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub autostart_off: bool,
}

/// One of the two hosts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Side {
    /// Where the guest was.
    Source,
    /// Where it goes.
    Destination,
}

/// Which copy the operator keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Keep {
    /// The source's.
    Src,
    /// The destination's.
    Dst,
    /// Neither.
    None,
}

/// One change that an undo or a recovery makes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "kebab-case")]
pub enum Step {
    /// Plug a port in on the source again.
    ReattachOnSource {
        /// Its address on the source.
        source: PciAddress,
    },
    /// Plug a port in on the destination.
    AttachOnDestination {
        /// Its address on the source.
        source: PciAddress,
        /// The device it gets.
        device: PciAddress,
    },
    /// Abort the running job on the source.
    AbortJob,
    /// Tell the source's QEMU to go on with cancelling.
    GoOnCancelling,
    /// Stop the source's CPUs for a moment, which its daemon waits for after a cancel.
    WakeDaemon,
    /// Suspend the source's copy.
    SuspendSource,
    /// Suspend the destination's copy.
    SuspendDestination,
    /// Let the source's copy run.
    ResumeSource,
    /// Let the destination's copy run.
    ResumeDestination,
    /// Destroy the source's copy.
    DestroySource,
    /// Destroy the destination's copy.
    DestroyDestination,
    /// Remove the source's definition.
    UndefineSource,
    /// Remove the destination's definition.
    UndefineDestination,
    /// Take the mark off the guest.
    RemoveMark,
    /// Let the guest start with the source again.
    RestoreAutostart,
    /// Give the claimed devices back.
    ReleaseClaims,
}

/// What a migration came to.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Receipt {
    /// The exit code it ended with.
    pub exit_code: u8,
    /// Name of the host the guest runs on; none when nobody knows.
    pub runs_on: Option<String>,
    /// One sentence.
    pub summary: String,
    /// Time per phase in milliseconds, in order.
    pub phases: Vec<(String, u64)>,
    /// From the first record to the last, in milliseconds.
    pub total_ms: Option<u64>,
    /// The downtime, as libvirt reports it.
    pub downtime_ms: Option<u64>,
    /// Bytes of memory sent.
    pub memory_bytes: Option<u64>,
    /// Bytes of device state sent.
    pub vfio_bytes: Option<u64>,
    /// What became of the devices' state.
    pub verdict: Option<Verdict>,
    /// The device map as it came to be.
    pub map: Vec<DeviceMove>,
    /// Ports the guest is known to be without, unplugged and not plugged in again: addresses on the source.
    pub missing_ports: Vec<PciAddress>,
}
