//! What each closed migration came to, a line each, so that no command has to read their journals.
//!
//! The file is a copy of what the journals say: whoever finds it missing, damaged or behind reads the journals that it lacks
//! and writes it anew. A journal that cannot be believed, or that no line can hold, has a line that says no more than that.

use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use super::state::{Came, State};
use super::store::{JournalError, Store, now};
use crate::model::regular::read_regular_text;
use crate::model::time::Timestamp;

/// The first words of the file, with the version of its format.
const HEAD: &str = "pvm closed migrations 2";

/// More than a million lines.
const MOST_BYTES: u64 = 512 << 20;

/// A directory that was changed so long before the file was written has a time that tells it from a later state: clocks of
/// file systems go in steps.
const SETTLED_NS: i128 = 2_000_000_000;

/// What stands for a time that does not.
const UNSETTLED: i128 = -1;

/// What stands for no downtime.
const NONE: &str = "-";

/// All migrations of a store.
#[derive(Debug, Default)]
pub(crate) struct Index {
    /// The file: the closed ones, oldest first.
    text: String,
    /// Ids of those that may be open, oldest first.
    open: Vec<String>,
}

/// One migration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Past<'a> {
    /// Its id.
    pub id: &'a str,
    /// What its journal says; none when that has to be read.
    pub known: Option<Known<'a>>,
}

/// What a journal says in short.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Known<'a> {
    /// When it began.
    pub begun: Timestamp,
    /// When it ended.
    pub ended: Timestamp,
    /// What it came to.
    pub came: Came,
    /// The exit code that it ended with.
    pub exit_code: u8,
    /// The downtime, where libvirt reported it.
    pub downtime_ms: Option<u64>,
    /// The guest's UUID.
    pub uuid: &'a str,
    /// The guest's name.
    pub guest: &'a str,
    /// The name of the host it ran on.
    pub source: &'a str,
    /// The name of the host it was to go to.
    pub destination: &'a str,
    /// The UUIDs of both hosts.
    pub hosts: [Option<&'a str>; 2],
    /// What its pause is compared with.
    pub kind: Option<&'a str>,
}

fn some(word: &str) -> Option<&str> {
    Some(word).filter(|word| !word.is_empty())
}

impl<'a> Known<'a> {
    /// The same of a journal that was read; none while the migration is not over.
    pub(crate) fn of(state: &'a State) -> Option<Self> {
        let receipt = state.receipt.as_ref()?;
        Some(Self {
            begun: state.begun,
            ended: state.touched,
            came: state.came(),
            exit_code: receipt.exit_code,
            downtime_ms: receipt.downtime_ms,
            uuid: &state.plan.instance.uuid,
            guest: &state.plan.instance.name,
            source: state.plan.source_name(),
            destination: &state.plan.destination.name,
            hosts: [&state.plan.source, &state.plan.destination].map(|host| host.uuid.as_deref()),
            kind: state.plan.kind.as_deref().filter(|_| !state.plan.paused && !state.plan.rehearsal),
        })
    }

    fn line(&self, id: &str) -> Option<String> {
        let [from, to, kind] = [self.hosts[0], self.hosts[1], self.kind].map(Option::unwrap_or_default);
        let names = [self.uuid, self.guest, self.source, self.destination, from, to, kind];
        if names.iter().any(|name| name.chars().any(char::is_control)) {
            return None;
        }
        let downtime = self.downtime_ms.map_or_else(|| NONE.to_owned(), |ms| ms.to_string());
        let (came, code) = (self.came.name(), self.exit_code);
        let numbers = format!("{}\t{}\t{came}\t{code}\t{downtime}", self.begun.0, self.ended.0);
        Some(format!("{id}\t{numbers}\t{}\n", names.join("\t")))
    }

    fn parse(line: &'a str) -> Option<Self> {
        let mut cells = line.split('\t');
        let mut next = || cells.next();
        let known = Self {
            begun: Timestamp(next()?.parse().ok()?),
            ended: Timestamp(next()?.parse().ok()?),
            came: Came::named(next()?)?,
            exit_code: next()?.parse().ok()?,
            downtime_ms: match next()? {
                NONE => None,
                ms => Some(ms.parse().ok()?),
            },
            uuid: next()?,
            guest: next()?,
            source: next()?,
            destination: next()?,
            hosts: [some(next()?), some(next()?)],
            kind: some(next()?),
        };
        next().is_none().then_some(known)
    }
}

