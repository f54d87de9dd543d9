//! The journals on disk: one file per migration, private, append-only, on the disk before the change it announces.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Seek as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::fault;
use super::record::{Entry, Plan, Record, VERSION};
use super::state::State;
use super::text::{self, Parsed, Trouble};
use crate::model::regular::read_regular;
use crate::model::time::Timestamp;

/// Why a journal cannot be written or read. Each names the file.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// Neither a state directory nor a home directory is known.
    #[error("cannot tell where to keep the journal: set XDG_STATE_HOME or HOME")]
    NoDirectory,
    /// A directory cannot be made or opened.
    #[error("cannot use the journal directory {}", path.display())]
    Directory {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The file cannot be written. Nothing was begun: no journal, no change.
    #[error("cannot write the journal {}", path.display())]
    Write {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The file cannot be read.
    #[error("cannot read the journal {}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// No migration has this id.
    #[error("no migration has the id '{id}' (in {})", directory.display())]
    NoSuchMigration {
        /// The id.
        id: String,
        /// Where it was looked for.
        directory: PathBuf,
    },
    /// The file is damaged or from a newer pvm: it is shown, never acted on.
    #[error("the journal {} cannot be acted on", path.display())]
    Trouble {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: Trouble,
    },
}

/// Where pvm keeps its state: `/var/lib/pvm`, or `$XDG_STATE_HOME/pvm` for a user who is not root. A service manager's
/// `$STATE_DIRECTORY` comes first.
#[expect(clippy::disallowed_methods, reason = "this is where the environment is asked")]
pub(crate) fn state_directory() -> Result<PathBuf, JournalError> {
    let set = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    if let Some(directory) = set("STATE_DIRECTORY").and_then(|list| first_of(&list)) {
        return Ok(directory);
    }
    if rustix::process::geteuid().is_root() {
        return Ok(PathBuf::from("/var/lib/pvm"));
    }
    set("XDG_STATE_HOME")
        .or_else(|| set("HOME").map(|home| home.join(".local/state")))
        .map(|base| base.join("pvm"))
        .ok_or(JournalError::NoDirectory)
}

/// The first of the directories that systemd names, with a colon between each two.
pub(super) fn first_of(list: &Path) -> Option<PathBuf> {
    use std::os::unix::ffi::OsStrExt as _;
    let first = list.as_os_str().as_bytes().split(|byte| *byte == b':').next()?;
    Some(PathBuf::from(std::ffi::OsStr::from_bytes(first))).filter(|path| path.is_absolute())
}

/// The present moment.
#[expect(clippy::disallowed_methods, reason = "this is where the clock is asked")]
pub(crate) fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// Name of this machine, for a mark.
pub(crate) fn machine() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// A new migration's id: when, and six digits that tell apart what begins in the same second.
pub(crate) fn new_id(uuid: &str) -> String {
    let now = now();
    let time: String = now.to_string().chars().take(19).filter(char::is_ascii_digit).collect();
    let digest = Sha256::digest(format!("{uuid} {} {}", std::process::id(), now.0));
    format!("{}-{}-{:02x}{:02x}{:02x}", &time[..8], &time[8..], digest[0], digest[1], digest[2])
}

/// Where the journals are of what is over.
const CLOSED: &str = "closed";

/// The directory of journals.
#[derive(Debug, Clone)]
pub struct Store {
    directory: PathBuf,
    /// Where journals go whose migration is over, so that no command has to read them all.
    closed: PathBuf,
}

/// One journal of the directory.
#[derive(Debug)]
pub struct Listed {
    /// The migration's id.
    pub id: String,
    /// The file.
    pub path: PathBuf,
    /// What it says; the error when it could not be read.
    pub content: Result<Parsed, JournalError>,
}

impl Listed {
    /// What its records come to; none when nothing had begun.
    pub fn state(&self) -> Option<State> {
        State::of(&self.content.as_ref().ok()?.records)
    }

    /// Whether it lies among those of migrations that are over.
    pub(crate) fn is_put_away(&self) -> bool {
        self.path.parent().is_some_and(|directory| directory.ends_with(CLOSED))
    }

    /// Whether the migration is over, or had not begun.
    pub fn is_closed(&self) -> bool {
        match &self.content {
            Ok(parsed) => parsed.trouble.is_none() && self.state().is_none_or(|state| state.is_closed()),
            Err(_) => false,
        }
    }
}

impl Store {
    /// The store under a state directory. Nothing is made or read yet.
    pub fn at(state_directory: impl AsRef<Path>) -> Self {
        let at = |name| state_directory.as_ref().join(name);
        Self { directory: at("migrations"), closed: at(CLOSED) }
    }

    /// The directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The file of a journal that may be over.
    fn existing(&self, id: &str) -> Result<PathBuf, JournalError> {
        let open = self.path(id)?;
        if open.symlink_metadata().is_ok() {
            return Ok(open);
        }
        let closed = self.closed.join(format!("{id}.ndjson"));
        Ok(if closed.symlink_metadata().is_ok() { closed } else { open })
    }

    /// Whether there is a journal of this migration.
    pub fn knows(&self, id: &str) -> bool {
        self.existing(id).is_ok_and(|path| path.symlink_metadata().is_ok())
    }

    /// Whether the migration with this id is over, by its journal here: its mark holds nothing.
    pub fn is_over(&self, id: &str) -> bool {
        let Ok(path) = self.path(id) else { return false };
        let put_away = path.file_name().is_some_and(|name| self.closed.join(name).symlink_metadata().is_ok());
        let ended =
            |parsed: Parsed| parsed.trouble.is_none() && State::of(&parsed.records).is_some_and(|s| s.is_closed());
        put_away || self.read(id).is_ok_and(ended)
    }

    fn path(&self, id: &str) -> Result<PathBuf, JournalError> {
        // An id is a file name: nothing that leads out of the directory is one.
        let safe = !id.is_empty() && id.len() <= 64 && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        if safe {
            Ok(self.directory.join(format!("{id}.ndjson")))
        } else {
            Err(JournalError::NoSuchMigration { id: id.to_owned(), directory: self.directory.clone() })
        }
    }

    /// Begins a journal with its plan, on disk when this returns. `plan.id` is its name; see [`new_id`].
    pub fn create(&self, plan: Plan) -> Result<Journal, JournalError> {
        let path = self.path(&plan.id)?;
        make_directory(&self.directory)?;
        self.tidy();
        let failed = |source| JournalError::Write { path: path.clone(), source };
        let file =
            OpenOptions::new().append(true).read(true).create_new(true).mode(0o600).open(&path).map_err(failed)?;
        sync_directory(&self.directory)?;
        let mut journal = Journal { id: plan.id.clone(), path, store: self.clone(), file, length: 0, seq: 0 };
        journal.append(&Entry::Plan(Box::new(plan)))?;
        Ok(journal)
    }

    /// Opens a journal to go on with it. A torn last line is cut off; one that is damaged or newer is refused.
    pub fn open(&self, id: &str) -> Result<(Journal, Parsed), JournalError> {
        let path = self.existing(id)?;
        let failed = |source: io::Error| match source.kind() {
            io::ErrorKind::NotFound => {
                JournalError::NoSuchMigration { id: id.to_owned(), directory: self.directory.clone() }
            }
            _ => JournalError::Write { path: path.clone(), source },
        };
        let bytes = read_regular(&path, MOST_BYTES).map_err(failed)?;
        let file = OpenOptions::new().append(true).read(true).open(&path).map_err(failed)?;
        let parsed = text::parse(&bytes);
        if let Some(source) = parsed.trouble.clone() {
            return Err(JournalError::Trouble { path, source });
        }
        let mut journal = Journal {
            id: id.to_owned(),
            path,
            store: self.clone(),
            file,
            length: parsed.whole as u64,
            seq: parsed.records.len() as u64,
        };
        if parsed.torn {
            journal.cut().map_err(|source| JournalError::Write { path: journal.path.clone(), source })?;
        }
        Ok((journal, parsed))
    }

    /// Reads a journal, whatever its condition.
    pub fn read(&self, id: &str) -> Result<Parsed, JournalError> {
        let path = self.existing(id)?;
        match read_regular(&path, MOST_BYTES) {
            Ok(bytes) => Ok(text::parse(&bytes)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                Err(JournalError::NoSuchMigration { id: id.to_owned(), directory: self.directory.clone() })
            }
            Err(source) => Err(JournalError::Read { path, source }),
        }
    }

    /// Every journal that may be open, oldest first. No directory is no journals.
    pub fn list(&self) -> Result<Vec<Listed>, JournalError> {
        self.list_if(|_| true)
    }

    /// Those of them with ids that are wanted: the others are not read.
    pub fn list_if(&self, wanted: impl Fn(&str) -> bool) -> Result<Vec<Listed>, JournalError> {
        let mut ids = ids_in(&self.directory)?;
        ids.retain(|id| wanted(id));
        Ok(ids.iter().filter(|id| self.path(id).is_ok()).map(|id| self.listed(id)).collect())
    }

    /// Ids of the journals that may be open, oldest first.
    pub(crate) fn open_ids(&self) -> Result<Vec<String>, JournalError> {
        ids_in(&self.directory)
    }

    /// Ids of the journals that were put away: their migrations are over. Oldest first; no other name is one.
    pub(crate) fn closed_ids(&self) -> Result<Vec<String>, JournalError> {
        let mut ids = ids_in(&self.closed)?;
        ids.retain(|id| self.path(id).is_ok());
        Ok(ids)
    }

    /// Where the journals are that were put away.
    pub(crate) fn closed_directory(&self) -> &Path {
        &self.closed
    }

    /// Removes a journal that was put away; one that may still be acted on is never removed.
    pub fn remove(&self, listed: &Listed) -> Result<(), JournalError> {
        let failed = |source| JournalError::Write { path: listed.path.clone(), source };
        if !listed.is_closed() || listed.path.parent() != Some(&*self.closed) {
            return Err(failed(io::Error::other("the migration is not over")));
        }
        // What pvm did not write under this name may be somebody's copy, or lead elsewhere.
        let is_own = self.path(&listed.id).is_ok() && listed.state().is_some_and(|state| state.plan.id == listed.id);
        if !is_own || !listed.path.symlink_metadata().map_err(failed)?.is_file() {
            return Err(failed(io::Error::other("it is not a journal that pvm wrote under this name")));
        }
        fs::remove_file(&listed.path).map_err(failed)
    }

    /// The journal with this id, read now.
    pub(crate) fn listed(&self, id: &str) -> Listed {
        let path = self.existing(id).unwrap_or_else(|_| self.directory.join(id));
        Listed { id: id.to_owned(), path, content: self.read(id) }
    }

    /// Puts away what is over and still lies among the open ones: an earlier pvm left it there. What cannot be moved is read
    /// each time, which is slow and no error.
    pub fn tidy(&self) {
        let over = |listed: &Listed| listed.is_closed() && listed.state().is_some();
        for listed in self.list().unwrap_or_default().into_iter().filter(over) {
            put_away(&listed.path, &self.closed);
        }
    }
}

/// Ids of the journals in a directory, oldest first. No directory is no journals.
fn ids_in(directory: &Path) -> Result<Vec<String>, JournalError> {
    let failed = |source| JournalError::Directory { path: directory.to_owned(), source };
    #[expect(clippy::disallowed_methods, reason = "the edge that reads journals")]
    let entries = match fs::read_dir(directory) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(failed)?,
    };
    let mut ids = Vec::new();
    for entry in entries {
        let name = entry.map_err(failed)?.file_name();
        ids.extend(name.to_str().and_then(|name| name.strip_suffix(".ndjson")).map(str::to_owned));
    }
    // Ids begin with the time.
    ids.sort();
    Ok(ids)
}

