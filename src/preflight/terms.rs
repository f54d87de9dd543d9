//! What the operator asks of the migration itself, as far as checks depend on it, and the limit of the pause that follows.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::finding::Rule;
use crate::model::pauses::Pauses;
use crate::model::policy::Policies;
use crate::model::size::bytes;
use crate::model::snapshot::storage::Image;

/// What the network between two hosts is taken for while nobody says otherwise: 10 Gbit/s.
const ASSUMED_BYTES_PER_SECOND: u64 = 1_250_000_000;

/// QEMU's own limit of the pause.
pub(crate) const DEFAULT_DOWNTIME_MS: u64 = 300;

/// The longest limit QEMU takes (`MAX_MIGRATE_DOWNTIME` of its migration/options.h).
pub(crate) const LONGEST_DOWNTIME_MS: u64 = 2_000_000;

/// The limit of the pause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Downtime {
    /// As the hypervisor has it.
    #[default]
    Hypervisor,
    /// As long as the devices' state needs.
    Auto,
    /// So long.
    Limit(Duration),
}

/// What becomes of guests that a management system owns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Owned {
    /// Whose they are is said.
    #[default]
    Told,
    /// They stay: their owners move them.
    Stay,
    /// Nova is told to move its own; the others stay.
    ByNova,
}

/// What the operator asks.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Terms {
    /// What becomes of guests that somebody else owns.
    pub owned: Owned,
    /// Ports stay plugged in.
    pub no_detach: bool,
    /// Limit of the pause.
    pub downtime: Downtime,
    /// The longest pause that the estimate may reach.
    pub max_pause: Option<Duration>,
    /// The operator's policies for guests.
    pub policies: Policies,
    /// How long guests were paused.
    pub pauses: Arc<Pauses>,
    /// Checks that may fail or be unknown, by code; `all`: whatever is unknown.
    pub allow: Vec<String>,
    /// Limit of the bandwidth in MiB per second.
    pub bandwidth: Option<u64>,
    /// Bandwidth that can be counted on at switchover, in MiB per second.
    pub switchover_bandwidth: Option<u64>,
    /// Whether the data is encrypted by QEMU.
    pub tls: bool,
    /// Number of connections, where there are several (multifd).
    pub parallel: Option<u32>,
    /// Whether pvm moves a guest that somebody else owns.
    pub bypass_owner: bool,
    /// Disks that are copied, by target name.
    pub copies: BTreeMap<String, Copied>,
}

/// A disk that is copied, as both hosts see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copied {
    /// Its path, the same on both.
    pub path: String,
    /// Its format by the guest's definition.
    pub format: Option<String>,
    /// What the source says, or why nothing.
    pub source: Result<Image, String>,
    /// What the destination says, or why nothing.
    pub target: Result<Image, String>,
    /// Whether one kernel answered for both: then device numbers can be compared.
    pub same_kernel: bool,
}

/// The limit that was chosen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DowntimeLimit {
    /// Milliseconds; `None`: the hypervisor's own limit stays.
    pub ms: Option<u64>,
    /// Why.
    pub why: String,
}

/// A bandwidth and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    bytes_per_second: u64,
    /// For sentences.
    pub words: String,
}

impl Link {
    fn of(mebibytes: Option<u64>, option: &str) -> Self {
        match mebibytes {
            Some(mebibytes) => Self {
                bytes_per_second: mebibytes.max(1).saturating_mul(1 << 20),
                words: format!("{mebibytes} MiB/s ({option})"),
            },
            None => Self { bytes_per_second: ASSUMED_BYTES_PER_SECOND, words: "10 Gbit/s assumed".to_owned() },
        }
    }

    /// How long so many bytes take.
    pub fn milliseconds(&self, bytes: u64) -> u64 {
        u64::try_from(u128::from(bytes) * 1000 / u128::from(self.bytes_per_second)).unwrap_or(u64::MAX)
    }
}

impl Terms {
    /// Whether the operator allows this check by its code.
    pub(crate) fn allows(&self, rule: &Rule) -> bool {
        self.allow.iter().any(|code| *code == rule.code)
    }

