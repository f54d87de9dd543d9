//! pvm's own settings, `pvm.yaml`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Deserializer};

use crate::model::policy::{Policies, Policy};
use crate::model::regular::read_regular_text;
use crate::model::time::duration;

/// More than the settings of a thousand hosts.
const MOST_BYTES: u64 = 1 << 20;

/// The whole file.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Hosts by name.
    pub hosts: BTreeMap<String, HostSettings>,
    /// Names that stand for several hosts.
    pub groups: BTreeMap<String, Vec<String>>,
    /// Policies of guests, by name or pattern.
    pub guests: BTreeMap<String, GuestSettings>,
    /// Patterns of names of guests that a drain does not bring together on one host.
    pub apart: Vec<String>,
    /// What `migrate` and `drain` do when their options do not say.
    pub defaults: Defaults,
    /// How Nova is reached, for the guests that it owns.
    pub nova: NovaSettings,
    /// What is kept of past migrations.
    pub history: HistorySettings,
    /// For hosts without nova.conf: the same entries.
    pub device_spec: Vec<serde_json::Value>,
    /// For hosts without nova.conf: the same entries.
    pub alias: Vec<serde_json::Value>,
}

/// How Nova is reached.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NovaSettings {
    /// The cloud's name in clouds.yaml.
    pub cloud: Option<String>,
}

/// What is kept of past migrations.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HistorySettings {
    /// Journals of migrations that ended longer ago than this are removed: a time like `90d`.
    #[serde(deserialize_with = "time")]
    pub keep: Option<Duration>,
}

/// One host.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HostSettings {
    /// Control connection.
    pub libvirt: Option<String>,
    /// Where migration data goes.
    pub migrate_uri: Option<String>,
    /// Where its facts come from.
    pub facts: Option<Facts>,
    /// Nova's configuration files: on that host with ssh, else local copies.
    pub config: Vec<PathBuf>,
    /// How many migrations it takes at once.
    pub slots: Option<Slots>,
}

/// How many migrations a host takes at once; what is not said is not limited, but for what is known of its devices.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Slots {
    /// Out of the host and into it together.
    pub migrations: Option<u32>,
    /// Of the VFs of each PF.
    pub per_pf: Option<u32>,
}

/// The policy of guests.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GuestSettings {
    /// The longest pause that the estimate may reach: a time like `2s`.
    #[serde(deserialize_with = "time")]
    pub max_pause: Option<Duration>,
    /// Whether a drain may move them.
    pub drain: Option<bool>,
}

fn time<'de, D: Deserializer<'de>>(text: D) -> Result<Option<Duration>, D::Error> {
    let text = Option::<String>::deserialize(text)?;
    text.map(|text| duration(&text).map_err(serde::de::Error::custom)).transpose()
}

/// Where a host's facts come from.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Facts {
    /// `ssh`, `libvirt`, or the path of a snapshot.
    Word(String),
    /// A command that prints a snapshot.
    Command {
        /// Program and arguments; no shell.
        command: Vec<String>,
    },
}

/// What `migrate` does when its options do not say.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Defaults {
    /// Limit of the downtime: `auto`, or a time like `300ms`.
    pub max_downtime: Option<String>,
    /// The longest pause that the estimate may reach: a time like `2s`.
    pub max_pause: Option<String>,
    /// Bandwidth per second: 0 (no limit), a number of MiB, or a size like `100MiB`.
    pub bandwidth: Option<Size>,
    /// Whether data is encrypted.
    pub tls: bool,
    /// Number of connections; 0: one. The key was `parallel`, which is understood for one release.
    #[serde(alias = "parallel")]
    pub parallel_connections: u32,
}

/// A size as a number or in words.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Size {
    /// A number of MiB.
    Number(u64),
    /// With a unit.
    Text(String),
}

/// Why the settings could not be read.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The file cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It is not what it should be.
    #[error("{}:{line}: {why}", path.display())]
    Bad {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// The first line of the reader's message.
        why: String,
    },
}

impl Settings {
    /// Where they are when `--config` does not say.
    pub const DEFAULT_PATH: &str = "/etc/pvm/pvm.yaml";