/// Moves a journal to those that are over; its path now, when it could be moved.
fn put_away(path: &Path, closed: &Path) -> Option<PathBuf> {
    let to = closed.join(path.file_name()?);
    make_directory(closed).ok()?;
    // Where this does not reach the disk, the journal lies where it was.
    fs::rename(path, &to).ok()?;
    Some(to)
}

/// More than a migration with all its recoveries writes.
const MOST_BYTES: u64 = 16 << 20;

pub(super) fn make_directory(path: &Path) -> Result<(), JournalError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .and_then(|()| keep_private(path))
        .map_err(|source| JournalError::Directory { path: path.to_owned(), source })
}

/// Group and others may write.
const OTHERS_WRITE: u32 = 0o022;
/// Only its owner removes or renames an entry.
const STICKY: u32 = 0o1000;

/// Journals and locks are nobody else's to read or to replace: one's own directory is made so, what is above it has to be.
fn keep_private(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
    let mode = |path: &Path| std::fs::metadata(path).map(|metadata| metadata.mode());
    let above = path.parent().filter(|above| !above.as_os_str().is_empty());
    let loose = |mode: u32| mode & OTHERS_WRITE != 0 && mode & STICKY == 0;
    if let Some(above) = above
        && loose(mode(above)?)
    {
        let message = format!("{} may be written by others: chmod go-w it", above.display());
        return Err(std::io::Error::new(std::io::ErrorKind::PermissionDenied, message));
    }
    if mode(path)? & 0o077 != 0 {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700))?;
    }
    Ok(())
}

