//! `pvm preflight`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::drain::cordon;
use super::hosts::{Hosts, is_same};
use super::learned::learned;
use super::migrate::parameters;
use super::way::peer_to_peer;
use super::{Context, OrStop as _, Stop, ask, storage};
use crate::cli::preflight::Preflight;
use crate::facts::fleet::Member;
use crate::facts::{self, HostRef};
use crate::journal::Drains;
use crate::migration::way::PeerToPeer;
use crate::model::causes::sentence;
use crate::model::format::Format;
use crate::model::outcome::Outcome;
use crate::model::pauses::Pauses;
use crate::model::snapshot::{Domain, Snapshot};
use crate::nova::scheduler::Request;
use crate::output::preflight as output;
use crate::plan::Wishes;
use crate::preflight::{self, Question, Report, Terms};

/// Runs the command.
pub(crate) fn run(context: &Context, args: &Preflight) -> Result<Outcome, Stop> {
    if context.global.output == Format::Html && !args.matrix {
        return Err(Stop::usage("-o html goes with --matrix only"));
    }
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
    let pairs = Pairs::of(context, args, &hosts, &asked[0], source?)?;
    let (mut reports, mut unreachable, mut ways) = (Vec::new(), Vec::new(), Vec::new());
    for (Member { host: to, is_one_of_several }, destination) in to.iter().zip(snapshots) {
        match destination {
            // The host itself is no destination where the group or directory has it.
            Ok(destination) if *is_one_of_several && is_same(&pairs.source, &destination) => {}
            Ok(destination) => {
                let (report, way) = pairs.judge(to, destination)?;
                reports.push(report);
                ways.extend(way);
            }
            // With several destinations, one that is down is a row, not the end.
            Err(error) if asked.len() > 2 => {
                unreachable.push(output::Unreachable { host: to.label(), why: sentence(&error) });
            }
            Err(error) => return Err(error.into()),
        }
    }
    if reports.is_empty() && unreachable.is_empty() {
        return Err(Stop::usage(format!("no destination other than {} itself", pairs.source.host.name)));
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

/// One source, as it is judged with each of its destinations.
struct Pairs<'a> {
    context: &'a Context,
    args: &'a Preflight,
    hosts: &'a Hosts,
    from: &'a HostRef,
    source: Snapshot,
    /// The guests that were named, by index; none when none was.
    domains: Option<Vec<usize>>,
    guests: Vec<Domain>,
    max_pause: Option<Duration>,
    stored: Option<Vec<Request>>,
    drains: Option<Drains>,
    pauses: Arc<Pauses>,
}

impl<'a> Pairs<'a> {
    fn of(
        context: &'a Context,
        args: &'a Preflight,
        hosts: &'a Hosts,
        from: &'a HostRef,
        mut source: Snapshot,
    ) -> Result<Self, Stop> {
        from.call(&mut source);
        let domains = named(&source, &args.instance)?;
        if !args.copy_storage.is_empty() && domains.as_ref().is_some_and(|domains| domains.len() > 1) {
            return Err(Stop::usage("--copy-storage is for one guest"));
        }
        let guests: Vec<Domain> = preflight::guests(&source, domains.as_deref()).into_iter().cloned().collect();
        facts::remote::paths::add(&mut source, from, &hosts.options, &guests);
        let max_pause = parameters::max_pause(args.max_pause, &hosts.options.settings.defaults)?;
        let stored = args.pci_requests.as_deref().map(super::hosts::pci_requests).transpose()?;
        let (drains, pauses) = (cordon::drains(context), learned());
        Ok(Self { context, args, hosts, from, source, domains, guests, max_pause, stored, drains, pauses })
    }

    /// The verdict on one destination, and what is known of the way there where it could not be asked for.
    fn judge(&self, to: &HostRef, mut destination: Snapshot) -> Result<(Report, Option<String>), Stop> {
        let Self { context, args, hosts, from, ref source, .. } = *self;
        to.call(&mut destination);
        let copies = match self.domains.as_deref() {
            Some([one]) => storage::ask([from, to], &hosts.options, &source.domains[*one], &args.copy_storage)?,
            Some(_) | None => BTreeMap::new(),
        };
        ask::about(&mut destination, to, hosts, context, &self.guests);
        cordon::note(self.drains.as_ref(), &mut destination.host);
        if !self.guests.is_empty() {
            ask::the_way(context, hosts, (from, source), to, &mut destination);
        }
        let is_asked = destination.host.reach.as_ref().is_some_and(|reach| reach.libvirt.is_some());
        let way = if is_asked { None } else { known_way(context, [from, to]) };
        let (policies, pauses) = (hosts.options.settings.policies(), Arc::clone(&self.pauses));
        let question = Question {
            domains: self.domains.clone(),
            wishes: Wishes {
                request: args.request.as_deref(),
                ports: &args.replug,
                stored: self.stored.as_deref(),
                map: None,
            },
            terms: Terms { copies, max_pause: self.max_pause, policies, pauses, ..Terms::default() },
            all: args.all || context.printer.verbose > 0,
            ..Question::default()
        };
        Ok((preflight::run(source, &destination, &question), way))
    }
}

/// What is known of the way between two hosts that run. Snapshots have none.
fn known_way(context: &Context, hosts: [&HostRef; 2]) -> Option<String> {
    let local = context.local_uri().ok()?;
    hosts[0].libvirt_uri(&local)?;
    let (uri, to) = (hosts[1].libvirt_uri(&local)?, &hosts[1].label());
    let (is_local, from) = (hosts[0] == &HostRef::Local, hosts[0].label());
    if !is_local && uri.contains(":///") {
        // migrate has the source's daemon reach this machine by its name.
        return None;
    }
    let known = peer_to_peer(is_local, &from, to, &uri);
    if known == PeerToPeer::Unknown && context.printer.verbose == 0 {
        return None;
    }
    Some(format!("{from} -> {to}: {}", known.words(&from, &uri)))
}

/// The guests that were named, by index; none when none was.
fn named(source: &Snapshot, names: &[String]) -> Result<Option<Vec<usize>>, Stop> {
    if names.is_empty() {
        return Ok(None);
    }
    names.iter().map(|name| source.find_domain(name).map_err(Stop::unknown)).collect::<Result<_, _>>().map(Some)
}
