//! Hosts as the operator names them, and where their snapshots come from: this machine, a saved document, another host by
//! ssh, or libvirt alone.
//!
//! Whatever the source, the result is the same [`Snapshot`]; facts a source does not have are unknown in it.

pub(crate) mod active;
pub(crate) mod compact;
pub(crate) mod configure;
pub(crate) mod fleet;
pub(crate) mod kernel;
pub(crate) mod libvirt;
pub(crate) mod nova_files;
pub(crate) mod questions;
pub(crate) mod reach;
pub(crate) mod reference;
pub(crate) mod remote;
pub(crate) mod replace;
pub(crate) mod settings;

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::libvirt::Hypervisor;
use crate::model::finding::Rule;
use crate::model::pci::PciAddress;
use crate::model::snapshot::host::Slots;
use crate::model::snapshot::{Snapshot, Unknown, Via};
use kernel::{Parts, Probe};
pub(crate) use reference::HostRef;
pub(crate) use settings::{Facts, NovaSettings, Settings, SettingsError};

/// The rules of this room, by file.
pub(crate) const RULES: &[&[&Rule]] = &[active::RULES, configure::RULES, kernel::RULES, kernel::mismatch::RULES];

/// How to gather.
#[derive(Debug, Clone)]
pub struct GatherOptions {
    /// File-system root of `local`.
    pub root: PathBuf,
    /// libvirt of the local host; `None`: it is not contacted.
    pub connect: Option<String>,
    /// How far devices are asked.
    pub probe: Probe,
    /// What of this machine is read: a guest without host devices need not wait for devices, nor a source for ports.
    pub parts: Parts,
    /// Only this device and its VFs, where devices are opened.
    pub only: Option<PciAddress>,
    /// Nova's configuration, on whichever host it is.
    pub nova_config: Vec<PathBuf>,
    /// pvm's own settings: entries for hosts without Nova.
    pub settings: Settings,
    /// Whether other hosts are asked by a copy of this pvm, which is brought along and removed.
    pub bootstrap: bool,
    /// How long another host may take.
    pub time_limit: Duration,
}

impl Default for GatherOptions {
    fn default() -> Self {
        Self {
            root: PathBuf::from("/"),
            connect: None,
            probe: Probe::Passive,
            parts: Parts { devices: true, ports: true },
            only: None,
            nova_config: Vec::new(),
            settings: Settings::default(),
            bootstrap: false,
            time_limit: Duration::from_secs(60),
        }
    }
}

/// What kind of "no" an error is; decides the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// Does not exist, cannot be read or cannot be reached.
    Unknown,
    /// Not what it should be, or refused on purpose.
    Refused,
}

/// Why there is no snapshot of a host.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// A file that is missing or cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A document that is not a snapshot.
    #[error("{origin} is not a snapshot (pvm inventory -o json): {why}")]
    Malformed {
        /// Where the document came from.
        origin: String,
        /// Why it is not.
        why: String,
    },
    /// Another host did not answer.
    #[error("cannot ask {host}: {why}")]
    Unreachable {
        /// The host.
        host: String,
        /// Why.
        why: String,
    },
    /// Another host gives no sign of life: no connection came about in time.
    #[error("cannot ask {host}: {why}")]
    Silent {
        /// The host.
        host: String,
        /// Why.
        why: String,
    },
    /// Nova's configuration, which the user named.
    #[error(transparent)]
    NovaConfig(nova_files::NovaFileError),
    /// This machine's own tree.
    #[error(transparent)]
    Inventory(#[from] kernel::InventoryError),
}

impl HostError {
    /// What kind of "no" it is.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Malformed { .. } => ErrorKind::Refused,
            Self::Read { .. }
            | Self::Unreachable { .. }
            | Self::Silent { .. }
            | Self::NovaConfig(_)
            | Self::Inventory(_) => ErrorKind::Unknown,
        }
    }
}

/// Takes the snapshot of `host`.
pub fn gather(host: &HostRef, options: &GatherOptions) -> Result<Snapshot, HostError> {
    gather_over(host, None, options)
}

/// The same over a connection to its libvirt that is open already, where there is one: on a quick network opening it is the
/// greater part of the work.
pub(crate) fn gather_over(
    host: &HostRef,
    daemon: Option<&dyn Hypervisor>,
    options: &GatherOptions,
) -> Result<Snapshot, HostError> {
    let mut snapshot = read(host, daemon, options)?;
    if let HostRef::Configured { settings, .. } = host
        && let Some(slots) = &settings.slots
    {
        snapshot.host.slots = Some(Slots { migrations: slots.migrations, per_pf: slots.per_pf });
    }
    Ok(snapshot)
}

fn read(host: &HostRef, daemon: Option<&dyn Hypervisor>, options: &GatherOptions) -> Result<Snapshot, HostError> {
    match host {
        HostRef::Local => local(daemon, options),
        HostRef::Snapshot(path) => remote::file::load(path),
        HostRef::Name(name) => by_ssh_or_libvirt(host, daemon, name, &[], options),
        HostRef::Configured { name, settings } => match &settings.facts {
            None => by_ssh_or_libvirt(host, daemon, name, &settings.config, options),
            Some(Facts::Word(word)) if word == "ssh" => remote::ssh::by_ssh(name, &settings.config, options),
            Some(Facts::Word(word)) if word == "libvirt" => by_libvirt(host, daemon, options),
            Some(Facts::Word(path)) => remote::file::load(Path::new(path)),
            Some(Facts::Command { command }) => remote::ssh::by_command(name, command, options),
        },
        HostRef::Uri(uri) => match host.ssh_target() {
            Some(target) => by_ssh_or_libvirt(host, daemon, target, &[], options),
            None if uri.contains(":///") => {
                local(daemon, &GatherOptions { connect: Some(uri.clone()), ..options.clone() })
            }
            None => by_libvirt(host, daemon, options),
        },
    }
}

