//! A migration that is carried out for another command: no question, no result printed.

use std::collections::BTreeSet;

use super::attempt::{Attempts, Go, Moving, Ready, perform};
use super::wanted::Wanted;
use super::{nova, sides};
use crate::cli::migrate::Migrate;
use crate::commands::hosts::Hosts;
use crate::commands::recover::RealWorld;
use crate::commands::{Context, OrStop as _, Stop};
use crate::journal;
use crate::migration::ending::Ending;
use crate::migration::forward::Line;
use crate::model::device_move::DeviceMove;
use crate::model::options::Options;
use crate::model::outcome::Outcome;
use crate::preflight::Downtime;

pub(in crate::commands) use super::follow::Follow;

/// A guest and how it is migrated.
pub(in crate::commands) struct Order<'a> {
    /// Its UUID.
    pub(in crate::commands) guest: &'a str,
    /// Where it runs.
    pub(in crate::commands) from: &'a str,
    /// Where it goes.
    pub(in crate::commands) to: &'a str,
    /// With which devices.
    pub(in crate::commands) map: &'a [DeviceMove],
    /// Checks that may fail.
    pub(in crate::commands) allow: &'a [String],
    /// How it is done.
    pub(in crate::commands) options: &'a Options,
    /// The limit of the pause.
    pub(in crate::commands) downtime: Downtime,
}

/// Migrates a guest, or refuses. What a refusal rests on is said by the context's printer.
pub(in crate::commands) fn carry_out(
    context: &Context,
    hosts: &Hosts,
    order: &Order<'_>,
    follow: &dyn Follow,
) -> Result<(journal::Plan, Ending), Stop> {
    let args = &Migrate { allow: order.allow.to_vec(), yes: true, ..Migrate::default() };
    let wanted = Wanted {
        instance: order.guest.to_owned(),
        from: order.from.to_owned(),
        destination: order.to.to_owned(),
        request: None,
        stored: None,
        ports: Vec::new(),
        copies: Vec::new(),
        no_detach: false,
        bypass_owner: false,
        options: order.options.clone(),
        downtime: order.downtime,
        map: Some(order.map.to_vec()),
        saved: None,
    };
    let sides = sides::open(hosts, &wanted)?;
    let attempts = Attempts::new(context, args, hosts, &sides, &wanted)?;
    let ends = attempts.live()?;
    let planned = attempts.plan(&BTreeSet::new())?;
    if let Some(access) = nova::access(hosts, args, &planned)? {
        let run = nova::Run { context, args, hosts, sides: ends };
        let moved = run.carry_out(&attempts.directory, access, &planned, follow);
        sides.close();
        return moved;
    }
    let Go { migration, locks, .. } = match attempts.ready(ends, planned)? {
        Ready::Go(go) => *go,
        Ready::Taken(device) => return Err(Stop::unknown(format!("{device} was claimed by another pvm meanwhile"))),
    };
    let line = Line::new();
    follow.begin(&migration, line.sender())?;
    let mut journal = attempts.store.create(migration.clone()).or_stop(Outcome::Unknown)?;
    let world = RealWorld::new(context, hosts, migration.clone());
    let mut world = Moving { world, tell: &|event| follow.tell(event) };
    let ending = perform(&mut world, ends, &migration, &mut journal, &line);
    drop(locks);
    sides.close();
    Ok((migration, ending))
}