    /// Reads a document; else the line that is wrong, and why.
    pub fn parse(text: &str) -> Result<Self, (u64, String)> {
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        serde_yaml::from_str(text).map_err(|e| {
            // The reader draws the source below its first line; a message is one sentence. The line is said before it.
            let why = e.to_string().lines().next().unwrap_or("not readable").to_owned();
            let line = e.location().map_or(1, |location| location.line());
            let why =
                why.split_once(" column ").and_then(|(_, rest)| rest.split_once(": ")).map_or(&*why, |(_, why)| why);
            (line, why.to_owned())
        })
    }

    /// The text of the file the operator named, or of the default one, which need not exist.
    pub fn text(named: Option<&Path>) -> Result<Option<(PathBuf, String)>, SettingsError> {
        let path = named.unwrap_or(Path::new(Self::DEFAULT_PATH));
        match read_regular_text(path, MOST_BYTES) {
            Ok(text) => Ok(Some((path.to_owned(), text))),
            Err(e) if named.is_none() && e.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(SettingsError::Read { path: path.to_owned(), source }),
        }
    }

    /// The policies for guests.
    pub(crate) fn policies(&self) -> Policies {
        let policy = |of: &GuestSettings| Policy { max_pause: of.max_pause, drain: of.drain };
        let guests = self.guests.iter().map(|(pattern, of)| (pattern.clone(), policy(of))).collect();
        Policies { guests, apart: self.apart.clone(), ..Policies::default() }
    }

    /// Reads that file.
    pub fn load(named: Option<&Path>) -> Result<Self, SettingsError> {
        let Some((path, text)) = Self::text(named)? else { return Ok(Self::default()) };
        Self::parse(&text).map_err(|(line, why)| SettingsError::Bad { path, line, why })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_every_field() {
        let text = "hosts:\n  a:\n    libvirt: qemu+tls://a/system\n    migrate_uri: tcp://10.20.0.11\n    facts: ssh\n    config: [/etc/nova/nova.conf]\n    slots: {migrations: 2, per_pf: 3}\n  b:\n    facts: {command: [ssh, b, pvm]}\ndefaults: {max_downtime: auto, bandwidth: 0, tls: true, parallel_connections: 2}\nnova: {cloud: mine}\nhistory: {keep: 90d}\nguests: {'db-*': {max_pause: 2s, drain: no}}\napart: [web-*]\ndevice_spec: [{vendor_id: '15b3'}]\n";
        let settings = Settings::parse(text).unwrap();
        assert_eq!(settings.hosts["a"].facts, Some(Facts::Word("ssh".into())));
        assert_eq!(
            settings.hosts["b"].facts,
            Some(Facts::Command { command: vec!["ssh".into(), "b".into(), "pvm".into()] })
        );
        assert_eq!(settings.nova.cloud.as_deref(), Some("mine"));
        assert_eq!(settings.history.keep, Some(Duration::from_secs(90 * 86_400)));
        assert_eq!(settings.hosts["a"].slots, Some(Slots { migrations: Some(2), per_pf: Some(3) }));
        assert_eq!(settings.defaults.bandwidth, Some(Size::Number(0)));
        assert!(settings.defaults.tls);
        assert_eq!(settings.defaults.parallel_connections, 2);
        assert_eq!(Settings::parse("defaults: {parallel: 3}").unwrap().defaults.parallel_connections, 3);
        let policies = settings.policies();
        let policy = Policy { max_pause: Some(Duration::from_secs(2)), drain: Some(false) };
        assert_eq!((policies.guests, policies.apart), (vec![("db-*".to_owned(), policy)], vec!["web-*".to_owned()]));
        assert_eq!(settings.device_spec[0]["vendor_id"], "15b3");
        assert_eq!(Settings::parse("").unwrap(), Settings::default());
    }

    #[test]
    fn a_misspelt_key_is_an_error_with_its_name() {
        let (line, soon) = Settings::parse("guests:\n  a: {max_pause: soon}\n").unwrap_err();
        assert!(line == 2 && soon.contains("a time is"), "{line} {soon}");
        let (line, error) = Settings::parse("hosts:\n  a: {libvrt: x}\n").unwrap_err();
        assert!(line == 2 && error.contains("libvrt") && !error.contains('\n'), "{line} {error}");
    }
}
