//! `HOST` arguments: what all commands that take hosts share.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};
use std::path::Path;

use super::{Context, Stop};
use crate::facts::fleet::{self, FleetError, Member};
use crate::facts::reference::{without_password, wrong_group, wrong_uri};
use crate::facts::{GatherOptions, HostRef, NovaSettings, Settings, SettingsError};
use crate::model::causes::sentence;
use crate::model::finding::Severity;
use crate::model::identity::{self, Identity};
use crate::model::regular::read_regular_text;
use crate::model::snapshot::Snapshot;
use crate::nova::config;
use crate::nova::lints;
use crate::nova::scheduler::Request;
use crate::output::text::printable;
use crate::plan::stored;

/// Hosts and how to gather their facts, from the global options.
#[derive(Debug)]
pub(crate) struct Hosts {
    /// How to gather, pvm's settings among it.
    pub options: GatherOptions,
}

impl Hosts {
    /// Reads pvm's settings.
    pub(crate) fn new(context: &Context) -> Result<Self, Stop> {
        let global = &context.global;
        // With another root, this machine's own settings are not part of the answer.
        let settings = if global.config.is_none() && global.root != Path::new("/") {
            Settings::default()
        } else {
            settings(context)?
        };
        let settings = match &global.os_cloud {
            Some(cloud) => Settings { nova: NovaSettings { cloud: Some(cloud.clone()) }, ..settings },
            None => settings,
        };
        let options = GatherOptions {
            root: global.root.clone(),
            connect: connect(context)?,
            nova_config: global.nova_config.clone(),
            settings,
            ..GatherOptions::default()
        };
        Ok(Self { options })
    }

    /// Reads one `HOST` argument.
    pub(crate) fn parse(&self, text: &str) -> Result<HostRef, Stop> {
        HostRef::parse(text, &self.options.settings).map_err(|e| Stop::refused(e.to_string()))
    }

    /// What to call a host. Of another root this machine's name says nothing.
    pub(crate) fn name(&self, host: &HostRef) -> String {
        if *host == HostRef::Local && self.options.root != Path::new("/") { "local".to_owned() } else { host.label() }
    }

    /// Reads arguments each of which may stand for several hosts. A host that several of them stand for is there once.
    pub(crate) fn parse_all<'t>(&self, texts: impl IntoIterator<Item = &'t String>) -> Result<Vec<Member>, Stop> {
        let (mut all, mut seen) = (Vec::new(), BTreeSet::new());
        for text in texts {
            let members = fleet::members(text, &self.options.settings).map_err(|error| match error {
                FleetError::Read { .. } => Stop::unknown(sentence(&error)),
                FleetError::Host(_) | FleetError::Empty(_) | FleetError::TooMany(_) => Stop::refused(error.to_string()),
            })?;
            all.extend(members.into_iter().filter(|member| seen.insert(member.host.label())));
        }
        Ok(all)
    }
}

/// Whether two snapshots are of one host, which may have several names.
pub(super) fn is_same(one: &Snapshot, other: &Snapshot) -> bool {
    match identity::compare(one.host.uuid.as_deref(), other.host.uuid.as_deref()) {
        Identity::Same => true,
        Identity::Other => false,
        Identity::Unknown => one.host.name == other.host.name,
    }
}

/// Refuses a host that was named before: under two names it would be its own destination, or be given away twice.
pub(super) fn is_another(before: &Snapshot, other: &Snapshot, host: &HostRef) -> Result<(), Stop> {
    if is_same(before, other) {
        return Err(Stop::refused(format!("{} is {}, which was named before", host.label(), before.host.name)));
    }
    Ok(())
}

/// Hosts by the thousand that were named, to refuse one that was named before.
#[derive(Debug, Default)]
pub(super) struct Named {
    /// By UUIDs that tell hosts apart.
    by_uuid: HashMap<String, String>,
    /// By name, and whether one of them has no such UUID.
    by_name: HashMap<String, bool>,
}

