//! The record of each drain: what was planned and what has become of each guest, on disk before it is begun. A host whose
//! drain was not taken back is cordoned: the record says so.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::fault;
use super::record::Host;
use super::store::{JournalError, make_directory, now, sync_directory};
use super::text::checksum;
use crate::model::identity::{self, Identity};
use crate::model::options::Options;
use crate::model::regular::read_regular_text;
use crate::model::time::Timestamp;

/// The version of the record that this pvm writes, and the newest that it reads.
const VERSION: u32 = 1;

/// More than the record of a host with ten thousand guests.
const MOST_BYTES: u64 = 16 << 20;

/// One drain.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct DrainRecord {
    /// The version of the format.
    pub v: u32,
    /// Its id.
    pub id: String,
    /// The host that is emptied; its name is the operator's word.
    pub host: Host,
    /// The hosts that guests may go to, in the operator's words; none: those of pvm.yaml.
    pub to: Vec<String>,
    /// The guests that were chosen, when not all were.
    pub only: Vec<String>,
    /// The guests that were left out.
    pub except: Vec<String>,
    /// How many guests leave at once.
    pub parallel: u16,
    /// How each guest is migrated.
    #[serde(default)]
    pub options: Options,
    /// Checks that may fail.
    #[serde(default)]
    pub allow: Vec<String>,
    /// The checksum of the plan that was confirmed.
    pub digest: String,
    /// When it began.
    pub begun: Timestamp,
    /// When it was last written.
    pub touched: Timestamp,
    /// Whether nothing is left to be resumed.
    pub is_over: bool,
    /// When that came to be; records of an earlier pvm have none.
    #[serde(default)]
    pub ended: Option<Timestamp>,
    /// Whether no guest may go to the host.
    pub is_cordoned: bool,
    /// Nova's compute service on the host, where Nova was asked and has one.
    #[serde(default)]
    pub service: Option<ComputeService>,
    /// The guests, in the order of the plan.
    pub guests: Vec<DrainGuest>,
}

/// A compute service of Nova on a host that is drained.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ComputeService {
    /// The entry of clouds.yaml; none when the environment (`OS_*`) described the cloud.
    pub cloud: Option<String>,
    /// Its UUID.
    pub id: String,
    /// Nova's name of the host.
    pub host: String,
    /// The reason with which the drain disables it; none when it was disabled before, by somebody else.
    pub reason: Option<String>,
}

/// One guest of a drain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DrainGuest {
    /// Its name.
    pub name: String,
    /// Its UUID.
    pub uuid: String,
    /// Where it goes; none: it stays.
    pub destination: Option<String>,
    /// What has become of it.
    #[serde(flatten)]
    pub fate: Fate,
}

/// What has become of a guest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub(crate) enum Fate {
    /// Its turn has not come.
    Waiting,
    /// The migration with this id was begun.
    Moving {
        /// The id of its journal.
        migration: String,
    },
    /// It has left the host.
    Left,
    /// It is not on the host any more, and the drain did not move it.
    Gone,
    /// It is still there.
    Stays {
        /// Why.
        why: String,
    },
}

impl Fate {
    /// Its name, as in the file.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Moving { .. } => "moving",
            Self::Left => "left",
            Self::Gone => "gone",
            Self::Stays { .. } => "stays",
        }
    }
}

impl DrainRecord {
    /// A record that begins now.
    pub(crate) fn new(id: String, host: Host, guests: Vec<DrainGuest>, digest: String) -> Self {
        let (to, only, except) = Default::default();
        let (begun, touched) = (now(), now());
        let (is_over, is_cordoned) = (false, true);
        Self {
            v: VERSION,
            id,
            host,
            to,
            only,
            except,
            parallel: 1,
            options: Options::default(),
            allow: Vec::new(),
            digest,
            begun,
            touched,
            is_over,
            ended: None,
            is_cordoned,
            service: None,
            guests,
        }
    }
}

/// The records of this machine's drains.
#[derive(Debug, Clone)]
pub(crate) struct Drains {
    directory: PathBuf,
}

impl Drains {
    /// Those under a state directory. Nothing is made or read yet.
    pub(crate) fn at(state_directory: impl AsRef<Path>) -> Self {
        Self { directory: state_directory.as_ref().join("drains") }
    }