pub(super) fn sync_directory(path: &Path) -> Result<(), JournalError> {
    #[expect(clippy::disallowed_methods, reason = "a directory is opened to be synced")]
    let synced = File::open(path).and_then(|directory| directory.sync_all());
    synced.map_err(|source| JournalError::Directory { path: path.to_owned(), source })
}

/// One migration's journal, open for writing.
#[derive(Debug)]
pub struct Journal {
    id: String,
    path: PathBuf,
    /// Where it lies, and where it goes when the migration is over.
    store: Store,
    file: File,
    /// Length of the whole records.
    length: u64,
    /// Number of the last record.
    seq: u64,
}

impl Journal {
    /// The migration's id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The journals beside it.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Writes a record. One that announces a change is on disk when this returns, with all before it; on an error nothing of
    /// it is left, the change it announces must not be made, and the next record may be tried.
    pub fn append(&mut self, entry: &Entry) -> Result<Record, JournalError> {
        fault::point("before", entry.name());
        let time = now();
        let written = self.write(time, entry);
        written.map_err(|source| JournalError::Write { path: self.path.clone(), source })?;
        fault::point("after", entry.name());
        if matches!(entry, Entry::Done { .. } | Entry::Undone { .. })
            && let Some(path) = put_away(&self.path, &self.store.closed)
        {
            self.path = path;
        }
        Ok(Record { v: VERSION, seq: self.seq, time, entry: entry.clone() })
    }

    fn write(&mut self, time: Timestamp, entry: &Entry) -> io::Result<()> {
        // What an earlier failure could not remove would be damage in front of this record.
        if self.file.metadata()?.len() != self.length {
            self.cut()?;
        }
        let line = text::line(self.seq + 1, time, entry)?;
        let on_disk = |file: &File| if entry.waits_for_the_next() { Ok(()) } else { file.sync_data() };
        if let Err(e) = self.file.write_all(line.as_bytes()).and_then(|()| on_disk(&self.file)) {
            // Best effort: a torn line at the end is dropped by every reader, and cut by the next writer.
            let _ = self.cut();
            return Err(e);
        }
        self.length += line.len() as u64;
        self.seq += 1;
        Ok(())
    }

    fn cut(&mut self) -> io::Result<()> {
        self.file.set_len(self.length)?;
        self.file.seek(io::SeekFrom::End(0))?;
        self.file.sync_all()
    }

    /// Breaks the journal, for tests of what follows from that.
    #[cfg(test)]
    pub(crate) fn replace_file(&mut self, file: File) {
        self.file = file;
    }
}
