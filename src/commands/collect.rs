//! `pvm inventory --into DIR`: the snapshots of a fleet, one file for each host.

use std::io::Write as _;
use std::path::Path;

use super::hosts::Hosts;
use super::{Context, Stop};
use crate::facts::compact::Compact;
use crate::facts::replace::put;
use crate::facts::{self, ErrorKind, HostError, HostRef};
use crate::libvirt::Hypervisor;
use crate::model::causes::sentence;
use crate::model::outcome::Outcome;
use crate::model::snapshot::Snapshot;
use crate::output::inventory::heading;

/// Writes each host's file when it has answered: one that is slow or down holds no other, and keeps the file it had.
pub(super) fn run(context: &Context, hosts: &Hosts, asked: &[HostRef], into: &Path) -> Result<Outcome, Stop> {
    make(into).map_err(|error| Stop::unknown(format!("cannot write to {}: {error}", into.display())))?;
    let list: Vec<(&HostRef, Option<&dyn Hypervisor>)> = asked.iter().map(|host| (host, None)).collect();
    let written = facts::gather_each(&list, &hosts.options, |host, answer| {
        let result = answer.map_err(Missing::Host).and_then(|snapshot| write(into, host, &snapshot));
        if let Err(missing) = &result {
            context.printer.complain(&heading(&missing.sentence()));
        }
        result.map_err(|missing| missing.outcome())
    });
    let done = written.iter().filter(|result| result.is_ok()).count();
    let all = written.len();
    context.printer.note(&format!("{done} of {all} hosts are in {}", heading(&into.display().to_string())));
    Ok(written.into_iter().find_map(Result::err).unwrap_or(Outcome::Fine))
}

/// Why there is no new file of a host.
enum Missing {
    Host(HostError),
    File(String),
}

impl Missing {
    fn sentence(&self) -> String {
        match self {
            Self::Host(error) => sentence(error),
            Self::File(why) => why.clone(),
        }
    }

    fn outcome(&self) -> Outcome {
        match self {
            Self::Host(error) => error.kind().into(),
            Self::File(_) => ErrorKind::Unknown.into(),
        }
    }
}

fn make(directory: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(directory)
}

fn write(into: &Path, host: &HostRef, snapshot: &Snapshot) -> Result<(), Missing> {
    let name = file_name(host, snapshot)?;
    let path = into.join(name);
    let pack = || -> std::io::Result<Vec<u8>> {
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        serde_json::to_writer(&mut packed, &Compact::of(snapshot)?)?;
        packed.write_all(b"\n")?;
        packed.finish()
    };
    let written = pack().and_then(|bytes| put(&path, &bytes));
    written.map_err(|error| Missing::File(format!("cannot write {}: {error}", path.display())))
}

/// The operator's name for the host, else its own; what a host calls itself may be no name of a file.
fn file_name(host: &HostRef, snapshot: &Snapshot) -> Result<String, Missing> {
    let name = match host {
        HostRef::Name(name) | HostRef::Configured { name, .. } => name,
        HostRef::Local | HostRef::Snapshot(_) | HostRef::Uri(_) => &snapshot.host.name,
    };
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '@');
    if name.is_empty() || name.starts_with('.') || name.len() > 200 || !name.chars().all(is_plain) {
        return Err(Missing::File(format!("{}: the host's name {name:?} is no name for a file", host.label())));
    }
    Ok(format!("{name}.json.gz"))
}