impl Index {
    /// The migrations, the newest first.
    pub(crate) fn newest_first(&self) -> impl Iterator<Item = Past<'_>> {
        let mut closed = closed(&self.text).rev().peekable();
        let mut open = self.open.iter().rev().peekable();
        std::iter::from_fn(move || {
            // Ids begin with the time.
            let is_next = |open: &&String| closed.peek().is_none_or(|closed| open.as_str() >= closed.id);
            let Some(id) = open.next_if(is_next) else { return closed.next() };
            closed.next_if(|closed| closed.id == id);
            Some(Past { id, known: None })
        })
    }

    /// Those whose journals were put away, oldest first.
    pub(crate) fn closed(&self) -> impl Iterator<Item = Past<'_>> {
        closed(&self.text)
    }
}

/// Reads the index of a store's migrations and brings it up to date.
pub(crate) fn read(store: &Store) -> Result<Index, JournalError> {
    let open = store.open_ids()?;
    let directory = store.closed_directory();
    let failed = |source| JournalError::Directory { path: directory.to_owned(), source };
    let Some(changed) = changed(directory).map_err(failed)? else { return Ok(Index { open, ..Index::default() }) };
    let file = directory.with_extension("index");
    let before = read_regular_text(&file, MOST_BYTES).unwrap_or_default();
    let head = head(&before);
    let text = if head == Some(changed) { before } else { anew(store, changed, head.map_or("", |_| &before))? };
    Ok(Index { text, open })
}

/// The text of the index as the directory is now, which is also written for whoever asks next.
fn anew(store: &Store, changed: i128, before: &str) -> Result<String, JournalError> {
    let ids = store.closed_ids()?;
    let mut known = closed(before).peekable();
    let mut text = String::with_capacity(before.len() + 256);
    let is_settled = i128::from(now().0) * 1_000_000 - changed > SETTLED_NS;
    let _ = writeln!(text, "{HEAD} {} {}", if is_settled { changed } else { UNSETTLED }, ids.len());
    for id in &ids {
        while known.next_if(|past| past.id < id.as_str()).is_some() {}
        let kept = known.next_if(|past| past.id == id).and_then(|past| past.known);
        let line = if let Some(kept) = kept {
            kept.line(id)
        } else {
            let listed = store.listed(id);
            let state = listed.state().filter(|_| listed.is_closed());
            state.as_ref().and_then(Known::of).and_then(|known| known.line(id))
        };
        text += &line.unwrap_or_else(|| format!("{id}\n"));
    }
    let file = store.closed_directory().with_extension("index");
    if let Err(error) = write(&file, &text) {
        log::debug!("{}: {error}", file.display());
    }
    Ok(text)
}

/// The closed migrations of an index, oldest first.
fn closed(text: &str) -> impl DoubleEndedIterator<Item = Past<'_>> {
    let lines = text.split_once('\n').map_or("", |(_, lines)| lines).lines();
    lines.map(|line| match line.split_once('\t') {
        Some((id, rest)) => Past { id, known: Known::parse(rest) },
        None => Past { id: line, known: None },
    })
}

/// The time of the directory that an index describes; none when it is not whole.
fn head(text: &str) -> Option<i128> {
    let (head, lines) = text.split_once('\n')?;
    let (time, count) = head.strip_prefix(HEAD)?.trim_start().split_once(' ')?;
    let count: usize = count.parse().ok()?;
    let is_whole =
        lines.bytes().filter(|byte| *byte == b'\n').count() == count && (lines.is_empty() || lines.ends_with('\n'));
    time.parse().ok().filter(|_| is_whole)
}

