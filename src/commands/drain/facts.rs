//! What the host to be emptied and its destinations say, and the plan that is made of it.

use std::collections::BTreeSet;

use super::cordon;
use crate::cli::drain::Drain as Args;
use crate::cli::migrate::Migrate;
use crate::commands::ask;
use crate::commands::hosts::{Hosts, is_another, is_same};
use crate::commands::learned::learned;
use crate::commands::migrate::{judge, parameters};
use crate::commands::{Context, Stop};
use crate::drain::saved::{Choices, Saved};
use crate::drain::{self, Drain, Limits};
use crate::facts::fleet::Member;
use crate::facts::settings::Defaults;
use crate::facts::{self, HostRef};
use crate::journal::{DrainRecord, Drains};
use crate::model::causes::sentence;
use crate::model::options::Options;
use crate::model::policy::Policies;
use crate::model::snapshot::{Domain, Snapshot};
use crate::output::preflight::Unreachable;
use crate::preflight::{Downtime, Owned, Terms};

const NO_DESTINATION: &str = "no destination: name them with --to, or as hosts in pvm.yaml";

/// What is to be drained, in the operator's words of this call, of the one that began it, or of a saved plan.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    pub(super) choices: Choices,
    /// The limit of each pause.
    pub(super) downtime: Downtime,
    /// UUIDs of guests that were on the host when the drain began.
    pub(super) together: BTreeSet<String>,
    /// Whether it was asked before: guests that were named may have left.
    pub(super) is_again: bool,
    /// Whether this call says nothing of how guests are migrated.
    pub(super) is_plain: bool,
}

impl Wanted {
    /// By the options of this call.
    pub(super) fn of(args: &Args, defaults: &Defaults) -> Result<Self, Stop> {
        judge::allows_checks(&args.allow)?;
        let Args { to, only, except, parallel, allow, .. } = args.clone();
        let host = args.host.clone().ok_or_else(|| Stop::usage("HOST is needed, or --plan FILE"))?;
        let migrate = Migrate {
            max_downtime: args.max_downtime,
            max_pause: args.max_pause,
            bandwidth: args.bandwidth,
            timeout: args.timeout,
            direct: args.direct,
            tls: args.tls,
            parallel_connections: args.parallel_connections,
            ..Migrate::default()
        };
        let (options, downtime) = parameters::chosen(&migrate, defaults)?;
        let choices = Choices { host, to, only, except, parallel, allow, options };
        let (usual, _) = parameters::chosen(&Migrate::default(), defaults)?;
        let is_plain = choices.options == usual && choices.allow.is_empty();
        Ok(Self { choices, downtime, together: BTreeSet::new(), is_again: false, is_plain })
    }

    /// What the record of a drain says. Options of this call go in the place of all that it was begun with.
    pub(super) fn again(self, record: &DrainRecord) -> Self {
        let DrainRecord { host, to, only, except, parallel, options, allow, .. } = record.clone();
        let choices = Choices { host: host.name, to, only, except, parallel, options, allow };
        let (choices, downtime) = if self.is_plain {
            let downtime = downtime(&choices.options);
            (choices, downtime)
        } else {
            (
                Choices { options: self.choices.options.clone(), allow: self.choices.allow.clone(), ..choices },
                self.downtime,
            )
        };
        Self { choices, downtime, is_again: true, ..self }.with(record)
    }

    /// As a saved plan says.
    pub(super) fn by(args: &Args, saved: &Saved) -> Result<Self, Stop> {
        judge::allows_checks(&saved.choices.allow)?;
        let options = parameters::possible(&saved.choices.options)?;
        let downtime = downtime(&options);
        if let Some(other) = args.host.as_ref().filter(|host| **host != saved.choices.host) {
            return Err(Stop::refused(format!("the plan is for {}, not for {other}", saved.choices.host)));
        }
        let choices = Choices { options, ..saved.choices.clone() };
        Ok(Self { choices, downtime, together: BTreeSet::new(), is_again: true, is_plain: false })
    }

    /// The same, where the guests of this record were together.
    pub(super) fn with(self, record: &DrainRecord) -> Self {
        Self { together: record.guests.iter().map(|guest| guest.uuid.clone()).collect(), ..self }
    }
}