    /// Every record, oldest first. One that cannot be read is an error: it may be what keeps guests off a host.
    pub(crate) fn list(&self) -> Result<Vec<DrainRecord>, JournalError> {
        let failed = |source| JournalError::Directory { path: self.directory.clone(), source };
        #[expect(clippy::disallowed_methods, reason = "the edge that reads records")]
        let entries = match fs::read_dir(&self.directory) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            other => other.map_err(failed)?,
        };
        let mut paths = Vec::new();
        for entry in entries {
            let path = entry.map_err(failed)?.path();
            paths.extend(Some(path).filter(|path| path.extension().is_some_and(|ending| ending == "json")));
        }
        // Ids begin with the time.
        paths.sort();
        paths
            .iter()
            .map(|path| read(path).map_err(|source| JournalError::Read { path: path.clone(), source }))
            .collect()
    }

    /// The newest drain of this host that was not taken back.
    pub(crate) fn cordon(&self, host: &str) -> Result<Option<DrainRecord>, JournalError> {
        let is_host = |record: &DrainRecord| {
            identity::compare(record.host.uuid.as_deref(), Some(host)) == Identity::Same && record.is_cordoned
        };
        Ok(self.list()?.into_iter().rfind(is_host))
    }

    /// Writes the record whole, on disk when this returns.
    pub(crate) fn write(&self, record: &mut DrainRecord) -> Result<(), JournalError> {
        record.touched = now();
        let safe = record.id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') && !record.id.is_empty();
        let path = self.directory.join(format!("{}.json", if safe { &record.id } else { "unnamed" }));
        make_directory(&self.directory)?;
        let failed = |source| JournalError::Write { path: path.clone(), source };
        let beside = path.with_extension("new");
        let write = || -> io::Result<()> {
            let text = serde_json::to_string(record)?;
            // What an earlier pvm left there when it died.
            let mut options = OpenOptions::new();
            let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
            file.write_all(format!("{text}\n{}\n", checksum(text.as_bytes())).as_bytes())?;
            file.sync_all()?;
            fs::rename(&beside, &path)
        };
        write().map_err(failed)?;
        sync_directory(&self.directory)
    }

    /// Takes down that the drain begins: nothing is moved before this returns.
    pub(crate) fn begin(&self, record: &mut DrainRecord) -> Result<(), JournalError> {
        fault::point("before", "drain-plan");
        self.write(record)?;
        fault::point("after", "drain-plan");
        Ok(())
    }

    /// Takes down what has become of a guest.
    pub(crate) fn settle(&self, record: &mut DrainRecord, uuid: &str, fate: Fate) -> Result<(), JournalError> {
        let name = format!("drain-{}", fate.name());
        fault::point("before", &name);
        if let Some(guest) = record.guests.iter_mut().find(|guest| guest.uuid == uuid) {
            guest.fate = fate;
        }
        self.write(record)?;
        fault::point("after", &name);
        Ok(())
    }
}

fn read(path: &Path) -> io::Result<DrainRecord> {
    let wrong = |why: &str| io::Error::new(io::ErrorKind::InvalidData, why.to_owned());
    let text = read_regular_text(path, MOST_BYTES)?;
    let (record, sum) = text.trim_end().rsplit_once('\n').ok_or_else(|| wrong("it has no checksum"))?;
    if checksum(record.as_bytes()) != sum {
        return Err(wrong("its checksum does not match"));
    }
    let record: DrainRecord = serde_json::from_str(record)?;
    if record.v > VERSION {
        return Err(wrong("it was written by a newer pvm"));
    }
    Ok(record)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::disallowed_methods, reason = "a test damages what was written")]
    #[test]
    fn a_record_is_read_as_it_was_written_and_a_damaged_one_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let drains = Drains::at(dir.path());
        assert_eq!(drains.list().unwrap(), []);
        let uuid = "0aeb4c2e-1111-4222-8333-444455556666";
        let host = Host { name: "host-a".into(), uri: "qemu:///system".into(), uuid: Some(uuid.into()) };
        let guest = |name: &str| DrainGuest {
            name: name.into(),
            uuid: name.into(),
            destination: Some("host-b".into()),
            fate: Fate::Waiting,
        };
        let mut record = DrainRecord::new("d-1".into(), host, vec![guest("one"), guest("two")], "0".into());
        drains.write(&mut record).unwrap();
        drains.settle(&mut record, "two", Fate::Moving { migration: "m-1".into() }).unwrap();
        assert_eq!(drains.list().unwrap(), [record.clone()]);
        assert_eq!(record.guests[0].fate, Fate::Waiting);
        assert_eq!(drains.cordon(&uuid.to_uppercase()).unwrap(), Some(record.clone()));
        assert_eq!(drains.cordon("1aeb4c2e-1111-4222-8333-444455556666").unwrap(), None);
        record.is_cordoned = false;
        drains.write(&mut record).unwrap();
        assert_eq!(drains.cordon(uuid).unwrap(), None);
        let path = dir.path().join("drains/d-1.json");
        let text = fs::read_to_string(&path).unwrap();
        for damaged in [text.replace("m-1", "m-2"), text.replace("\"v\":1", "\"v\":2"), String::new()] {
            fs::write(&path, damaged).unwrap();
            assert!(matches!(drains.list(), Err(JournalError::Read { .. })));
        }
    }
}
