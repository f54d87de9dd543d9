//! The document `pvm.drain/1`.

use serde::Serialize;

use crate::model::device_move::DeviceMove;
use crate::model::outcome::Outcome;
use crate::model::pauses::Pause;
use crate::model::pci::PciAddress;
use crate::preflight::Row;

/// The schema this build writes.
pub(crate) const SCHEMA: &str = "pvm.drain/1";

/// The plan that empties a host.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Drain {
    /// [`SCHEMA`].
    pub schema: &'static str,
    /// The host to be emptied.
    pub host: String,
    /// When its facts were read.
    pub taken_at: String,
    /// The hosts that guests may go to.
    pub destinations: Vec<Destination>,
    /// Guests that leave, in the order in which they start.
    pub moves: Vec<Leaving>,
    /// Guests that stay, by name.
    pub stays: Vec<Stay>,
    /// Whether no other plan moves more guests; false when the search ended at its limit.
    pub is_proved: bool,
    /// Seconds until the last move ends.
    pub seconds: f64,
    /// What the times rest on.
    pub source: String,
}

impl Drain {
    /// How the command ends: some stay, or it is not known whether all can go.
    pub fn outcome(&self) -> Outcome {
        if self.stays.iter().any(|stay| !stay.is_unknown) {
            Outcome::Findings
        } else if !self.stays.is_empty() || self.moves.iter().any(|leaving| !leaving.unknown.is_empty()) {
            Outcome::Unknown
        } else {
            Outcome::Fine
        }
    }
}

/// A host that guests may go to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Destination {
    /// Its name.
    pub host: String,
    /// When its facts were read.
    pub taken_at: String,
    /// How many guests it gets.
    pub guests: usize,
}

/// A guest that leaves.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Leaving {
    /// Its name.
    pub guest: String,
    /// Its UUID.
    pub uuid: String,
    /// Where it goes.
    pub destination: String,
    /// With which devices.
    pub map: Vec<DeviceMove>,
    /// Seconds after the beginning at which it starts.
    pub start: f64,
    /// Seconds it takes.
    pub seconds: f64,
    /// Downtime for the state of its devices; `None` (`null`) when that is not known.
    pub downtime_ms: Option<u64>,
    /// Between which times the pause lies by what earlier migrations took; `None` (`null`) where too few are on record.
    pub pause: Option<Pause>,
    /// The policies that were kept to.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub policies: Vec<Kept>,
    /// The slots it takes.
    #[serde(skip)]
    pub slots: Vec<Held>,
    /// The number of its destination among the hosts that were planned with.
    #[serde(skip)]
    pub at: usize,
    /// What is not known, and is checked by libvirt or QEMU before the guest is paused.
    pub unknown: Vec<Row>,
}

/// A policy that a plan keeps to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Kept {
    /// Its name, as in pvm.yaml.
    pub policy: &'static str,
    /// What it says.
    pub value: String,
    /// Where it says so.
    pub by: String,
}

/// Slots that a move takes of a host, or of one of its PFs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// The host; none: the one that is emptied.
    pub host: Option<usize>,
    /// The PF; none: the host itself.
    pub pf: Option<PciAddress>,
    /// How many it takes.
    pub count: usize,
    /// How many there are.
    pub most: usize,
}

/// A guest that stays.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Stay {
    /// Its name.
    pub guest: String,
    /// Its UUID.
    pub uuid: String,
    /// Whether all that keeps it is a fact that is not known.
    pub is_unknown: bool,
    /// The destination that comes nearest; empty where none was asked, because a policy keeps the guest.
    pub nearest: String,
    /// Why, in one sentence.
    pub why: String,
    /// The check that says so; `None` when the destinations are full.
    pub code: Option<String>,
    /// What would let it go.
    pub remedy: Option<String>,
}
