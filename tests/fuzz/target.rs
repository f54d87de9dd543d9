//! Has one reader read.

use std::path::Path;

use super::readers::{Reader, readers};

thread_local! {
    static ALL: Vec<Reader> = readers(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../..")));
}

/// Has the reader of this name read these bytes.
pub fn read(name: &str, bytes: &[u8]) {
    ALL.with(|all| {
        let (_, _, read) = all.iter().find(|(of, ..)| *of == name).expect("each target names a reader");
        let _ = read(bytes);
    });
}
