//! Locks between pvm processes of one machine: one per guest, one per claimed device. They end with the process that holds
//! them, however it ends; what a dead pvm had claimed is in its open journal.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::store::{JournalError, make_directory};
use crate::model::pci::PciAddress;

/// How long a taker tries.
const PATIENCE: Duration = Duration::from_millis(200);
/// Between two tries.
const BETWEEN: Duration = Duration::from_millis(5);

/// What one pvm process may hold at a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// A guest, by UUID.
    Guest(String),
    /// A host that is drained, by UUID.
    Host(String),
    /// A device, by the UUID of its host and its address.
    Device(String, PciAddress),
}

impl Subject {
    /// The lock's file name: whatever the host is called, no byte of it leads out of the directory.
    fn file_name(&self) -> String {
        use std::fmt::Write as _;
        let safe = |text: &str| {
            text.bytes().fold(String::new(), |mut name, byte| {
                if byte.is_ascii_alphanumeric() || byte == b'-' {
                    name.push(char::from(byte));
                } else {
                    let _ = write!(name, "_{byte:02x}");
                }
                name
            })
        };
        match self {
            Self::Guest(uuid) => format!("guest-{}.lock", safe(&uuid.to_ascii_lowercase())),
            Self::Host(uuid) => format!("host-{}.lock", safe(&uuid.to_ascii_lowercase())),
            Self::Device(host, address) => format!("device-{}-{}.lock", safe(host), safe(&address.to_string())),
        }
    }
}

/// Why a lock was not taken.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another pvm holds it.
    #[error("locked by another pvm: {holder}")]
    Held {
        /// What it wrote into the lock.
        holder: String,
    },
    /// The directory cannot be made.
    #[error(transparent)]
    Directory(#[from] JournalError),
    /// The file cannot be used.
    #[error("cannot use the lock {}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// A lock, held until it is dropped. The file is then removed.
#[derive(Debug)]
pub struct Lock {
    path: PathBuf,
    file: File,
}

impl Lock {
    /// Takes the lock on `subject` under a state directory, or says at once who holds it. `purpose` is what others are told,
    /// like `migration 20261123-062400-3f2a9c`.
    pub fn take(state_directory: impl AsRef<Path>, subject: &Subject, purpose: &str) -> Result<Self, LockError> {
        let directory = state_directory.as_ref().join("locks");
        make_directory(&directory)?;
        let path = directory.join(subject.file_name());
        let failed = |source| LockError::File { path: path.clone(), source };
        let mut patience = PATIENCE;
        loop {
            let mut file = OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .mode(0o600)
                .open(&path)
                .map_err(failed)?;
            match file.try_lock() {
                Ok(()) => {}
                // Somebody may only be looking whether it is held.
                Err(TryLockError::WouldBlock) if !patience.is_zero() => {
                    std::thread::sleep(BETWEEN);
                    patience = patience.saturating_sub(BETWEEN);
                    continue;
                }
                Err(TryLockError::WouldBlock) => {
                    let mut holder = String::new();
                    // Only for the message; it may be half written.
                    let _ = io::Read::take(&mut file, 200).read_to_string(&mut holder);
                    return Err(LockError::Held { holder: holder.trim().to_owned() });
                }
                Err(TryLockError::Error(source)) => return Err(failed(source)),
            }
            // The last holder removes the file when it lets go: the lock counts only if the file is still the one there.
            match fs::metadata(&path) {
                Ok(there) if there.ino() == file.metadata().map_err(failed)?.ino() => {}
                Ok(_) => continue,
                Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
                Err(e) => return Err(failed(e)),
            }
            file.set_len(0).map_err(failed)?;
            write!(file, "pid {}, {purpose}", std::process::id()).map_err(failed)?;
            return Ok(Self { path, file });
        }
    }
}

impl Lock {
    /// Whether some process holds the lock on `subject`. Takes and makes nothing.
    pub fn is_held(state_directory: impl AsRef<Path>, subject: &Subject) -> bool {
        let path = state_directory.as_ref().join("locks").join(subject.file_name());
        let Ok(file) = OpenOptions::new().read(true).open(path) else { return false };
        // Shared, and given back at once: a taker at this very moment tries again for a while.
        matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock))
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Removed while it is held; if that fails, a free lock file is left, which is harmless.
        let _ = fs::remove_file(&self.path);
        let _ = self.file.unlock();
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "the tests look at the files")]
mod tests {
    use super::*;