impl Named {
    /// Adds a host, as `is_same` tells hosts apart.
    pub(super) fn add(&mut self, name: &str, uuid: Option<&str>, host: &HostRef) -> Result<(), Stop> {
        let uuid = uuid.filter(|uuid| identity::identifies(uuid)).map(str::to_ascii_lowercase);
        let is_unsure = uuid.is_none();
        let by_uuid = uuid.and_then(|uuid| self.by_uuid.insert(uuid, name.to_owned()));
        let has_unsure = self.by_name.entry(name.to_owned());
        let by_name = match &has_unsure {
            Entry::Occupied(known) => (*known.get() || is_unsure).then(|| name.to_owned()),
            Entry::Vacant(_) => None,
        };
        *has_unsure.or_default() |= is_unsure;
        match by_uuid.or(by_name) {
            Some(before) => Err(Stop::refused(format!("{} is {before}, which was named before", host.label()))),
            None => Ok(()),
        }
    }
}

/// libvirt of the local host: with another root only when it was named, because the tree is not this machine's.
fn connect(context: &Context) -> Result<Option<String>, Stop> {
    let global = &context.global;
    let fixture = global.root != Path::new("/");
    if let Some(uri) = &global.connect {
        without_password(uri).map_err(|error| Stop::refused(error.to_string()))?;
    }
    if global.connect.is_none() && fixture { Ok(None) } else { context.local_uri().map(Some) }
}

fn settings(context: &Context) -> Result<Settings, Stop> {
    let path = context.global.config.as_deref();
    let wrong = |error: SettingsError| match error {
        SettingsError::Bad { .. } => Stop::usage(sentence(&error)),
        SettingsError::Read { .. } => Stop::unknown(sentence(&error)),
    };
    let Some((path, text)) = Settings::text(path).map_err(wrong)? else { return Ok(Settings::default()) };
    let bad = |(line, why)| wrong(SettingsError::Bad { path: path.clone(), line, why });
    let settings = Settings::parse(&text).map_err(bad)?;
    if let Some(place) = wrong_uri(&settings, &text).or_else(|| wrong_group(&settings, &text)) {
        return Err(bad(place));
    }
    if !settings.device_spec.is_empty() || !settings.alias.is_empty() {
        lint(context, &path, text)?;
    }
    Ok(settings)
}

/// The entries of pvm.yaml are read and linted like Nova's: an error is a wrong pvm.yaml, a warning is told.
fn lint(context: &Context, path: &Path, text: String) -> Result<(), Stop> {
    let input = config::Input { name: path.display().to_string(), bytes: text.into_bytes() };
    let config = config::load(vec![input], &config::NoHost, &config::Machine::default());
    let matcher = config::Matcher::new(&config.device_specs);
    let mut found = config.findings.clone();
    found.extend(lints::run(&lints::Subject { config: &config, matcher: &matcher, host: None }));
    for finding in found.into_iter().map(|finding| config.sources.located(finding)) {
        let place = finding.file.as_ref().map_or(String::new(), |file| format!("{}:{}: ", file.name, file.line));
        let text = format!("{place}{} [{}]", finding.message, finding.code);
        match finding.severity {
            Severity::Error => return Err(Stop::usage(text)),
            Severity::Warning => context.printer.note(&format!("warning: {}", printable(&text))),
            Severity::Info => {}
        }
    }
    Ok(())
}

/// More than Nova's database column holds.
const MOST_REQUESTS: u64 = 1 << 20;

/// Reads what Nova stored as an instance's PCI requests.
pub(crate) fn pci_requests(path: &Path) -> Result<Vec<Request>, Stop> {
    let unreadable = |error| Stop::unknown(format!("cannot read {}: {error}", path.display()));
    let text = read_regular_text(path, MOST_REQUESTS).map_err(unreadable)?;
    let refused = |error| Stop::refused(format!("{}:{error} (pci_requests of instance_extra)", path.display()));
    stored::read(&text).map_err(refused)
}
