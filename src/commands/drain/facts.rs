//! What the host to be emptied and its destinations say, and the plan that is made of it.

use std::collections::BTreeSet;

use crate::cli::drain::Drain as Args;
use crate::commands::hosts::{Hosts, is_another, is_same};
use crate::commands::preflight::{ask_about, ask_the_way};
use crate::commands::{Context, OrStop as _, Stop};
use crate::drain::{self, Drain, Limits};
use crate::facts::fleet::Member;
use crate::facts::{self, HostRef};
use crate::journal::{DrainRecord, Drains};
use crate::model::causes::sentence;
use crate::model::outcome::Outcome;
use crate::model::snapshot::{Domain, Snapshot};
use crate::output::preflight::Unreachable;
use crate::preflight::Terms;

const NO_DESTINATION: &str = "no destination: name them with --to, or as hosts in pvm.yaml";

/// What is to be drained, in the operator's words of this call or of the one that began it.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    pub(super) host: String,
    pub(super) to: Vec<String>,
    pub(super) only: Vec<String>,
    pub(super) except: Vec<String>,
    pub(super) parallel: u16,
    /// Whether it was asked before: guests that were named may have left.
    pub(super) is_again: bool,
}

impl Wanted {
    pub(super) fn of(args: &Args) -> Self {
        let Args { host, to, only, except, parallel, .. } = args.clone();
        Self { host, to, only, except, parallel, is_again: false }
    }

    pub(super) fn again(record: &DrainRecord) -> Self {
        let DrainRecord { host, to, only, except, parallel, .. } = record.clone();
        Self { host: host.name, to, only, except, parallel, is_again: true }
    }
}

/// A host that guests may go to, and the word by which it was named.
type To = (String, Snapshot);

/// What all hosts say.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) source: Snapshot,
    /// The guests that are to leave, by index.
    chosen: Vec<usize>,
    destinations: Vec<To>,
    pub(super) unreachable: Vec<Unreachable>,
}

impl Asked {
    /// The word by which a destination of the plan was named.
    pub(super) fn word(&self, at: usize) -> &str {
        &self.destinations[at].0
    }

    /// The same without one destination, and for one guest only.
    pub(super) fn elsewhere(mut self, guest: &str, not_to: &str) -> Option<Self> {
        self.destinations.retain(|(word, _)| word != not_to);
        self.chosen.retain(|at| self.source.domains[*at].uuid == guest);
        (!self.destinations.is_empty() && !self.chosen.is_empty()).then_some(self)
    }

    /// The same for some guests only.
    pub(super) fn only(mut self, guests: &[String]) -> Self {
        self.chosen.retain(|at| guests.contains(&self.source.domains[*at].uuid));
        self
    }

    /// The plan for all of them together.
    pub(super) fn plan(&self, args: &Args, wanted: &Wanted) -> Drain {
        let terms =
            Terms { bandwidth: args.bandwidth, tls: args.tls, parallel: args.parallel_connections, ..Terms::default() };
        let limits = Limits { per_host: usize::from(wanted.parallel) };
        let destinations: Vec<Snapshot> = self.destinations.iter().map(|(_, snapshot)| snapshot.clone()).collect();
        drain::plan(&self.source, &destinations, &self.chosen, &terms, limits)
    }
}

