//! The hypervisor of one host: what pvm asks libvirt for, as a trait over values.
//!
//! What an answer means is decided elsewhere; here "the daemon does not know this domain" (`Ok(None)`) and "the daemon did
//! not answer" (an error) never look alike.
#![cfg_attr(not(feature = "libvirt"), allow(dead_code, reason = "what nobody can answer is asked all the same"))]

#[cfg(feature = "libvirt")]
mod adapter;
#[cfg(feature = "libvirt")]
mod raw;
#[cfg(feature = "libvirt")]
mod symbols;

#[cfg(feature = "libvirt")]
mod bounded;
#[cfg(test)]
#[cfg(feature = "libvirt")]
mod bounded_tests;
mod request;
#[cfg(feature = "libvirt")]
mod said;
#[cfg(test)]
pub(crate) mod scripted;
mod status;
#[cfg(feature = "libvirt")]
mod worker;

use std::any::Any;
use std::fmt::Debug;
use std::sync::mpsc::Sender;
use std::time::Duration;

pub(crate) use request::{Affect, DomainXml, MigrateRequest, SecretXml, Way};
pub(crate) use status::{Job, PauseReason, RunReason, State};

use crate::model::pci::PciAddress;

/// What went wrong at a call, as far as callers treat it differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The daemon says that it does not know the domain, device or metadata.
    Absent,
    /// The job was aborted on request.
    Aborted,
    /// The daemon is not there, or the connection to it broke: what it did before is not known.
    ConnectionLost,
    /// The daemon answers, but the guest's QEMU does not; a change may still be made when it does.
    QemuSilent,
    /// The daemon does not answer, though its connection stands; a change may still be made when it does.
    DaemonSilent,
    /// The daemon answers, but did not reach the other daemon that it needed.
    PeerUnreached,
    /// A device is in use by another guest of that host.
    DeviceTaken(PciAddress),
    /// The credentials were refused.
    Refused,
    /// The daemon does not do that, or not at this moment.
    Unsupported,
    /// libvirt itself cannot be loaded on this machine.
    NotInstalled,
    /// Anything else; the message says it.
    Other,
}

impl Failure {
    /// Whether nobody answered, so that what was asked or told is not known.
    pub(crate) const fn is_silence(self) -> bool {
        matches!(self, Self::ConnectionLost | Self::QemuSilent | Self::DaemonSilent)
    }
}

/// A call that failed.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{doing}: {message}")]
pub(crate) struct HypervisorError {
    /// What pvm wanted, with the object's name.
    pub doing: String,
    /// libvirt's own words, or why libvirt could not be asked.
    pub message: String,
    /// How callers have to treat it.
    pub failure: Failure,
}

/// Result of a call.
pub(crate) type Result<T> = std::result::Result<T, HypervisorError>;

/// A domain in a list, or looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DomainInfo {
    /// Name.
    pub name: String,
    /// UUID, lower case.
    pub uuid: String,
    /// Number of the running domain; another one after each start.
    pub id: Option<u32>,
    /// State with its reason.
    pub state: State,
    /// Whether it has a persistent definition.
    pub persistent: bool,
    /// Whether it starts with the host.
    pub autostart: bool,
}

/// What a CPU is compared with: the emulator and machine that will run it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CpuTarget<'a> {
    /// Path of the emulator; `None`: libvirt's default.
    pub emulator: Option<&'a str>,
    /// Architecture.
    pub arch: Option<&'a str>,
    /// Machine type.
    pub machine: Option<&'a str>,
    /// `kvm`, `qemu`.
    pub virt_type: Option<&'a str>,
}

/// What libvirt says of a CPU.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum CpuComparison {
    /// The host runs it.
    Runs,
    /// The host does not, and why.
    Incompatible(String),
    /// The daemon has never heard of its model or of one of its features.
    NotKnown(String),
}

/// What a watched domain did. Delivered in order, at once.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Happened {
    /// Its CPUs were stopped for switch-over: the point of no return.
    Switched,
    /// Its CPUs were started again.
    Resumed,
    /// It is gone from that host, or does not run there any more.
    Stopped,
    /// The guest gave a device back; the device's alias.
    DeviceRemoved(String),
    /// The guest or QEMU refused to give a device back; the device's alias.
    DeviceRemovalFailed(String),
    /// A job ended; its final numbers.
    JobCompleted(Job),
    /// The connection to the daemon broke: nothing more will be delivered.
    ConnectionLost,
}

/// Ends the watching when dropped.
pub(crate) trait Watch: Debug + Send {}

