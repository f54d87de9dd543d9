//! `pvm drain`.

use std::collections::BTreeSet;

use super::hosts::{Hosts, is_another, is_same};
use super::preflight::{ask_about, ask_the_way};
use super::{Context, OrStop as _, Stop};
use crate::cli::drain::Drain;
use crate::drain::{self, Limits};
use crate::facts::fleet::Member;
use crate::facts::{self, HostRef};
use crate::model::causes::sentence;
use crate::model::outcome::Outcome;
use crate::model::snapshot::{Domain, Snapshot};
use crate::output::drain as output;
use crate::output::preflight::Unreachable;
use crate::preflight::Terms;

const NO_DESTINATION: &str = "no destination: name them with --to, or as hosts in pvm.yaml";

/// Runs the command.
pub fn run(context: &Context, args: &Drain) -> Result<Outcome, Stop> {
    let hosts = Hosts::new(context)?;
    let to = destinations(&hosts, args)?;
    let asked: Vec<HostRef> = std::iter::once(hosts.parse(&args.host))
        .chain(to.iter().map(|to| Ok(to.host.clone())))
        .collect::<Result<_, _>>()?;
    let mut snapshots = facts::gather_all(&asked, &hosts.options).into_iter();
    let Some(source) = snapshots.next() else { return Err(Stop::usage("no host to be emptied")) };
    let mut source = source?;
    let chosen = chosen(&source, args)?;
    let guests: Vec<Domain> = chosen.iter().map(|at| source.domains[*at].clone()).collect();
    facts::remote::paths::add(&mut source, &asked[0], &hosts.options, &guests);
    let (mut destinations, mut unreachable) = (Vec::new(), Vec::new());
    for (Member { host, is_one_of_several }, snapshot) in to.iter().zip(snapshots) {
        match snapshot {
            Ok(mut snapshot) => {
                if *is_one_of_several && is_same(&source, &snapshot) {
                    continue;
                }
                for before in std::iter::once(&source).chain(&destinations) {
                    is_another(before, &snapshot, host)?;
                }
                ask_about(&mut snapshot, host, &hosts, context, &guests);
                ask_the_way(context, &hosts, (&asked[0], &source), host, &mut snapshot);
                destinations.push(snapshot);
            }
            Err(error) => unreachable.push(Unreachable { host: host.label(), why: sentence(&error) }),
        }
    }
    if destinations.is_empty() && unreachable.is_empty() {
        return Err(Stop::usage(NO_DESTINATION));
    }
    if destinations.is_empty() {
        let why: Vec<String> = unreachable.iter().map(|host| format!("{}: {}", host.host, host.why)).collect();
        return Err(Stop::unknown(format!("no destination could be asked: {}", why.join("; "))));
    }
    let terms = Terms { bandwidth: args.bandwidth, ..Terms::default() };
    let limits = Limits { per_host: usize::from(args.parallel) };
    let plan = drain::plan(&source, &destinations, &chosen, &terms, limits);
    output::print(&context.printer, &plan, &unreachable).or_stop(Outcome::Unknown)?;
    Ok(plan.outcome())
}

/// Where the guests may go, each once: every other host of pvm.yaml where none is named.
fn destinations(hosts: &Hosts, args: &Drain) -> Result<Vec<Member>, Stop> {
    let to = if args.to.is_empty() {
        let all: Vec<String> = hosts.options.settings.hosts.keys().cloned().collect();
        let all = hosts.parse_all(&all)?;
        all.into_iter().map(|member| Member { is_one_of_several: true, ..member }).collect()
    } else {
        hosts.parse_all(&args.to)?
    };
    let source = hosts.parse(&args.host)?.label();
    let to: Vec<Member> = to.into_iter().filter(|member| member.host.label() != source).collect();
    if to.is_empty() { Err(Stop::usage(NO_DESTINATION)) } else { Ok(to) }
}

/// The guests that are to leave, by index: those that run, as far as the operator wants.
fn chosen(source: &Snapshot, args: &Drain) -> Result<Vec<usize>, Stop> {
    let named = |names: &[String]| -> Result<BTreeSet<usize>, Stop> {
        names.iter().map(|name| source.find_domain(name).map_err(Stop::unknown)).collect()
    };
    let (only, except) = (named(&args.only)?, named(&args.except)?);
    let wanted = |at: &usize| {
        if args.only.is_empty() { source.domains[*at].is_active() && !except.contains(at) } else { only.contains(at) }
    };
    Ok((0..source.domains.len()).filter(wanted).collect())
}
