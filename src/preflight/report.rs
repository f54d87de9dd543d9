//! The document `pvm.preflight/1`.

use serde::{Deserialize, Serialize};

use super::terms::DowntimeLimit;
use super::verdict::{Compatibility, Row};
use crate::model::device_move::DeviceMove;
use crate::model::pauses::Pause;
use crate::model::snapshot::Unknown;
use crate::plan::{NovaAnswer, Unmet};

/// The schema this build writes.
pub(crate) const SCHEMA: &str = "pvm.preflight/1";

/// What preflight says about two hosts and guests of the first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// [`SCHEMA`].
    pub schema: String,
    /// Name of the host the guests run on.
    pub source: String,
    /// Name of the host they would go to.
    pub destination: String,
    /// The worst of all.
    pub verdict: Compatibility,
    /// What concerns the hosts, whatever the guest.
    pub checks: Vec<Row>,
    /// One per guest.
    pub instances: Vec<InstanceReport>,
    /// How many guests run on the source without host devices, which were not looked at.
    #[serde(default, skip_serializing_if = "is_none")]
    pub others: usize,
    /// How many devices of each kind could move each way; absent when a guest was named.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub capacity: Vec<Capacity>,
    /// Hosts that only libvirt told about, with the reason: most of what is unknown is unknown for that.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub by_libvirt: Vec<Unknown>,
    /// Facts that the verdict waits for.
    #[serde(default)]
    pub unknown: Vec<Unknown>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "it is what serde passes")]
fn is_none(count: &usize) -> bool {
    *count == 0
}

impl Report {
    /// What makes one destination better than another: fewer guests that cannot move, then fewer remarks.
    pub fn rank(&self) -> (usize, Compatibility, usize) {
        let cannot = self.instances.iter().filter(|i| i.verdict >= Compatibility::Unknown).count();
        let remarks = self.checks.len() + self.instances.iter().map(|i| i.checks.len()).sum::<usize>();
        (cannot, self.verdict, remarks)
    }
}

/// The first reason for a verdict that is no "yes": what can be done about it comes first, and what the devices lack before that
/// there is no map.
pub(crate) fn first_reason<'a>(rows: impl Iterator<Item = &'a Row>, verdict: Compatibility) -> Option<&'a Row> {
    let is_reason = |row: &&Row| verdict >= Compatibility::Unknown && row.compatibility() == verdict;
    rows.filter(is_reason).min_by_key(|row| (row.finding.remedy.is_none(), row.finding.code == "device-map"))
}

/// What preflight says about one guest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InstanceReport {
    /// Name.
    pub name: String,
    /// UUID.
    pub uuid: String,
    /// The worst of its checks and those of the hosts.
    pub verdict: Compatibility,
    /// Which device it gets for each it has; empty when there is no map.
    pub map: Vec<DeviceMove>,
    /// Its checks.
    pub checks: Vec<Row>,
    /// What Nova would do.
    pub nova: NovaAnswer,
    /// Requests that cannot be met together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unmet: Option<Unmet>,
    /// How long it will take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub estimate: Option<Estimate>,
    /// The limit of the pause, where pvm chooses it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub downtime_limit: Option<DowntimeLimit>,
}

/// How long a migration will take.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// Memory and device state.
    pub bytes: u64,
    /// At the assumed rate, without memory written again meanwhile.
    pub seconds: f64,
    /// For the state that moves while the guest is paused; `None` (`null`) when a device does not report its size.
    #[serde(default)]
    pub downtime_ms: Option<u64>,
    /// Between which times the pause lies by what earlier migrations took; `None` (`null`) where too few are on record.
    #[serde(default)]
    pub pause: Option<Pause>,
    /// What it rests on.
    pub source: String,
    /// How far off it may be, as a factor either way.
    pub error: String,
}

/// How many devices of one kind could move each way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capacity {
    /// `vendor:product` and driver.
    pub kind: String,
    /// Devices that guests of the source hold.
    pub source_used: usize,
    /// Of those, how many the destination has room for.
    pub to_destination: usize,
    /// Devices that guests of the destination hold.
    pub destination_used: usize,
    /// Of those, how many the source has room for.
    pub to_source: usize,
}
