//! What is at the paths of another host that a guest would need, through the same channel as its facts.

use std::collections::{BTreeMap, BTreeSet};

use super::channel::{self, Channel, channel, is_plain};
use crate::domain::guest;
use crate::facts::kernel::paths::{MOST_PATHS, look};
use crate::facts::{GatherOptions, HostRef};
use crate::model::snapshot::host::PathKind;
use crate::model::snapshot::{Domain, Snapshot};

/// Asks `host`, whose snapshot this is, about the paths that these guests use. Without an answer they stay unknown.
pub fn add<'a>(
    snapshot: &mut Snapshot,
    host: &HostRef,
    options: &GatherOptions,
    guests: impl IntoIterator<Item = &'a Domain>,
) {
    let paths = paths_of(guests);
    if paths.is_empty() {
        return;
    }
    let found = match channel(host) {
        Channel::Here => look(&options.root, &paths),
        Channel::None(_) => BTreeMap::new(),
        Channel::Program(argv) => {
            let words: Vec<&str> =
                ["paths", "-o", "json"].into_iter().chain(paths.iter().map(String::as_str)).collect();
            let answer = channel::ask(&argv, &words, host, options);
            let parse = |bytes: Vec<u8>| serde_json::from_slice::<BTreeMap<String, PathKind>>(&bytes).ok();
            answer.ok().and_then(|(bytes, _)| parse(bytes)).unwrap_or_default()
        }
    };
    snapshot.host.paths.extend(found);
}

/// What these guests use of the host, as far as it can be asked for.
fn paths_of<'a>(guests: impl IntoIterator<Item = &'a Domain>) -> Vec<String> {
    let mut paths = BTreeSet::new();
    for guest in guests.into_iter().filter_map(|domain| guest::read(domain.xml.as_deref()?).ok()) {
        let disks = guest.disks.iter().filter(|disk| matches!(disk.kind.as_str(), "file" | "block" | "dir"));
        paths.extend(disks.filter_map(|disk| disk.source.clone()));
        paths.extend(guest.paths.iter().map(|(_, path)| path.clone()));
        paths.extend(guest.emulator);
    }
    paths.retain(|path| path.starts_with('/') && is_plain(path));
    paths.into_iter().take(MOST_PATHS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asks_for_what_guests_use_and_a_shell_cannot_misread() {
        let xml = "<domain><devices><emulator>/bin/q</emulator><disk type='file'><source file='/d.img'/></disk>\
                   <disk type='file'><source file='/$(id).img'/></disk><disk type='network'><source name='rbd/x'/></disk>\
                   <serial type='file'><source path='/log'/></serial></devices></domain>";
        let domain = Domain { xml: Some(xml.to_owned()), ..Domain::default() };
        assert_eq!(paths_of([&domain]), ["/bin/q", "/d.img", "/log"]);
    }
}
