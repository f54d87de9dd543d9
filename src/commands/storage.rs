//! `pvm storage`, and both hosts' answers about the disks that are to be copied.

use std::collections::BTreeMap;

use super::{Context, OrStop as _, Stop};
use crate::cli::storage::Storage;
use crate::domain::guest;
use crate::facts::GatherOptions;
use crate::facts::HostRef;
use crate::facts::remote::storage;
use crate::model::outcome::Outcome;
use crate::model::snapshot::Domain;
use crate::model::snapshot::storage::Storage as Answer;
use crate::preflight::terms::Copied;

/// Runs the command.
pub(crate) fn run(context: &Context, args: &Storage) -> Result<Outcome, Stop> {
    context.printer.document(&storage::collect(&args.paths)).or_stop(Outcome::Unknown)?;
    Ok(Outcome::Fine)
}

/// What both hosts say about the named disks of a guest, by target name. A disk that it does not have is a mistake.
pub(crate) fn ask(
    hosts: [&HostRef; 2],
    options: &GatherOptions,
    domain: &Domain,
    named: &[String],
) -> Result<BTreeMap<String, Copied>, Stop> {
    if named.is_empty() {
        return Ok(BTreeMap::new());
    }
    let disks = domain.xml.as_deref().and_then(|xml| guest::read(xml).ok()).map(|guest| guest.disks);
    let disks = disks.ok_or_else(|| Stop::unknown(format!("the disks of {} are not known", domain.name)))?;
    let mut chosen = Vec::new();
    for name in named {
        let Some(disk) = disks.iter().find(|disk| disk.target == *name) else {
            let has: Vec<_> = disks.iter().map(|disk| disk.target.as_str()).collect();
            let has = if has.is_empty() { "none".to_owned() } else { has.join(", ") };
            return Err(Stop::refused(format!("--copy-storage: {} has no disk {name}; it has {has}", domain.name)));
        };
        let path = disk.source.clone().filter(|_| disk.kind == "file").ok_or_else(|| {
            Stop::refused(format!(
                "--copy-storage: the disk {name} of {} is no file: only files are copied",
                domain.name
            ))
        })?;
        chosen.push((name.clone(), disk.format.clone(), path));
    }
    let paths: Vec<String> = chosen.iter().map(|(_, _, path)| path.clone()).collect();
    let [source, destination] = hosts.map(|host| storage::ask(host, options, &paths));
    let same_kernel = match (&source, &destination) {
        (Ok(source), Ok(destination)) => source.boot.is_some() && source.boot == destination.boot,
        (Err(_), _) | (_, Err(_)) => false,
    };
    let image = |answer: &Result<Answer, String>, at: usize| answer.clone().map(|answer| answer.images[at].clone());
    Ok(chosen
        .into_iter()
        .enumerate()
        .map(|(at, (name, format, path))| {
            let (source, target) = (image(&source, at), image(&destination, at));
            (name, Copied { path, format, source, target, same_kernel })
        })
        .collect())
}
