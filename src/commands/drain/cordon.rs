//! A host that is drained, or was, takes no guests until the operator says so.

use crate::commands::{Context, OrStop as _, Stop};
use crate::journal::{DrainRecord, Drains};
use crate::model::outcome::Outcome;
use crate::model::paste::quoted;
use crate::output::text::printable;

/// Why no guest goes to the host, and what ends that.
pub(in crate::commands) fn sentence(host: &str, record: &DrainRecord) -> String {
    let (host, word) = (printable(host), quoted(&record.host.name));
    format!("{host} takes no guests since its drain of {}; to end that: pvm drain {word} --uncordon", record.begun)
}

/// The newest drain of the host that was named by this word, or has this UUID, and was not taken back.
pub(super) fn find(drains: &Drains, word: &str, uuid: Option<&str>) -> Result<Option<DrainRecord>, Stop> {
    if let Some(uuid) = uuid {
        return drains.cordon(uuid).or_stop(Outcome::Unknown);
    }
    let records = drains.list().or_stop(Outcome::Unknown)?;
    Ok(records.into_iter().rfind(|record| record.is_cordoned && record.host.name == word))
}

/// Lets guests go to the host again.
pub(super) fn end(context: &Context, drains: &Drains, record: DrainRecord) -> Result<Outcome, Stop> {
    let uuid = record.host.uuid.clone().unwrap_or_default();
    let (mut all, mut failure) = (vec![record], Outcome::Unknown);
    // Earlier ones of the same host.
    while let Some(mut record) = all.pop() {
        (record.is_cordoned, record.is_over) = (false, true);
        drains.write(&mut record).or_stop(failure)?;
        failure = Outcome::Incomplete;
        all.extend(drains.cordon(&uuid).or_stop(failure)?);
        if all.is_empty() {
            let host = printable(&record.host.name).into_owned();
            context.printer.result(&format!("{host} takes guests again.\n")).or_stop(failure)?;
        }
    }
    Ok(Outcome::Fine)
}
