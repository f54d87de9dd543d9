//! Disk images as one host sees them, `pvm.storage/1`: what decides whether a disk may be copied onto one of them.

use serde::{Deserialize, Serialize};

/// The schema this build writes and reads.
pub(crate) const SCHEMA: &str = "pvm.storage/1";

/// What a host says about paths it was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Storage {
    /// [`SCHEMA`].
    pub schema: String,
    /// Host name.
    pub host: String,
    /// The kernel's boot: device numbers mean the same only within one.
    pub boot: Option<String>,
    /// One per path, in the order asked.
    pub images: Vec<Image>,
}

/// What a path is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Nothing is there.
    #[default]
    Absent,
    /// A regular file.
    File,
    /// Anything else: a block device, a folder.
    Other,
    /// It could not be looked at.
    Unknown,
}

/// One path.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Image {
    /// The path.
    pub path: String,
    /// What it is.
    pub kind: Kind,
    /// Length of the file in bytes.
    pub size: u64,
    /// Bytes that the file system has allocated for it; 0: nothing was ever written.
    pub allocated: u64,
    /// Kind of the file system: `ext4`, `xfs`, `nfs`, or its number.
    pub filesystem: String,
    /// Device and inode number.
    pub identity: Option<(u64, u64)>,
    /// What its qcow2 header says, when it has one.
    pub qcow2: Option<Qcow2>,
    /// Why it could not be looked at.
    pub why: Option<String>,
}

/// A qcow2 header (QEMU's `docs/interop/qcow2.txt`).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Qcow2 {
    /// Size of the disk in it.
    pub capacity: u64,
    /// Whether no cluster is mapped and no snapshot is kept.
    pub empty: bool,
    /// Whether what it lacks comes from another image.
    pub backing: bool,
}
