//! What hosts that run are asked about the guests that are to move.

use std::path::Path;

use super::Context;
use super::hosts::Hosts;
use crate::facts::remote::way::{self, Between};
use crate::facts::{self, HostRef};
use crate::libvirt;
use crate::model::snapshot::{Domain, Snapshot};
use crate::output::text::printable;

/// Asks the destination what it has of all that these guests need.
pub(super) fn about(destination: &mut Snapshot, host: &HostRef, hosts: &Hosts, context: &Context, guests: &[Domain]) {
    facts::remote::paths::add(destination, host, &hosts.options, guests);
    let here = context.global.root == Path::new("/") || context.global.connect.is_some();
    let local = context.local_uri();
    let uri = local.ok().and_then(|local| host.libvirt_uri(&local)).filter(|_| here && !guests.is_empty());
    let Some(uri) = uri else { return };
    match libvirt::open(&uri) {
        Ok(daemon) => facts::questions::ask(destination, daemon.as_ref(), guests),
        Err(error) => destination.host.unconnected = Some(error.to_string()),
    }
}

/// Says how old the facts are that were saved, each host with the time at which they were read.
pub(super) fn tell_age<'h>(context: &Context, hosts: impl IntoIterator<Item = (&'h HostRef, &'h str)>) {
    let saved = hosts.into_iter().filter(|(host, _)| host.is_saved());
    let mut saved: Vec<(&str, String)> = saved.map(|(host, at)| (at, host.label())).collect();
    saved.sort();
    let unknown = saved.iter().filter(|(at, _)| at.is_empty()).count();
    let mut parts = Vec::new();
    if let Some((at, host)) = saved.get(unknown) {
        parts.push(match saved.len() - unknown {
            1 => format!("those of {host} are of {at}"),
            many => format!("the oldest of {many}, of {host}, are of {at}"),
        });
    }
    if unknown > 0 {
        parts.push(format!("of {unknown} nobody knows when they were read, of {} for one", saved[0].1));
    }
    if !parts.is_empty() {
        context.printer.note(&printable(&format!("Facts from files: {}", parts.join("; "))));
    }
}

/// Asks the source how it reaches a destination of real guests.
pub(super) fn the_way(
    context: &Context,
    hosts: &Hosts,
    source: (&HostRef, &Snapshot),
    to: &HostRef,
    there: &mut Snapshot,
) {
    let Ok(local) = context.local_uri() else { return };
    let [from, uri] = [source.0, to].map(|host| host.libvirt_uri(&local).filter(|uri| uri.starts_with("qemu")));
    let (Some(_), Some(uri), true) = (from, uri, context.global.root == Path::new("/")) else { return };
    let between = Between { source: source.0, via: [source.1.via, there.via], destination: to, uri: Some(&uri) };
    there.host.reach = way::ask(between, &there.host, &hosts.options);
    if let Some(reach) = &mut there.host.reach {
        reach.from.clone_from(&source.1.host.name);
    }
}