/// The limit of each pause by options that were kept.
fn downtime(options: &Options) -> Downtime {
    match options.max_downtime {
        None if options.raise_downtime => Downtime::Auto,
        limit => limit.map_or(Downtime::Hypervisor, Downtime::Limit),
    }
}

/// What all hosts say.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) source: Snapshot,
    /// The guests that are to leave, by index.
    chosen: Vec<usize>,
    /// The hosts that guests may go to.
    pub(super) destinations: Vec<Snapshot>,
    /// The words by which they were named.
    words: Vec<String>,
    pub(super) unreachable: Vec<Unreachable>,
    /// What becomes of guests that somebody else owns.
    owned: Owned,
}

impl Asked {
    /// The word by which a destination of the plan was named.
    pub(super) fn word(&self, at: usize) -> &str {
        &self.words[at]
    }

    /// Whether the guest is among those that are to leave.
    pub(super) fn has(&self, guest: &str) -> bool {
        self.chosen.iter().any(|at| self.source.domains[*at].uuid == guest)
    }

    /// The same without one destination, and for one guest only.
    pub(super) fn elsewhere(mut self, guest: &str, not_to: &str) -> Option<Self> {
        if let Some(at) = self.words.iter().position(|word| word == not_to) {
            self.words.remove(at);
            self.destinations.remove(at);
        }
        self.chosen.retain(|at| self.source.domains[*at].uuid == guest);
        (!self.destinations.is_empty() && !self.chosen.is_empty()).then_some(self)
    }

    /// The same for some guests only.
    pub(super) fn only(mut self, guests: &[String]) -> Self {
        self.chosen.retain(|at| guests.contains(&self.source.domains[*at].uuid));
        self
    }

    /// The plan for all of them together.
    pub(super) fn plan(&self, hosts: &Hosts, wanted: &Wanted) -> Drain {
        let (terms, limits) = (self.terms(hosts, wanted), limits(wanted));
        drain::plan(&self.source, &self.destinations, &self.chosen, &terms, limits)
    }

    /// A saved plan, if it is still what it was.
    pub(super) fn again(&self, hosts: &Hosts, wanted: &Wanted, saved: &Saved) -> Result<Drain, Stop> {
        let (terms, limits) = (self.terms(hosts, wanted), limits(wanted));
        drain::again(saved, &self.source, &self.destinations, &self.chosen, &terms, limits)
            .map_err(|other| Stop::refused(format!("the plan no longer holds: {}", other.join("; "))))
    }

    fn terms(&self, hosts: &Hosts, wanted: &Wanted) -> Terms {
        let policies = Policies { together: wanted.together.clone(), ..hosts.options.settings.policies() };
        let terms = parameters::terms(&wanted.choices.options, wanted.downtime, policies);
        Terms { allow: wanted.choices.allow.clone(), owned: self.owned, pauses: learned(), ..terms }
    }
}

fn limits(wanted: &Wanted) -> Limits {
    Limits { per_host: usize::from(wanted.choices.parallel) }
}