/// The daemon of one host.
pub(crate) trait Hypervisor: Debug + Send + Sync {
    /// The URI this connection was opened with.
    fn uri(&self) -> &str;
    /// Host name as the daemon knows it.
    fn hostname(&self) -> Result<String>;
    /// Version of the daemon, as libvirt encodes it: major * 1,000,000 + minor * 1,000 + release.
    fn libvirt_version(&self) -> Result<u64>;
    /// Version of the installed QEMU, encoded alike.
    fn qemu_version(&self) -> Result<u64>;
    /// Free memory of the host in bytes.
    fn free_memory(&self) -> Result<u64>;
    /// Capabilities XML of the host.
    fn capabilities(&self) -> Result<String>;
    /// UUID of the host: two connections to the same host give the same one.
    fn host_uuid(&self) -> Result<String> {
        let text = self.capabilities()?;
        roxmltree::Document::parse(&text)
            .ok()
            .and_then(|document| {
                let mut nodes = document.root_element().children();
                let host = nodes.find(|node| node.has_tag_name("host"))?;
                host.children()
                    .find(|node| node.has_tag_name("uuid"))?
                    .text()
                    .map(|uuid| uuid.trim().to_ascii_lowercase())
            })
            .ok_or_else(|| HypervisorError {
                doing: format!("{}: cannot read its UUID", self.uri()),
                message: "its capabilities name none".into(),
                failure: Failure::Other,
            })
    }
    /// Domain capabilities XML; `None` takes libvirt's default.
    fn domain_capabilities(
        &self,
        emulator: Option<&str>,
        arch: Option<&str>,
        machine: Option<&str>,
        virt_type: Option<&str>,
    ) -> Result<String>;
    /// XML of every node device that is a PCI function or a network interface.
    fn node_devices(&self) -> Result<Vec<String>>;
    /// Names of the active networks.
    fn networks(&self) -> Result<Vec<String>>;
    /// Names of the active storage pools.
    fn pools(&self) -> Result<Vec<String>>;
    /// UUIDs and usages of the secrets that the daemon keeps.
    fn secrets(&self) -> Result<Vec<String>>;
    /// Path of a volume of an active pool; `None`: the pool does not have it.
    fn volume_path(&self, pool: &str, volume: &str) -> Result<Option<String>>;
    /// Whether a guest with this `<cpu>` can run on the host, as libvirt compares it before a migration.
    fn compare_cpu(&self, on: CpuTarget<'_>, cpu: &str) -> Result<CpuComparison>;
    /// Every domain, running or defined.
    fn domains(&self) -> Result<Vec<DomainInfo>>;
    /// The domain with this UUID; `None`: the daemon says that it has none.
    fn domain(&self, uuid: &str) -> Result<Option<DomainInfo>>;
    /// The domain with this name; `None`: the daemon says that it has none.
    fn domain_by_name(&self, name: &str) -> Result<Option<DomainInfo>>;
    /// XML of a domain without security info.
    fn xml(&self, uuid: &str, which: DomainXml) -> Result<String>;
    /// XML of a domain with security info (console passwords), the live one in the form that is good for another host:
    /// libvirt gives that form with its secrets only.
    fn secret_xml(&self, uuid: &str, which: DomainXml) -> Result<SecretXml>;
    /// Snapshots that libvirt keeps of a domain.
    fn snapshots(&self, uuid: &str) -> Result<u32>;
    /// Checkpoints that libvirt keeps of a domain.
    fn checkpoints(&self, uuid: &str) -> Result<u32>;
    /// Asks the QEMU of a running domain: a QMP command and its answer, both JSON. libvirt marks the domain as tainted by it.
    fn monitor(&self, uuid: &str, command: &str) -> Result<String>;
    /// For how long its QEMU has owed libvirt the answer to a question; `None`: it owes none. libvirt knows without asking it.
    fn unanswered(&self, uuid: &str) -> Result<Option<Duration>>;
    /// The job on a domain; `None`: none is running.
    fn job(&self, uuid: &str) -> Result<Option<Job>>;
    /// Numbers of the last completed job; they stay readable.
    fn completed_job(&self, uuid: &str) -> Result<Option<Job>>;
    /// Live migration: returns when it ended.
    fn migrate(&self, uuid: &str, request: &MigrateRequest, way: Way<'_>) -> Result<()>;
    /// The connection itself, for a call that needs two of one kind.
    fn as_any(&self) -> &dyn Any;
    /// Aborts the running job.
    fn abort_job(&self, uuid: &str) -> Result<()>;
    /// Limit of the downtime, in milliseconds.
    fn max_downtime(&self, uuid: &str) -> Result<u64>;
    /// Sets it; also during a migration.
    fn set_max_downtime(&self, uuid: &str, milliseconds: u64) -> Result<()>;
    /// Stops the CPUs.
    fn suspend(&self, uuid: &str) -> Result<()>;
    /// Starts the CPUs.
    fn resume(&self, uuid: &str) -> Result<()>;
    /// Ends a running domain at once.
    fn destroy(&self, uuid: &str) -> Result<()>;
    /// Forgets a persistent definition.
    fn undefine(&self, uuid: &str) -> Result<()>;
    /// Sets whether it starts with the host.
    fn set_autostart(&self, uuid: &str, autostart: bool) -> Result<()>;
    /// Plugs a device in.
    fn attach_device(&self, uuid: &str, xml: &str, affect: Affect) -> Result<()>;
    /// Asks for a device back. Done only when [`Happened::DeviceRemoved`] was delivered.
    fn detach_device(&self, uuid: &str, xml: &str, affect: Affect) -> Result<()>;
    /// pvm's own element in the live metadata; `None`: it has none.
    fn metadata(&self, uuid: &str, namespace: &str) -> Result<Option<String>>;
    /// Writes (or with `None` removes) pvm's own element in the live metadata.
    fn set_metadata(&self, uuid: &str, prefix: &str, namespace: &str, element: Option<&str>) -> Result<()>;
    /// Delivers what the domain does, until the returned value is dropped.
    fn watch(&self, uuid: &str, to: Sender<Happened>) -> Result<Box<dyn Watch>>;
}

/// Opens a connection to the daemon at `uri`. Every call over it ends: see `bounded`.
#[cfg(feature = "libvirt")]
pub(crate) fn open(uri: &str) -> Result<Box<dyn Hypervisor>> {
    let connected = |uri: &str| Ok(Box::new(adapter::Libvirt::open(uri)?) as Box<dyn Hypervisor>);
    Ok(Box::new(bounded::Bounded::new(connected(uri)?, connected, bounded::Limits::default())))
}

/// Says that this build of pvm has no libvirt.
#[cfg(not(feature = "libvirt"))]
pub(crate) fn open(uri: &str) -> Result<Box<dyn Hypervisor>> {
    Err(HypervisorError {
        doing: format!("cannot connect to {uri}"),
        message: "this pvm was built without libvirt".into(),
        failure: Failure::NotInstalled,
    })
}
