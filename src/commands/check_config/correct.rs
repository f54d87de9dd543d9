//! `--fix` and `--diff`: the files with every correction made.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::super::{Context, OrStop as _, Stop};
use crate::facts;
use crate::model::finding::Finding;
use crate::model::outcome::Outcome;
use crate::nova::config::{Input, ParsedConfig, fix};
use crate::output::text::printable;

/// What was corrected.
pub(super) struct Corrected {
    /// The files as they are now.
    pub inputs: Vec<Input>,
    /// How a run ends that fails from here on: files may have been written.
    pub failure: Outcome,
}

/// Every file that `config` was read from, corrected. `--diff` prints the patch; `--fix` writes, once all files are known to be
/// what can be corrected.
pub(super) fn correct(
    context: &Context,
    shows_patch: bool,
    inputs: Vec<Input>,
    config: &ParsedConfig,
    found: &[Finding],
) -> Result<Corrected, Stop> {
    if !shows_patch && context.global.root != Path::new("/") {
        return Err(Stop::usage("--fix writes; with --root nothing is written"));
    }
    // Beside the files themselves there are those inside of them, which have names of their own.
    let mut sources = config.sources.iter();
    let mut seen: BTreeSet<PathBuf> = BTreeSet::new();
    let mut all: Vec<(Input, _, _, String)> = Vec::new();
    for input in inputs {
        let Some((id, file)) = sources.find(|(_, file)| file.name == input.name) else { continue };
        if file.text.as_bytes() != input.bytes {
            let why = "it is not UTF-8 text; save it as UTF-8 first";
            return Err(Stop::refused(format!("cannot correct {}: {why}", input.name)));
        }
        if Path::new(&input.name).canonicalize().is_ok_and(|path| !seen.insert(path)) {
            continue;
        }
        let corrected = fix::corrected(id, file, found);
        all.push((input, id, file, corrected));
    }
    let mut failure = Outcome::Unknown;
    for (input, id, file, corrected) in &all {
        if shows_patch {
            context.printer.result(&fix::diff(config, *id, file, corrected)).or_stop(failure)?;
        } else if input.name == "-" {
            context.printer.result(corrected).or_stop(failure)?;
        } else if *corrected == file.text {
            context.printer.note(&printable(&format!("{}: nothing to correct", input.name)));
        } else {
            let backup = facts::replace::replace(Path::new(&input.name), &file.text, corrected)
                .map_err(|error| Stop::new(failure, format!("cannot correct {}: {error}", input.name)))?;
            failure = Outcome::Incomplete;
            // As the file was named, unless that is a link: the old file is beside what it leads to.
            let name = Path::new(&input.name);
            let backup = match backup.file_name() {
                Some(file) if !name.is_symlink() => name.with_file_name(file),
                _ => backup,
            };
            let told = format!("{} was corrected; the old file is {}", input.name, backup.display());
            context.printer.note(&printable(&told));
        }
    }
    let corrected = all.into_iter().map(|(input, _, _, text)| Input { bytes: text.into_bytes(), ..input }).collect();
    Ok(Corrected { inputs: corrected, failure })
}