/// When the directory was last changed, in nanoseconds; none when there is none.
fn changed(directory: &Path) -> io::Result<Option<i128>> {
    match directory.symlink_metadata() {
        Ok(metadata) => Ok(Some(i128::from(metadata.mtime()) * 1_000_000_000 + i128::from(metadata.mtime_nsec()))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn write(file: &Path, text: &str) -> io::Result<()> {
    let beside = file.with_extension(format!("{}.new", std::process::id()));
    let mut options = OpenOptions::new();
    let opened = options.write(true).create_new(true).mode(0o600).open(&beside);
    let written = opened.and_then(|mut out| out.write_all(text.as_bytes())).and_then(|()| fs::rename(&beside, file));
    if written.is_err() {
        // Best effort, as the file itself is.
        let _ = fs::remove_file(&beside);
    }
    written
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests make, damage and measure files")]
mod tests {
    use std::time::{Duration, Instant, SystemTime};

    use super::*;
    use crate::journal::{Entry, Plan, Receipt};
    use crate::model::device_move::Instance;

    fn over(store: &Store, id: &str, guest: &str) {
        let instance = Instance { name: guest.into(), uuid: format!("uuid-of-{guest}") };
        let plan = Plan { id: id.into(), instance, ..Plan::default() };
        let receipt = Receipt { downtime_ms: Some(30), ..Receipt::default() };
        store.create(plan).unwrap().append(&Entry::Done { receipt }).unwrap();
    }

    /// As if nothing had been closed for a minute.
    fn settle(store: &Store) {
        let directory = fs::File::open(store.closed_directory()).unwrap();
        directory.set_modified(SystemTime::now() - Duration::from_mins(1)).unwrap();
    }

    fn ids(index: &Index) -> Vec<(&str, bool)> {
        index.newest_first().map(|past| (past.id, past.known.is_some())).collect()
    }

    #[test]
    fn what_journals_say_is_kept_and_what_is_closed_or_removed_later_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::at(dir.path());
        assert_eq!(ids(&read(&store).unwrap()), []);
        over(&store, "a-1", "web");
        over(&store, "a-3", "a\tb");
        fs::write(dir.path().join("closed/a-4.ndjson"), "{}\n{}\n").unwrap();
        fs::write(dir.path().join("closed/no id.ndjson"), "").unwrap();
        store.create(Plan { id: "a-2".into(), ..Plan::default() }).unwrap();
        let all = [("a-4", false), ("a-3", false), ("a-2", false), ("a-1", true)];
        for _ in 0..2 {
            assert_eq!(ids(&read(&store).unwrap()), all, "it has just changed");
            settle(&store);
            assert_eq!(ids(&read(&store).unwrap()), all, "it is written anew");
            assert_eq!(ids(&read(&store).unwrap()), all, "it is believed");
        }
        let index = read(&store).unwrap();
        let known = index.newest_first().last().unwrap().known.unwrap();
        assert_eq!((known.guest, known.uuid, known.downtime_ms), ("web", "uuid-of-web", Some(30)));
        assert_eq!((known.came, known.exit_code), (Came::Migrated, 0));
        over(&store, "a-5", "db");
        fs::remove_file(dir.path().join("closed/a-3.ndjson")).unwrap();
        let now = [("a-5", true), ("a-4", false), ("a-2", false), ("a-1", true)];
        assert_eq!(ids(&read(&store).unwrap()), now);
        // One that lies among the open ones, too, is read there.
        fs::copy(dir.path().join("closed/a-1.ndjson"), store.directory().join("a-1.ndjson")).unwrap();
        assert_eq!(ids(&read(&store).unwrap())[3..], [("a-1", false)]);
    }

    #[test]
    fn a_damaged_index_is_made_anew() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::at(dir.path());
        over(&store, "a-1", "web");
        over(&store, "a-2", "db");
        settle(&store);
        let whole = ids(&read(&store).unwrap()).len();
        let file = dir.path().join("closed.index");
        let text = fs::read_to_string(&file).unwrap();
        assert!(head(&text).is_some_and(|time| time != UNSETTLED), "{text}");
        let half: String = text.lines().take(2).flat_map(|line| [line, "\n"]).collect();
        for damaged in [String::new(), "\0".repeat(400), half, text.trim_end().to_owned(), text.replace("a-1", "b-1")] {
            let is_noticed = !damaged.contains("b-1");
            fs::write(&file, damaged).unwrap();
            let index = read(&store).unwrap();
            assert_eq!(ids(&index).len(), whole);
            assert_eq!(ids(&index).contains(&("a-1", true)), is_noticed);
        }
    }

    #[test]
    fn where_the_index_cannot_be_written_journals_are_read() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::at(dir.path());
        over(&store, "a-1", "web");
        fs::create_dir(dir.path().join("closed.index")).unwrap();
        assert_eq!(ids(&read(&store).unwrap()), [("a-1", true)]);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 3, "nothing is left beside it");
    }

    /// Also what is printed of them: `cargo bench --bench history` beside a plain `ls`.
    #[test]
    fn ten_thousand_closed_migrations_are_not_read_again() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::at(dir.path());
        over(&store, "a-00000", "web");
        let text = fs::read(dir.path().join("closed/a-00000.ndjson")).unwrap();
        for n in 1..10_000 {
            fs::write(dir.path().join(format!("closed/a-{n:05}.ndjson")), &text).unwrap();
        }
        settle(&store);
        let timed = || {
            let begun = Instant::now();
            let known = read(&store).unwrap().newest_first().filter(|past| past.known.is_some()).count();
            (known, begun.elapsed())
        };
        let ((first, slow), (again, quick)) = (timed(), timed());
        assert_eq!((first, again), (10_000, 10_000));
        // Whatever the machine is at work on: ten thousand files cost more than one.
        assert!(quick * 4 < slow, "{quick:?} after {slow:?}");
    }
}