/// Asks the host to be emptied and all destinations.
pub(super) fn ask(context: &Context, hosts: &Hosts, wanted: &Wanted, drains: Option<&Drains>) -> Result<Asked, Stop> {
    let to = destinations(hosts, wanted)?;
    let mut refs = vec![hosts.parse(&wanted.host)?];
    refs.extend(to.iter().map(|member| member.host.clone()));
    let mut snapshots = facts::gather_all(&refs, &hosts.options).into_iter();
    let Some(source) = snapshots.next() else { return Err(Stop::usage("no host to be emptied")) };
    let mut source = source?;
    let chosen = chosen(&source, wanted)?;
    let guests: Vec<Domain> = chosen.iter().map(|at| source.domains[*at].clone()).collect();
    facts::remote::paths::add(&mut source, &refs[0], &hosts.options, &guests);
    let (mut destinations, mut unreachable) = (Vec::<To>::new(), Vec::new());
    let mut cordoned = Vec::new();
    for (Member { host, is_one_of_several }, snapshot) in to.iter().zip(snapshots) {
        match snapshot {
            Ok(mut snapshot) => {
                if *is_one_of_several && is_same(&source, &snapshot) {
                    continue;
                }
                for before in std::iter::once(&source).chain(destinations.iter().map(|(_, snapshot)| snapshot)) {
                    is_another(before, &snapshot, host)?;
                }
                if let Some(record) = cordon(drains, &snapshot)? {
                    cordoned.push(super::cordon::sentence(&host.label(), &record));
                    continue;
                }
                ask_about(&mut snapshot, host, hosts, context, &guests);
                ask_the_way(context, hosts, (&refs[0], &source), host, &mut snapshot);
                destinations.push((word(host), snapshot));
            }
            Err(error) => unreachable.push(Unreachable { host: host.label(), why: sentence(&error) }),
        }
    }
    for line in &cordoned {
        context.printer.note(line);
    }
    if destinations.is_empty() && unreachable.is_empty() {
        return Err(if cordoned.is_empty() {
            Stop::usage(NO_DESTINATION)
        } else {
            Stop::refused("every destination is cordoned")
        });
    }
    if destinations.is_empty() {
        let why: Vec<String> = unreachable.iter().map(|host| format!("{}: {}", host.host, host.why)).collect();
        return Err(Stop::unknown(format!("no destination could be asked: {}", why.join("; "))));
    }
    Ok(Asked { source, chosen, destinations, unreachable })
}

/// Refuses files: nothing moves from or to them.
pub(super) fn are_live(hosts: &Hosts, wanted: &Wanted) -> Result<(), Stop> {
    let source = hosts.parse(&wanted.host)?;
    let hosts = destinations(hosts, wanted)?;
    if std::iter::once(&source).chain(hosts.iter().map(|to| &to.host)).any(|host| matches!(host, HostRef::Snapshot(_)))
    {
        return Err(Stop::usage("a snapshot is not a live host: it serves for --dry-run only"));
    }
    Ok(())
}

fn cordon(drains: Option<&Drains>, host: &Snapshot) -> Result<Option<DrainRecord>, Stop> {
    match (drains, &host.host.uuid) {
        (Some(drains), Some(uuid)) => drains.cordon(uuid).or_stop(Outcome::Unknown),
        _ => Ok(None),
    }
}

/// Where the guests may go, each once: every other host of pvm.yaml where none is named.
fn destinations(hosts: &Hosts, wanted: &Wanted) -> Result<Vec<Member>, Stop> {
    let to = if wanted.to.is_empty() {
        let all: Vec<String> = hosts.options.settings.hosts.keys().cloned().collect();
        let all = hosts.parse_all(&all)?;
        all.into_iter().map(|member| Member { is_one_of_several: true, ..member }).collect()
    } else {
        hosts.parse_all(&wanted.to)?
    };
    let source = hosts.parse(&wanted.host)?.label();
    let to: Vec<Member> = to.into_iter().filter(|member| member.host.label() != source).collect();
    if to.is_empty() { Err(Stop::usage(NO_DESTINATION)) } else { Ok(to) }
}

/// The word that names a host again.
fn word(host: &HostRef) -> String {
    match host {
        HostRef::Local => "local".to_owned(),
        HostRef::Snapshot(path) => path.display().to_string(),
        HostRef::Name(name) | HostRef::Configured { name, .. } | HostRef::Uri(name) => name.clone(),
    }
}

/// The guests that are to leave, by index: those that run, as far as the operator wants.
fn chosen(source: &Snapshot, wanted: &Wanted) -> Result<Vec<usize>, Stop> {
    let named = |names: &[String]| -> Result<BTreeSet<usize>, Stop> {
        let found = names.iter().map(|name| source.find_domain(name).map_err(Stop::unknown));
        found.filter(|found| found.is_ok() || !wanted.is_again).collect()
    };
    let (only, except) = (named(&wanted.only)?, named(&wanted.except)?);
    let is_wanted = |at: &usize| {
        if wanted.only.is_empty() { source.domains[*at].is_active() && !except.contains(at) } else { only.contains(at) }
    };
    Ok((0..source.domains.len()).filter(is_wanted).collect())
}
