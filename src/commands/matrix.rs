//! `pvm preflight --matrix`.

use std::borrow::Cow;

use super::drain::cordon;
use super::hosts::{Hosts, Named};
use super::learned::learned;
use super::{Context, OrStop as _, Stop, ask};
use crate::cli::preflight::Preflight;
use crate::facts::{self, HostRef};
use crate::libvirt::Hypervisor;
use crate::model::causes::sentence;
use crate::model::outcome::Outcome;
use crate::model::snapshot::{Domain, Snapshot};
use crate::output::matrix as output;
use crate::preflight::matrix::{self, Seen};
use crate::preflight::{Compatibility, Terms};

/// Runs the command.
pub(crate) fn run(context: &Context, args: &Preflight) -> Result<Outcome, Stop> {
    let hosts = Hosts::new(context)?;
    let named = hosts.parse_all(std::iter::once(&args.source).chain(&args.destinations))?;
    let asked: Vec<HostRef> = named.into_iter().map(|member| member.host).collect();
    // Files are read again when they are needed: a large fleet is not held in memory.
    let are_files = asked.iter().all(|host| matches!(host, HostRef::Snapshot(_)));
    let list: Vec<(&HostRef, Option<&dyn Hypervisor>)> = asked.iter().map(|host| (host, None)).collect();
    let answers = facts::gather_each(&list, &hosts.options, |host, answer| {
        let mut snapshot = answer.map_err(|error| sentence(&error))?;
        host.call(&mut snapshot);
        let seen = Seen::of(&snapshot, &args.instance);
        Ok((seen, Some(snapshot).filter(|_| !are_files)))
    });
    let (mut seen, mut held): (Vec<matrix::Named>, Vec<Option<Snapshot>>) = Default::default();
    let mut known = Named::default();
    for (host, answer) in asked.iter().zip(answers) {
        let (answer, snapshot) = answer.map_or_else(|why| (Err(why), None), |(seen, snapshot)| (Ok(seen), snapshot));
        if let Ok(seen) = &answer {
            known.add(&seen.name, seen.uuid.as_deref(), host)?;
        }
        seen.push((host.label(), answer));
        held.push(snapshot);
    }
    if seen.iter().filter(|(_, answer)| answer.is_ok()).count() < 2 {
        let why = seen.iter().find_map(|(label, answer)| Some(format!(": {label}: {}", answer.as_ref().err()?)));
        return Err(match why {
            Some(why) => Stop::unknown(format!("fewer than two hosts could be asked{why}")),
            None => Stop::usage("a matrix needs two hosts or more"),
        });
    }
    let drains = cordon::drains(context);
    if !are_files {
        ask_all(context, &hosts, &asked, &mut held, &args.instance);
        for ((_, seen), snapshot) in seen.iter_mut().zip(&mut held) {
            if let (Ok(seen), Some(snapshot)) = (seen, snapshot) {
                cordon::note(drains.as_ref(), &mut snapshot.host);
                *seen = Seen::of(snapshot, &args.instance);
            }
        }
    }
    let open = |at: usize| {
        let seen = seen[at].1.as_ref().ok()?;
        let again = || {
            let mut snapshot = facts::gather(&asked[at], &hosts.options).ok()?;
            cordon::note(drains.as_ref(), &mut snapshot.host);
            Some(Cow::Owned(snapshot))
        };
        held[at].as_ref().map(Cow::Borrowed).or_else(again).filter(|snapshot| seen.is_of(snapshot))
    };
    let terms = Terms { policies: hosts.options.settings.policies(), pauses: learned(), ..Terms::default() };
    let matrix = matrix::matrix(&seen, &open, &terms);
    if matrix.rows.is_empty() && !args.instance.is_empty() {
        return Err(Stop::unknown(format!("no host has a domain {}", args.instance.join(", "))));
    }
    output::print(&context.printer, &matrix).or_stop(Outcome::Unknown)?;
    let taken = seen.iter().map(|(_, seen)| seen.as_ref().map(|seen| &*seen.taken_at).ok());
    ask::tell_age(context, asked.iter().zip(taken).filter_map(|(host, taken)| Some((host, taken?))));
    // The worst that a guest has as its best.
    let best = matrix.rows.iter().map(|row| row.answers.first().map_or(Compatibility::Unknown, |best| best.verdict));
    let unlisted = matrix.hosts.iter().any(|host| host.unlisted.is_some()).then_some(Compatibility::Unknown);
    Ok(best.chain(unlisted).max().map_or(Outcome::Fine, |worst| worst.outcome(args.strict)))
}

/// Asks hosts that run what they have of all that the guests need.
fn ask_all(context: &Context, hosts: &Hosts, asked: &[HostRef], held: &mut [Option<Snapshot>], names: &[String]) {
    let of = |host: &Snapshot| -> Vec<Domain> {
        matrix::asked(host, names).into_iter().map(|at| host.domains[at].clone()).collect()
    };
    let guests: Vec<Domain> = held.iter().flatten().flat_map(of).collect();
    for (host, snapshot) in asked.iter().zip(held) {
        if let Some(snapshot) = snapshot {
            ask::about(snapshot, host, hosts, context, &guests);
        }
    }
}