    /// Over which memory is copied.
    pub fn link(&self) -> Link {
        Link::of(self.bandwidth, "--bandwidth")
    }

    /// How many migrations the link carries at once, each at its own limit of the bandwidth.
    pub fn link_carries(&self) -> u64 {
        ASSUMED_BYTES_PER_SECOND / self.link().bytes_per_second.max(1)
    }

    /// By which QEMU decides whether the rest fits the limit: what it has measured, which a limited bandwidth keeps low, or
    /// what it was told.
    pub fn link_at_decision(&self) -> Link {
        match self.switchover_bandwidth {
            Some(_) => self.link_at_switchover(),
            None => self.link(),
        }
    }

    /// Over which the rest goes: the limit of the bandwidth ends at switchover.
    pub fn link_at_switchover(&self) -> Link {
        Link::of(self.switchover_bandwidth, "--switchover-bandwidth")
    }

    /// The limit, where it is to be chosen: for devices that say how much state they have (`None`: they do not), or else sent
    /// so much in an earlier attempt. Twice of what is needed: the rest of the memory goes with it, and the link may be
    /// slower.
    pub fn downtime_limit(&self, devices: bool, state: Option<u64>, sent: Option<u64>) -> Option<DowntimeLimit> {
        if self.downtime != Downtime::Auto {
            return None;
        }
        let limit = |ms, why| Some(DowntimeLimit { ms, why });
        let default = default_downtime();
        if !devices {
            return limit(None, format!("{default}: no device moves with its state"));
        }
        let (state, kind) = match (state, sent) {
            (Some(state), _) => (state, "device state"),
            (None, Some(sent)) if sent > 0 => (sent, "device state, sent in an earlier attempt,"),
            (None, _) => return limit(None, format!("{default}: how much state the devices have is not known")),
        };
        let link = self.link_at_decision();
        let needed = link.milliseconds(state);
        let twice = needed.saturating_mul(2);
        let (state, words) = (bytes(state), &link.words);
        if twice <= DEFAULT_DOWNTIME_MS {
            return limit(None, format!("{default}: {state} of {kind} need {needed} ms at {words}"));
        }
        let chosen = twice.min(LONGEST_DOWNTIME_MS);
        limit(Some(chosen), format!("twice the {needed} ms that {state} of {kind} need at {words}"))
    }
}

/// QEMU's own limit, which stays where no other is set.
pub(crate) fn default_downtime() -> String {
    format!("{DEFAULT_DOWNTIME_MS} ms (QEMU default, unless it was changed)")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(terms: &Terms, state: Option<u64>) -> DowntimeLimit {
        Terms { downtime: Downtime::Auto, ..terms.clone() }.downtime_limit(true, state, None).unwrap()
    }

    #[test]
    fn the_limit_follows_state_and_bandwidth() {
        let terms = Terms::default();
        assert_eq!(terms.downtime_limit(true, Some(1 << 30), None), None, "nobody asked for it");
        assert_eq!(chosen(&terms, Some(1 << 30)).ms, Some(2 * 858));
        assert_eq!(chosen(&terms, Some(16 << 20)).ms, None);
        assert!(chosen(&terms, None).why.contains("not known"));
        let auto = Terms { downtime: Downtime::Auto, ..terms };
        assert_eq!(auto.downtime_limit(true, None, Some(1 << 30)).unwrap().ms, Some(2 * 858));
        assert_eq!(auto.downtime_limit(false, Some(0), Some(1 << 30)).unwrap().ms, None);
        // A limited bandwidth lets QEMU think that the state needs long, unless it is told otherwise.
        let slow = Terms { bandwidth: Some(100), ..Terms::default() };
        assert_eq!(chosen(&slow, Some(100 << 20)).ms, Some(2000));
        let told = Terms { switchover_bandwidth: Some(1000), ..slow };
        assert_eq!(chosen(&told, Some(100 << 20)).ms, None);
        assert_eq!(chosen(&told, Some(u64::MAX)).ms, Some(LONGEST_DOWNTIME_MS));
    }
}
