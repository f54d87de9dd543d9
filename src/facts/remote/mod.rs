//! Facts that other machines hold: their snapshots, paths, storage and evidence, read from a file or asked over ssh.

mod channel;
pub(crate) mod evidence;
pub(crate) mod file;
pub(crate) mod packed;
pub(crate) mod paths;
pub(crate) mod ssh;
pub(crate) mod storage;
pub(crate) mod way;