/// How many hosts are asked at once: few enough for this machine, so many that some that are slow do not hold the others.
const AT_ONCE: usize = 64;

/// Several hosts at once, in the order asked; one failure does not hide the others.
pub fn gather_all(asked: &[HostRef], options: &GatherOptions) -> Vec<Result<Snapshot, HostError>> {
    let asked: Vec<_> = asked.iter().map(|host| (host, None)).collect();
    gather_each(&asked, options, |_, answer| answer)
}

/// The same; `then` has each answer as soon as it is there.
pub(crate) fn gather_each<T: Send + Sync>(
    asked: &[(&HostRef, Option<&dyn Hypervisor>)],
    options: &GatherOptions,
    then: impl Fn(&HostRef, Result<Snapshot, HostError>) -> T + Sync,
) -> Vec<T> {
    let next = AtomicUsize::new(0);
    let answers: Vec<OnceLock<T>> = asked.iter().map(|_| OnceLock::new()).collect();
    std::thread::scope(|scope| {
        for _ in 0..asked.len().min(AT_ONCE) {
            scope.spawn(|| {
                while let at = next.fetch_add(1, Ordering::Relaxed)
                    && let Some((host, daemon)) = asked.get(at)
                {
                    let is_first = answers[at].set(then(host, gather_over(host, *daemon, options))).is_ok();
                    debug_assert!(is_first, "each host is asked once");
                }
            });
        }
    });
    // A thread that panicked has ended the scope with its panic.
    answers.into_iter().filter_map(OnceLock::into_inner).collect()
}

/// The pvm over there, and where there is none, libvirt alone. An answer that is no snapshot is an error nevertheless.
fn by_ssh_or_libvirt(
    host: &HostRef,
    daemon: Option<&dyn Hypervisor>,
    target: &str,
    config: &[PathBuf],
    options: &GatherOptions,
) -> Result<Snapshot, HostError> {
    // libvirt would wait for the same host a minute more.
    let is_same_way = |daemon: Option<&dyn Hypervisor>| {
        let uri = host.libvirt_uri("").unwrap_or_default();
        daemon.is_none() && (host.ssh_target().is_some() || uri == format!("qemu+ssh://{target}/system"))
    };
    match remote::ssh::by_ssh(target, config, options) {
        Err(error @ HostError::Silent { .. }) if is_same_way(daemon) => Err(error),
        Err(HostError::Unreachable { host: name, why } | HostError::Silent { host: name, why }) => {
            match by_libvirt(host, daemon, options) {
                Ok(mut snapshot) => {
                    snapshot.unknown.push(Unknown::new("facts", why));
                    Ok(snapshot)
                }
                Err(second) => {
                    let why = format!("{why}; and by libvirt: {second}");
                    Err(HostError::Unreachable { host: name, why })
                }
            }
        }
        other => other,
    }
}

/// What libvirt alone knows of a host, with a local copy of its Nova configuration when `pvm.yaml` or the user names one.
fn by_libvirt(host: &HostRef, daemon: Option<&dyn Hypervisor>, options: &GatherOptions) -> Result<Snapshot, HostError> {
    let label = host.label();
    let unreachable = |why: String| HostError::Unreachable { host: label.clone(), why };
    let opened;
    let daemon = if let Some(daemon) = daemon {
        daemon
    } else {
        let uri = host.libvirt_uri("qemu:///system").ok_or_else(|| unreachable("it has no libvirt".to_owned()))?;
        opened = crate::libvirt::open(&uri).map_err(|e| unreachable(e.to_string()))?;
        opened.as_ref()
    };
    let mut snapshot = libvirt::nodedev::read(daemon, options.parts.devices).map_err(unreachable)?;
    libvirt::add(&mut snapshot, daemon);
    let copies = match host {
        HostRef::Configured { settings, .. } if options.nova_config.is_empty() => &settings.config,
        _ => &options.nova_config,
    };
    let own = !options.settings.device_spec.is_empty() || !options.settings.alias.is_empty();
    if !copies.is_empty() {
        configure::read(&mut snapshot, Path::new("/"), copies, &options.settings)?;
    } else if own {
        configure::apply_settings(&mut snapshot, &options.settings);
    }
    kernel::conclude(&mut snapshot, options.probe);
    Ok(snapshot)
}

fn local(daemon: Option<&dyn Hypervisor>, options: &GatherOptions) -> Result<Snapshot, HostError> {
    let mut snapshot = kernel::read(&options.root, options.probe, options.parts)?;
    snapshot.via = Via::Local;
    configure::read(&mut snapshot, &options.root, &options.nova_config, &options.settings)?;
    match (daemon, &options.connect) {
        (Some(daemon), _) => libvirt::add(&mut snapshot, daemon),
        (None, None) => {
            libvirt::without(
                &mut snapshot,
                "libvirt was not contacted, because the tree below --root is another machine's",
            );
        }
        (None, Some(uri)) => match crate::libvirt::open(uri) {
            Ok(daemon) => libvirt::add(&mut snapshot, daemon.as_ref()),
            Err(error) => libvirt::without(&mut snapshot, &error.to_string()),
        },
    }
    if !snapshot.fixture {
        active::claims(&mut snapshot);
    }
    if options.probe == Probe::Active {
        active::probe(&mut snapshot, options.only);
    }
    kernel::conclude(&mut snapshot, options.probe);
    Ok(snapshot)
}
