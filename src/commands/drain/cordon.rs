//! A host that is drained, or was, takes no guests until the operator says so.

use std::path::Path;

use serde::Serialize;

use super::service;
use crate::commands::hosts::Hosts;
use crate::commands::{Context, OrStop as _, Stop};
use crate::journal::{self, DrainRecord, Drains};
use crate::libvirt;
use crate::model::causes;
use crate::model::format::Format;
use crate::model::outcome::Outcome;
use crate::model::paste::quoted;
use crate::model::snapshot::host::Cordon;
use crate::model::snapshot::{Host, Unknown};
use crate::output::text::printable;
use crate::output::{Printer, StdoutError};

/// Takes down in a host's facts that it is drained, or was, or that this is not known.
pub(in crate::commands) fn note(drains: Option<&Drains>, host: &mut Host) {
    let Some(drains) = drains else { return };
    let found = match &host.uuid {
        Some(uuid) => drains.cordon(uuid).map(|record| (record, None)),
        // It may be any of those that are cordoned.
        None => drains.list().map(|all| (None, all.into_iter().find(|record| record.is_cordoned))),
    };
    let unknown = match found {
        Ok((record, other)) => {
            let here = record.map(|of| Cordon { since: of.begun.to_string(), host: of.host.name });
            host.cordon = here.or(host.cordon.take());
            other.map(|of| format!("its UUID is not known, and {} is cordoned", of.host.name))
        }
        Err(error) => Some(causes::sentence(&error)),
    };
    host.unknown.extend(unknown.map(|why| Unknown::new("cordon", why)));
}

/// The check that says so.
pub(super) const CODE: &str = "cordoned";

/// Why no guest goes to the host, and what ends that.
pub(super) fn sentence(host: &str, drain: &Cordon) -> String {
    let (host, word) = (printable(host), quoted(&drain.host));
    format!("{host} takes no guests since its drain of {}; to end that: pvm drain {word} --uncordon", drain.since)
}

/// The records of this machine's drains, where its own hosts are asked about.
pub(in crate::commands) fn drains(context: &Context) -> Option<Drains> {
    let directory = journal::state_directory().ok()?;
    (context.global.root == Path::new("/")).then(|| Drains::at(directory))
}

/// The newest drain of a host that was not taken back. The host is named as when it began, or in any other way: then it is
/// asked for its UUID.
pub(super) fn named(hosts: &Hosts, drains: &Drains, word: &str) -> Result<Option<DrainRecord>, Stop> {
    let records = drains.list().or_stop(Outcome::Unknown)?;
    let local = hosts.options.connect.as_deref().unwrap_or("qemu:///system");
    let uri = hosts.parse(word).ok().and_then(|host| host.libvirt_uri(local));
    let is_named = |record: &DrainRecord| record.host.name == word || Some(&record.host.uri) == uri.as_ref();
    if let Some(record) = records.into_iter().rfind(|record| record.is_cordoned && is_named(record)) {
        return Ok(Some(record));
    }
    let uuid = uri.and_then(|uri| libvirt::open(&uri).and_then(|daemon| daemon.host_uuid()).ok());
    uuid.map_or(Ok(None), |uuid| drains.cordon(&uuid).or_stop(Outcome::Unknown))
}

/// `pvm.uncordon/1`.
#[derive(Debug, Serialize)]
struct Document<'a> {
    schema: &'static str,
    host: &'a journal::Host,
    exit_code: u8,
}

fn tell(printer: &Printer, host: &journal::Host, outcome: Outcome) -> Result<(), StdoutError> {
    if printer.format == Format::Table {
        return printer.result(&format!("{} takes guests again.\n", printable(&host.name)));
    }
    printer.document(&Document { schema: "pvm.uncordon/1", host, exit_code: outcome.code() })
}

/// Lets guests go to the host again.
pub(super) fn end(context: &Context, drains: &Drains, record: DrainRecord) -> Result<Outcome, Stop> {
    let uuid = record.host.uuid.clone().unwrap_or_default();
    let (mut all, mut failure, mut outcome) = (vec![record], Outcome::Unknown, Outcome::Fine);
    // Earlier ones of the same host.
    while let Some(mut record) = all.pop() {
        // Before the record: until it is written the drain can be taken back once more.
        match service::enable(context, &record) {
            Ok(Outcome::Fine) => {}
            Ok(left) => (failure, outcome) = (left, left),
            Err(stop) if failure == Outcome::Unknown => return Err(stop),
            Err(stop) => return Err(Stop::new(failure, stop.sentence())),
        }
        (record.is_cordoned, record.is_over) = (false, true);
        drains.write(&mut record).or_stop(failure)?;
        failure = Outcome::Incomplete;
        all.extend(drains.cordon(&uuid).or_stop(failure)?);
        if all.is_empty() {
            tell(&context.printer, &record.host, outcome).or_stop(failure)?;
        }
    }
    Ok(outcome)
}
