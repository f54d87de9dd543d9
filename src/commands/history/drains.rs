//! The drains among what this machine's pvm has done.

use std::borrow::Cow;

use serde::Serialize;

use crate::journal::{DrainGuest, DrainRecord, Drains, Fate, JournalError};
use crate::model::time::Timestamp;
use crate::output::history::{DrainLine, time};
use crate::output::text::printable;

/// One drain.
#[derive(Debug, Serialize)]
pub(super) struct Past {
    id: String,
    host: String,
    begun: Timestamp,
    /// None while there is something to be resumed, and where an earlier pvm wrote the record.
    ended: Option<Timestamp>,
    /// Whether nothing is left to be resumed.
    is_over: bool,
    /// Whether no guest may go to the host.
    is_cordoned: bool,
    moved: usize,
    stayed: usize,
    guests: Vec<DrainGuest>,
}

impl Past {
    fn of(record: DrainRecord) -> Self {
        let count = |is: fn(&Fate) -> bool| record.guests.iter().filter(|guest| is(&guest.fate)).count();
        Self {
            moved: count(|fate| matches!(fate, Fate::Left)),
            stayed: count(|fate| matches!(fate, Fate::Stays { .. })),
            ended: record.ended.filter(|_| record.is_over),
            id: record.id,
            host: record.host.name,
            begun: record.begun,
            is_over: record.is_over,
            is_cordoned: record.is_cordoned,
            guests: record.guests,
        }
    }

    /// The line of the table.
    pub(super) fn line(&self) -> DrainLine<'_> {
        let took = match self.ended {
            Some(ended) => time(u64::try_from(ended.since(self.begun)).unwrap_or(0)).into(),
            None if self.is_over => "unknown".into(),
            None => "unfinished".into(),
        };
        let moved = format!("{} of {}", self.moved, self.guests.len());
        [Cow::Borrowed(&*self.id), (&*self.host).into(), moved.into(), self.stayed.to_string().into(), took]
    }

    /// What has become of each guest, a line each.
    pub(super) fn details(&self) -> String {
        let line = |guest: &DrainGuest| {
            let to = guest.destination.as_deref().unwrap_or("another host");
            let fate = match &guest.fate {
                Fate::Waiting => "its turn has not come".to_owned(),
                Fate::Moving { migration } => format!("on its way to {to}: pvm history {migration}"),
                Fate::Left => format!("moved to {to}"),
                Fate::Gone => "gone: not by this drain".to_owned(),
                Fate::Stays { why } => format!("stays: {why}"),
            };
            format!("  {}: {}\n", printable(&guest.name), printable(&fate))
        };
        self.guests.iter().map(line).collect()
    }
}

/// The drains of a host, or the one of this id, or all, that began since then; the newest first.
pub(super) fn wanted(drains: &Drains, of: Option<&str>, since: Option<Timestamp>) -> Result<Vec<Past>, JournalError> {
    let is_of = |record: &DrainRecord| match of {
        // This machine, whatever it was called.
        Some("local") if record.host.uri.contains(":///") => true,
        Some(of) => record.id == of || record.host.name == of || record.host.uuid.as_deref() == Some(of),
        None => true,
    };
    let is_wanted = |record: &DrainRecord| is_of(record) && since.is_none_or(|since| record.begun >= since);
    Ok(drains.list()?.into_iter().rev().filter(is_wanted).map(Past::of).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::Host;

    fn guest(name: &str, fate: Fate) -> DrainGuest {
        DrainGuest { name: name.into(), uuid: format!("uuid-of-{name}"), destination: Some("host-b".into()), fate }
    }

    fn record(id: &str, name: &str, guests: Vec<DrainGuest>) -> DrainRecord {
        let host = Host { name: name.into(), uuid: Some(format!("uuid-of-{name}")), ..Host::default() };
        DrainRecord { begun: Timestamp(1_000_000), ..DrainRecord::new(id.into(), host, guests, String::new()) }
    }

    #[test]
    fn each_drain_has_a_line_and_tells_what_became_of_its_guests() {
        let dir = tempfile::tempdir().unwrap();
        let drains = Drains::at(dir.path());
        assert!(wanted(&drains, None, None).unwrap().is_empty());
        let stays = Fate::Stays { why: "too little is free".into() };
        let mut over = record("d-1", "host-a", vec![guest("one", Fate::Left), guest("two", stays)]);
        (over.is_over, over.ended) = (true, Some(Timestamp(1_012_300)));
        drains.write(&mut over).unwrap();
        let moving = Fate::Moving { migration: "m-1".into() };
        let guests = vec![guest("w\u{1b}b", moving), guest("db", Fate::Waiting), guest("gone", Fate::Gone)];
        drains.write(&mut record("d-2", "host-c", guests)).unwrap();
        // As an earlier pvm wrote it.
        drains.write(&mut DrainRecord { is_over: true, ..record("d-3", "host-a", Vec::new()) }).unwrap();
        let found = wanted(&drains, None, None).unwrap();
        let lines: Vec<String> = found.iter().map(|drain| drain.line().join(" | ")).collect();
        assert_eq!(
            lines,
            [
                "d-3 | host-a | 0 of 0 | 0 | unknown",
                "d-2 | host-c | 0 of 3 | 0 | unfinished",
                "d-1 | host-a | 1 of 2 | 1 | 12.3 s"
            ]
        );
        assert_eq!(
            found[1].details(),
            "  w\\u{1b}b: on its way to host-b: pvm history m-1\n  db: its turn has not come\n  gone: gone: not by this drain\n"
        );
        assert_eq!(found[2].details(), "  one: moved to host-b\n  two: stays: too little is free\n");
        let ids =
            |of: &str| wanted(&drains, Some(of), None).unwrap().into_iter().map(|drain| drain.id).collect::<Vec<_>>();
        assert_eq!(
            (ids("d-2"), ids("host-a"), ids("uuid-of-host-c")),
            (vec!["d-2".into()], vec!["d-3".into(), "d-1".into()], vec!["d-2".into()])
        );
        assert!(ids("one").is_empty());
        assert!(wanted(&drains, None, Some(Timestamp(1_000_001))).unwrap().is_empty());
    }
}