/// Asks the host to be emptied and all destinations.
pub(super) fn ask(context: &Context, hosts: &Hosts, wanted: &Wanted, drains: Option<&Drains>) -> Result<Asked, Stop> {
    let to = destinations(hosts, wanted)?;
    let mut refs = vec![hosts.parse(&wanted.choices.host)?];
    refs.extend(to.iter().map(|member| member.host.clone()));
    let mut snapshots = facts::gather_all(&refs, &hosts.options).into_iter();
    let Some(source) = snapshots.next() else { return Err(Stop::usage("no host to be emptied")) };
    let mut source = source?;
    refs[0].call(&mut source);
    let chosen = chosen(&source, wanted)?;
    let guests: Vec<Domain> = chosen.iter().map(|at| source.domains[*at].clone()).collect();
    facts::remote::paths::add(&mut source, &refs[0], &hosts.options, &guests);
    let (mut destinations, mut words, mut unreachable) = (Vec::<Snapshot>::new(), Vec::new(), Vec::new());
    let mut cordoned = Vec::new();
    let mut taken = vec![(&refs[0], source.taken_at.clone())];
    for (Member { host, is_one_of_several }, snapshot) in to.iter().zip(snapshots) {
        match snapshot {
            Ok(mut snapshot) => {
                if *is_one_of_several && is_same(&source, &snapshot) {
                    continue;
                }
                for before in std::iter::once(&source).chain(&destinations) {
                    is_another(before, &snapshot, host)?;
                }
                cordon::note(drains, &mut snapshot.host);
                if let Some(drain) = snapshot.host.cordon.as_ref().filter(|_| !is_allowed(wanted, cordon::CODE)) {
                    cordoned.push(cordon::sentence(&host.label(), drain));
                    continue;
                }
                host.call(&mut snapshot);
                ask::about(&mut snapshot, host, hosts, context, &guests);
                ask::the_way(context, hosts, (&refs[0], &source), host, &mut snapshot);
                words.push(host.label());
                taken.push((host, snapshot.taken_at.clone()));
                destinations.push(snapshot);
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
    ask::tell_age(context, taken.iter().map(|(host, at)| (*host, &**at)));
    let owned = super::service::owned(hosts)?;
    // Files are planned with offline.
    let are_live = !refs.iter().any(|host| matches!(host, HostRef::Snapshot(_)));
    let has_servers = guests.iter().any(|guest| guest.owner.as_deref() == Some("nova"));
    if owned == Owned::ByNova && has_servers && are_live {
        super::service::note(hosts, &mut destinations)?;
    }
    Ok(Asked { source, chosen, destinations, words, unreachable, owned })
}

/// Refuses files: nothing moves from or to them.
pub(super) fn are_live(hosts: &Hosts, wanted: &Wanted) -> Result<(), Stop> {
    let source = hosts.parse(&wanted.choices.host)?;
    let hosts = destinations(hosts, wanted)?;
    if std::iter::once(&source).chain(hosts.iter().map(|to| &to.host)).any(|host| matches!(host, HostRef::Snapshot(_)))
    {
        return Err(Stop::usage("a snapshot is not a live host: it serves for --dry-run only"));
    }
    Ok(())
}

fn is_allowed(wanted: &Wanted, code: &str) -> bool {
    wanted.choices.allow.iter().any(|allowed| allowed == code)
}

/// Where the guests may go, each once: every other host of pvm.yaml where none is named.
fn destinations(hosts: &Hosts, wanted: &Wanted) -> Result<Vec<Member>, Stop> {
    let to = if wanted.choices.to.is_empty() {
        let all: Vec<String> = hosts.options.settings.hosts.keys().cloned().collect();
        let all = hosts.parse_all(&all)?;
        all.into_iter().map(|member| Member { is_one_of_several: true, ..member }).collect()
    } else {
        hosts.parse_all(&wanted.choices.to)?
    };
    let source = hosts.parse(&wanted.choices.host)?.label();
    let names_any = !to.is_empty();
    let to: Vec<Member> = to.into_iter().filter(|member| member.host.label() != source).collect();
    let only_itself = "the only destination is the source: name others with --to";
    if to.is_empty() { Err(Stop::usage(if names_any { only_itself } else { NO_DESTINATION })) } else { Ok(to) }
}

/// The guests that are to leave, by index: those that run, as far as the operator wants.
fn chosen(source: &Snapshot, wanted: &Wanted) -> Result<Vec<usize>, Stop> {
    if let Some(why) = source.why_unknown("domains") {
        return Err(Stop::unknown(format!("the guests of {} are not known: {why}", source.host.name)));
    }
    let named = |names: &[String]| -> Result<BTreeSet<usize>, Stop> {
        let found = names.iter().map(|name| source.find_domain(name).map_err(Stop::unknown));
        found.filter(|found| found.is_ok() || !wanted.is_again).collect()
    };
    let (only, except) = (named(&wanted.choices.only)?, named(&wanted.choices.except)?);
    // One whose state nobody knows may run.
    let may_run = |domain: &Domain| domain.is_active() || domain.state.is_empty();
    let is_wanted = |at: &usize| {
        if wanted.choices.only.is_empty() {
            may_run(&source.domains[*at]) && !except.contains(at)
        } else {
            only.contains(at)
        }
    };
    Ok((0..source.domains.len()).filter(is_wanted).collect())
}
