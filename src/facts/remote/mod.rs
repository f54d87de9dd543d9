//! Facts that other machines hold: their snapshots, paths, storage and evidence, read from a file or asked over ssh.

mod channel;
pub mod evidence;
pub mod file;
pub mod packed;
pub mod paths;
pub mod ssh;
pub mod storage;
pub mod way;
