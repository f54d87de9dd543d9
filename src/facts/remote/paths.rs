//! What is at the paths of another host that a guest would need, through the same channel as its facts.

use std::collections::BTreeSet;
use std::path::Path;

use super::channel::{self, Channel, channel, is_plain};
use crate::domain::guest::{self, Need};
use crate::domain::qemu_files::{qemu_files, written_by_libvirt};
use crate::facts::kernel::paths::{Found, MOST_PATHS, STANDARD, look};
use crate::facts::{GatherOptions, HostRef, reach};
use crate::model::snapshot::{Domain, Snapshot};

/// Asks `host`, whose snapshot this is, about the paths that these guests use. Without an answer they stay unknown.
pub(crate) fn add<'a>(
    snapshot: &mut Snapshot,
    host: &HostRef,
    options: &GatherOptions,
    guests: impl IntoIterator<Item = &'a Domain>,
) {
    let channel = channel(host);
    // Guests by the thousand are not read for nothing.
    if matches!(channel, Channel::None(_)) {
        return;
    }
    let guests: Vec<&Domain> = guests.into_iter().collect();
    let paths = paths_of(guests.iter().copied());
    if paths.is_empty() {
        return;
    }
    // A saved tree is another machine's, which nobody connects from.
    let servers = if options.root == Path::new("/") { servers_of(guests) } else { Vec::new() };
    let found = match channel {
        Channel::Here => Found { servers: reach::servers(&servers), ..look(&options.root, &paths) },
        Channel::None(_) => Found::default(),
        Channel::Program(argv) => {
            let words: Vec<&str> =
                ["paths", "-o", "json"].into_iter().chain(paths.iter().map(String::as_str)).collect();
            let more = servers.iter().flat_map(|server| ["--server", server.as_str()]);
            let all: Vec<&str> = words.iter().copied().chain(more).collect();
            let ask = |words: &[&str]| {
                let (bytes, _) = channel::ask(&argv, words, host, options).ok()?;
                serde_json::from_slice::<Found>(&bytes).ok()
            };
            // An older pvm there knows no servers.
            ask(&all).or_else(|| if servers.is_empty() { None } else { ask(&words) }).unwrap_or_default()
        }
    };
    snapshot.host.reached.extend(found.servers);
    snapshot.host.paths.extend(found.paths);
    snapshot.host.path_details.extend(found.details);
}

/// The servers that these guests connect to, as far as they can be asked for. What is each host's own tells nothing.
fn servers_of<'a>(guests: impl IntoIterator<Item = &'a Domain>) -> Vec<String> {
    let guests = guests.into_iter().filter_map(|domain| guest::read(domain.xml.as_deref()?).ok());
    let servers: BTreeSet<String> = guests.flat_map(|guest| guest.servers()).collect();
    servers.into_iter().filter(|server| is_plain(server)).collect()
}

/// What these guests use of the host, as far as it can be asked for.
fn paths_of<'a>(guests: impl IntoIterator<Item = &'a Domain>) -> Vec<String> {
    let mut paths = BTreeSet::new();
    let read = |domain: &'a Domain| Some((domain, guest::read(domain.xml.as_deref()?).ok()?));
    for (domain, guest) in guests.into_iter().filter_map(read) {
        paths.extend(written_by_libvirt(&domain.name));
        let local = |kind: &str| matches!(kind, "file" | "block" | "dir" | "vhostuser" | "vhostvdpa");
        for disk in &guest.disks {
            paths.extend(disk.source.clone().filter(|_| local(&disk.kind)));
            paths.extend(
                disk.backing
                    .iter()
                    .chain(&disk.data)
                    .filter(|image| local(&image.kind))
                    .map(|image| image.source.clone()),
            );
            paths.extend(disk.servers.iter().filter_map(|server| server.socket.clone()));
        }
        for path in guest.paths.clone() {
            if path.need == Need::Pipe {
                paths.extend([".in", ".out"].map(|end| format!("{}{end}", path.path)));
            }
            paths.insert(path.path);
        }
        paths.extend(qemu_files(&guest).into_iter().flat_map(|file| file.places));
        paths.extend(guest.graphics.iter().flat_map(guest::Graphics::keymap_files));
        paths.extend(guest.emulator);
    }
    paths.retain(|path| path.starts_with('/') && is_plain(path));
    if paths.is_empty() {
        return Vec::new();
    }
    paths.into_iter().chain(STANDARD.iter().map(|path| (*path).to_owned())).take(MOST_PATHS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asks_for_what_guests_use_and_a_shell_cannot_misread() {
        let xml = "<domain><devices><emulator>/bin/q</emulator><disk type='file'><source file='/d.img'/></disk>\
                   <disk type='file'><source file='/$(id).img'/></disk><disk type='network'><source name='rbd/x'/></disk>\
                   <serial type='file'><source path='/log'/></serial></devices></domain>";
        let domain = Domain { name: "vm".to_owned(), xml: Some(xml.to_owned()), ..Domain::default() };
        assert_eq!(paths_of([&domain])[..2], ["/bin/q", "/d.img"]);
        assert!(
            ["/etc/libvirt/qemu/vm.xml.new", "/log"]
                .iter()
                .all(|path| paths_of([&domain]).contains(&(*path).to_owned()))
        );
        assert!(paths_of([&domain]).iter().any(|path| path == "/usr/share/seabios/bios-256k.bin"));
    }
}
