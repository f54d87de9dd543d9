//! File trees for tests: expanded from text manifests, because links do not belong in git, or built in any size.
//!
//! A manifest has one entry per line; `#` begins a comment:
//!
//! ```text
//! path = text          a file; a newline is added; \n and \\ are escapes
//! path : 8680ca10 +252 a file of bytes in hex, and that many zeros behind
//! path -> target       a link
//! path/                a folder
//! ```

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    dead_code,
    unreachable_pub,
    reason = "shared by several tests, which use parts of it"
)]

pub mod synthetic;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

/// The folder of this package's tests.
pub fn tests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests")
}

/// Expands `tests/fixtures/trees/NAME.tree` into `dir`.
pub fn expand_fixture(name: &str, dir: &Path) {
    let manifest = fs::read_to_string(tests().join(format!("fixtures/trees/{name}.tree"))).unwrap();
    expand(&manifest, dir);
}

/// Expands a manifest into `dir`. Later lines replace what earlier ones made; `path !` removes it.
pub fn expand(manifest: &str, dir: &Path) {
    for line in manifest.lines() {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some((path, target)) = line.split_once(" -> ") {
            let at = place(dir, path);
            symlink(target, at).unwrap();
        } else if let Some((path, text)) = line.split_once(" = ") {
            fs::write(place(dir, path), format!("{}\n", unescape(text))).unwrap();
        } else if let Some((path, hex)) = line.split_once(" : ") {
            fs::write(place(dir, path), bytes(hex)).unwrap();
        } else if let Some(path) = line.strip_suffix(" !") {
            place(dir, path);
        } else if let Some(path) = line.strip_suffix('/') {
            fs::create_dir_all(dir.join(path)).unwrap();
        } else {
            panic!("not a line of a manifest: {line:?}");
        }
    }
}

/// Makes room for an entry.
fn place(dir: &Path, path: &str) -> PathBuf {
    let at = dir.join(path);
    fs::create_dir_all(at.parent().unwrap()).unwrap();
    match fs::symlink_metadata(&at) {
        Ok(meta) if meta.is_dir() => fs::remove_dir_all(&at).unwrap(),
        Ok(_) => fs::remove_file(&at).unwrap(),
        Err(_) => {}
    }
    at
}

fn unescape(text: &str) -> String {
    text.replace("\\\\", "\0").replace("\\n", "\n").replace('\0', "\\")
}

fn bytes(text: &str) -> Vec<u8> {
    let (hex, zeros) = text.split_once(" +").unwrap_or((text, "0"));
    let mut bytes: Vec<u8> =
        (0..hex.len()).step_by(2).map(|i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap()).collect();
    bytes.resize(bytes.len() + zeros.parse::<usize>().unwrap(), 0);
    bytes
}
