//! Writes a text that each reader takes into the corpus of its target.

use std::fs;
use std::path::Path;

mod readers;

fn main() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (name, text, _) in readers::readers(&here.join("../..")) {
        let corpus = here.join("corpus").join(name.replace('.', "-"));
        fs::create_dir_all(&corpus).expect("the corpus can be made");
        fs::write(corpus.join("seed"), text).expect("the corpus can be written");
    }
}
