//! What hosts that run are asked about the guests that are to move.

use std::path::Path;

use super::Context;
use super::hosts::Hosts;
use crate::facts::remote::way::{self, Between};
use crate::facts::{self, HostRef};
use crate::libvirt;
use crate::model::snapshot::{Domain, Snapshot};

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
