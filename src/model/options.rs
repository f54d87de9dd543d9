//! How a migration is done: by the command line and settings, in plans and in journals.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How a migration is done. A name that this build does not know is an error: what it asks for would not be done.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Limit of the downtime; `None`: libvirt's.
    #[serde(rename = "max_downtime_ms", with = "milliseconds", skip_serializing_if = "Option::is_none")]
    pub max_downtime: Option<Duration>,
    /// The longest pause that the estimate may reach; `None`: any.
    #[serde(rename = "max_pause_ms", with = "milliseconds", skip_serializing_if = "Option::is_none")]
    pub max_pause: Option<Duration>,
    /// Whether that limit is raised while there is no progress.
    #[serde(skip_serializing_if = "is_false")]
    pub raise_downtime: bool,
    /// Limit of the bandwidth in MiB per second; `None`: no limit.
    #[serde(rename = "bandwidth_mib", skip_serializing_if = "Option::is_none")]
    pub bandwidth: Option<u64>,
    /// What can be counted on at switch-over, in MiB per second; `None`: what QEMU measures.
    #[serde(rename = "switchover_bandwidth_mib", skip_serializing_if = "Option::is_none")]
    pub switchover_bandwidth: Option<u64>,
    /// After this time, unless it is in switch-over, it is aborted and undone.
    #[serde(rename = "timeout_ms", with = "milliseconds", skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Duration>,
    /// Encrypt the data.
    #[serde(skip_serializing_if = "is_false")]
    pub tls: bool,
    /// Number of connections; `None`: one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parallel: Option<u32>,
    /// Whether pvm holds both connections, instead of the source's daemon.
    #[serde(skip_serializing_if = "is_false")]
    pub direct: bool,
    /// Disks that are copied: target name and path.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub copy_disks: BTreeMap<String, String>,
    /// Whether a device state that could not be proved is a failure.
    #[serde(skip_serializing_if = "is_false")]
    pub require_proof: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "it is what serde passes")]
fn is_false(flag: &bool) -> bool {
    !flag
}

/// A time as whole milliseconds.
mod milliseconds {
    use std::time::Duration;

    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    #[expect(clippy::ref_option, reason = "it is what serde passes")]
    pub(super) fn serialize<S: Serializer>(time: &Option<Duration>, to: S) -> Result<S::Ok, S::Error> {
        time.map(|time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX)).serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
        Ok(Option::<u64>::deserialize(from)?.map(Duration::from_millis))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn options_go_into_a_plan_and_come_out_again() {
        let options = Options {
            max_downtime: Some(Duration::from_millis(300)),
            max_pause: Some(Duration::from_secs(2)),
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
        let written = json!({
            "max_downtime_ms": 300, "max_pause_ms": 2000, "raise_downtime": true, "bandwidth_mib": 100, "switchover_bandwidth_mib": 1000,
            "timeout_ms": 600_000, "tls": true, "direct": true, "parallel": 4, "copy_disks": {"vda": "/d"},
            "require_proof": true,
        });
        assert_eq!(serde_json::to_value(&options).unwrap(), written);
        assert_eq!(serde_json::from_value::<Options>(written).unwrap(), options);
        assert_eq!(serde_json::to_value(Options::default()).unwrap(), json!({}));
        assert_eq!(serde_json::from_value::<Options>(json!({})).unwrap(), Options::default());
        for unknown in [json!({"warp": true}), json!({"parallel": -1}), json!({"tls": "yes"})] {
            assert!(serde_json::from_value::<Options>(unknown.clone()).is_err(), "{unknown}");
        }
    }
}
