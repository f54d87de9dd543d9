//! What the engine is told to do: a plan in the terms of libvirt.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use crate::journal;
use crate::model::device_move::DeviceMove;

/// One migration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// Its id.
    pub id: String,
    /// The machine that keeps its journal.
    pub machine: String,
    /// Migrations whose marks may be in the guest, because their journals are on this machine and closed.
    pub known_marks: Vec<String>,
    /// The guest.
    pub instance: journal::Instance,
    /// Where it runs.
    pub source: journal::Host,
    /// What to call it: `local` has a name too.
    pub source_label: String,
    /// Where it goes.
    pub destination: journal::Host,
    /// URI under which the source's daemon reaches the destination's.
    pub destination_uri: String,
    /// Where the data goes; `None`: libvirt's choice.
    pub migrate_uri: Option<String>,
    /// What happens to each host device.
    pub map: Vec<DeviceMove>,
    /// Ports, in the order in which they are unplugged.
    pub ports: Vec<journal::Port>,
    /// Whether the guest has a persistent definition, which then moves along.
    pub persistent: bool,
    /// Whether it starts with its host.
    pub autostart: bool,
    /// Whether it is paused, and stays so.
    pub paused: bool,
    /// How it is done.
    pub options: Options,
}

/// How a migration is done.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Options {
    /// Limit of the downtime; `None`: libvirt's.
    pub max_downtime: Option<Duration>,
    /// Whether that limit is raised while there is no progress, up to [`LONGEST_RAISED_MS`](super::LONGEST_RAISED_MS).
    pub raise_downtime: bool,
    /// Limit of the bandwidth in MiB per second; `None`: no limit.
    pub bandwidth: Option<u64>,
    /// What can be counted on at switch-over, in MiB per second; `None`: what QEMU measures.
    pub switchover_bandwidth: Option<u64>,
    /// After this time, unless it is in switch-over, it is aborted and undone.
    pub timeout: Option<Duration>,
    /// Encrypt the data.
    pub tls: bool,
    /// Number of connections; `None`: one.
    pub parallel: Option<u32>,
    /// Whether pvm holds both connections, instead of the source's daemon.
    pub direct: bool,
    /// Disks that are copied: target name and path.
    pub copy_disks: BTreeMap<String, String>,
    /// Whether a device state that could not be proved is a failure.
    pub require_proof: bool,
}

impl Options {
    /// By name, as plans and journals keep them.
    pub fn parameters(&self) -> BTreeMap<String, Value> {
        let milliseconds = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let all = [
            ("max_downtime_ms", self.max_downtime.map(|time| milliseconds(time).into())),
            ("raise_downtime", self.raise_downtime.then_some(Value::Bool(true))),
            ("timeout_ms", self.timeout.map(|time| milliseconds(time).into())),
            ("bandwidth_mib", self.bandwidth.map(Value::from)),
            ("switchover_bandwidth_mib", self.switchover_bandwidth.map(Value::from)),
            ("parallel", self.parallel.map(Value::from)),
            ("direct", self.direct.then_some(Value::Bool(true))),
            ("tls", self.tls.then_some(Value::Bool(true))),
            ("copy_disks", (!self.copy_disks.is_empty()).then(|| serde_json::json!(self.copy_disks))),
            ("require_proof", self.require_proof.then_some(Value::Bool(true))),
        ];
        all.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
    }

    /// Of a plan; `None` when it has a parameter that this build does not know or cannot read.
    pub fn of(parameters: &BTreeMap<String, Value>) -> Option<Self> {
        let mut options = Self::default();
        for (name, value) in parameters {
            match name.as_str() {
                "max_downtime_ms" => options.max_downtime = Some(Duration::from_millis(value.as_u64()?)),
                "raise_downtime" => options.raise_downtime = value.as_bool()?,
                "timeout_ms" => options.timeout = Some(Duration::from_millis(value.as_u64()?)),
                "bandwidth_mib" => options.bandwidth = Some(value.as_u64()?),
                "switchover_bandwidth_mib" => options.switchover_bandwidth = Some(value.as_u64()?),
                "parallel" => options.parallel = Some(u32::try_from(value.as_u64()?).ok()?),
                "direct" => options.direct = value.as_bool()?,
                "tls" => options.tls = value.as_bool()?,
                "copy_disks" => options.copy_disks = serde_json::from_value(value.clone()).ok()?,
                "require_proof" => options.require_proof = value.as_bool()?,
                _ => return None,
            }
        }
        Some(options)
    }
}

impl Order {
    /// The devices that move with their state. Ports are unplugged by then.
    pub fn moving_state(&self) -> impl Iterator<Item = &DeviceMove> {
        self.map.iter().filter(|moved| moved.moves_state())
    }

    /// The first record of its journal.
    pub fn journal_plan(&self) -> journal::Plan {
        journal::Plan {
            id: self.id.clone(),
            pvm_version: env!("CARGO_PKG_VERSION").to_owned(),
            instance: self.instance.clone(),
            source: self.source.clone(),
            destination: self.destination.clone(),
            map: self.map.clone(),
            direct: self.options.direct,
            undefine_source: self.persistent,
            persist_destination: self.persistent,
            autostart: self.autostart,
            parameters: self.options.parameters(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_go_into_a_plan_and_come_out_again() {
        let options = Options {
            max_downtime: Some(Duration::from_millis(300)),
            raise_downtime: true,
            bandwidth: Some(100),
            switchover_bandwidth: Some(1000),
            timeout: Some(Duration::from_secs(600)),
            tls: true,
            direct: true,
            parallel: Some(4),
            copy_disks: BTreeMap::from([("vda".to_owned(), "/d".to_owned())]),
            require_proof: true,
        };
        assert_eq!(Options::of(&options.parameters()), Some(options));
        assert_eq!(Options::of(&Options::default().parameters()), Some(Options::default()));
        assert_eq!(Options::of(&BTreeMap::from([("warp".to_owned(), Value::Bool(true))])), None);
        assert_eq!(Options::of(&BTreeMap::from([("parallel".to_owned(), Value::from(-1))])), None);
    }
}
