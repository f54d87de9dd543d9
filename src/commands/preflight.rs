//! `pvm preflight`.

use std::collections::BTreeMap;

use super::drain::cordon;
use super::hosts::{Hosts, is_same};
use super::migrate::parameters;
use super::way::peer_to_peer;
use super::{Context, OrStop as _, Stop, ask, storage};
use crate::cli::preflight::Preflight;
use crate::facts::fleet::Member;
use crate::facts::{self, HostRef};
use crate::migration::way::PeerToPeer;
use crate::model::causes::sentence;
use crate::model::outcome::Outcome;
use crate::model::snapshot::{Domain, Snapshot};
use crate::output::preflight as output;
use crate::plan::Wishes;
use crate::preflight::{self, Question, Report, Terms};

/// Runs the command.
pub(crate) fn run(context: &Context, args: &Preflight) -> Result<Outcome, Stop> {
    if args.rehearse {
        return super::migrate::rehearse(context, args);
    }
    if args.matrix {
        return super::matrix::run(context, args);
    }
    let hosts = Hosts::new(context)?;
    let to = hosts.parse_all(&args.destinations)?;
    let from = hosts.parse(&args.source)?;
    let asked: Vec<HostRef> = std::iter::once(from).chain(to.iter().map(|member| member.host.clone())).collect();
    let mut snapshots = facts::gather_all(&asked, &hosts.options).into_iter();
    let Some(source) = snapshots.next() else { return Err(Stop::usage("no source host")) };
    let mut source = source?;
    let domains = named(&source, &args.instance)?;
    let guests: Vec<Domain> = preflight::guests(&source, domains.as_deref()).into_iter().cloned().collect();
    facts::remote::paths::add(&mut source, &asked[0], &hosts.options, &guests);
    let max_pause = parameters::max_pause(args.max_pause, &hosts.options.settings.defaults)?;
    let stored = args.pci_requests.as_deref().map(super::hosts::pci_requests).transpose()?;
    let drains = cordon::drains(context);
    let (mut reports, mut unreachable) = (Vec::new(), Vec::new());
    let mut ways = Vec::new();
    for (Member { host: to, is_one_of_several }, destination) in to.iter().zip(snapshots) {
        // With several destinations, one that is down is a row, not the end.
        let mut destination = match destination {
            // The host itself is no destination where the group or directory has it.
            Ok(destination) if *is_one_of_several && is_same(&source, &destination) => continue,
            Ok(destination) => destination,
            Err(error) if asked.len() > 2 => {
                unreachable.push(output::Unreachable { host: to.label(), why: sentence(&error) });
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        let copies = match domains.as_deref() {
            Some([one]) => storage::ask([&asked[0], to], &hosts.options, &source.domains[*one], &args.copy_storage)?,
            Some(_) if !args.copy_storage.is_empty() => {
                return Err(Stop::usage("--copy-storage is for one guest"));
            }
            Some(_) | None => BTreeMap::new(),
        };
        ask::about(&mut destination, to, &hosts, context, &guests);
        cordon::note(drains.as_ref(), &mut destination.host);
        if !guests.is_empty() {
            ask::the_way(context, &hosts, (&asked[0], &source), to, &mut destination);
        }
        if destination.host.reach.as_ref().is_none_or(|reach| reach.libvirt.is_none()) {
            ways.extend(known_way(context, args, [&asked[0], to]));
        }
        let question = Question {
            domains: domains.clone(),
            wishes: Wishes {
                request: args.request.as_deref(),
                ports: &args.replug,
                stored: stored.as_deref(),
                map: None,
            },
            terms: Terms { copies, max_pause, policies: hosts.options.settings.policies(), ..Terms::default() },
            all: args.all || context.printer.verbose > 0,
            ..Question::default()
        };
        reports.push(preflight::run(&source, &destination, &question));
    }
    if reports.is_empty() && unreachable.is_empty() {
        return Err(Stop::usage(format!("no destination other than {} itself", source.host.name)));
    }
    // Best first; equal ones as they were named.
    reports.sort_by_key(Report::rank);
    output::print_all(&context.printer, &reports, &unreachable, args.all).or_stop(Outcome::Unknown)?;
    for line in ways {
        context.printer.note(&line);
    }
    // Where no destination could be asked, nothing was found out.
    Ok(reports.first().map_or(Outcome::Unknown, |best| best.verdict.outcome(args.strict)))
}

/// What is known of the way between two hosts that run. Snapshots have none.
fn known_way(context: &Context, args: &Preflight, hosts: [&HostRef; 2]) -> Option<String> {
    let local = context.local_uri().ok()?;
    hosts[0].libvirt_uri(&local)?;
    let (uri, to) = (hosts[1].libvirt_uri(&local)?, &hosts[1].label());
    if args.source != "local" && uri.contains(":///") {
        // migrate has the source's daemon reach this machine by its name.
        return None;
    }
    let known = peer_to_peer(&args.source, to, &uri);
    if known == PeerToPeer::Unknown && context.printer.verbose == 0 {
        return None;
    }
    Some(format!("{} -> {to}: {}", args.source, known.words(&args.source, &uri)))
}

/// The guests that were named, by index; none when none was.
fn named(source: &Snapshot, names: &[String]) -> Result<Option<Vec<usize>>, Stop> {
    if names.is_empty() {
        return Ok(None);
    }
    names.iter().map(|name| source.find_domain(name).map_err(Stop::unknown)).collect::<Result<_, _>>().map(Some)
}