    fn device(address: &str) -> Subject {
        Subject::Device("cmp-b1".into(), address.parse().unwrap())
    }

    #[test]
    fn a_lock_is_held_once_and_leaves_no_file() {
        let dir = tempfile::tempdir().unwrap();
        let guest = Subject::Guest("1B4E28BA-2FA1-11D2-883F-0016D3CCA427".into());
        let lock = Lock::take(dir.path(), &guest, "migration x").unwrap();
        let same = Subject::Guest("1b4e28ba-2fa1-11d2-883f-0016d3cca427".into());
        assert!(Lock::is_held(dir.path(), &same) && !Lock::is_held(dir.path(), &device("0000:c1:00.7")));
        let refused = Lock::take(dir.path(), &same, "another").unwrap_err();
        let expected = format!("locked by another pvm: pid {}, migration x", std::process::id());
        assert_eq!(refused.to_string(), expected);
        let _other = Lock::take(dir.path(), &device("0000:c1:00.7"), "migration x").unwrap();
        drop(lock);
        let left: Vec<_> =
            std::fs::read_dir(dir.path().join("locks")).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(left, ["device-cmp-b1-0000_3ac1_3a00_2e7.lock"]);
        assert!(!Lock::is_held(dir.path(), &same));
        Lock::take(dir.path(), &same, "another").unwrap();
    }

    #[test]
    fn a_file_left_by_a_dead_pvm_holds_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("locks").join(device("0000:c1:00.7").file_name());
        std::fs::create_dir(dir.path().join("locks")).unwrap();
        std::fs::write(&path, "pid 1, migration that is long gone, with a long text").unwrap();
        let _lock = Lock::take(dir.path(), &device("0000:c1:00.7"), "m").unwrap();
        assert_eq!(std::fs::read_to_string(path).unwrap(), format!("pid {}, m", std::process::id()));
    }

    #[test]
    fn many_takers_never_hold_it_together() {
        use std::sync::atomic::{AtomicU32, Ordering};
        let dir = tempfile::tempdir().unwrap();
        let (inside, taken) = (AtomicU32::new(0), AtomicU32::new(0));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..500 {
                        if let Ok(_lock) = Lock::take(dir.path(), &device("0000:c1:00.7"), "m") {
                            assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0, "held twice");
                            taken.fetch_add(1, Ordering::SeqCst);
                            inside.fetch_sub(1, Ordering::SeqCst);
                        }
                    }
                });
            }
        });
        assert!(taken.load(Ordering::SeqCst) > 0);
    }

    /// S6: every other command looks whether open migrations are under way, and a migration that began just then was refused.
    #[test]
    fn who_only_looks_keeps_nobody_from_taking_it() {
        let dir = tempfile::tempdir().unwrap();
        drop(Lock::take(dir.path(), &device("0000:c1:00.7"), "m").unwrap());
        let stop = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                        Lock::is_held(dir.path(), &device("0000:c1:00.7"));
                        std::thread::sleep(Duration::from_micros(50));
                    }
                });
            }
            let taken: Vec<_> =
                (0..300).map(|_| Lock::take(dir.path(), &device("0000:c1:00.7"), "m").map(drop)).collect();
            stop.store(true, std::sync::atomic::Ordering::Relaxed);
            for taken in taken {
                taken.unwrap();
            }
        });
    }

    #[test]
    fn no_host_name_leads_out_of_the_directory() {
        let name = Subject::Device("../../etc/x".into(), PciAddress::default()).file_name();
        assert_eq!(name, "device-_2e_2e_2f_2e_2e_2fetc_2fx-0000_3a00_3a00_2e0.lock");
    }
}
