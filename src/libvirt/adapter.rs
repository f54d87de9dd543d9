//! libvirt behind the [`Hypervisor`] trait: the adapter over `virt`.

use std::any::Any;
use std::collections::HashMap;
use std::fmt::Debug;
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use virt::connect::Connect;
use virt::domain::Domain;
use virt::error::{Error, ErrorDomain, ErrorNumber};
use virt::secret::Secret;
use virt_sys as sys;

use super::raw::{self, Listeners, Parameters};
use super::worker::sign_of_life;
use super::{
    Affect, CpuComparison, CpuTarget, DomainInfo, DomainXml, Failure, Happened, Hypervisor, HypervisorError, Job,
    MigrateRequest, Result, SecretXml, State, Watch, Way, said, symbols,
};

/// Seconds between keepalive messages, and how many may stay unanswered: as libvirt's daemons do among themselves.
const KEEPALIVE: (i32, u32) = (5, 5);

/// One connection.
#[derive(Debug)]
pub(super) struct Libvirt {
    uri: String,
    connect: Arc<Connect>,
    listeners: Listeners,
    /// Handles by UUID: names on this side of the wire, so that a domain need not be looked up before each call about it.
    /// The daemon finds it by the UUID again, and says so when it is gone.
    handles: Mutex<HashMap<String, Arc<Domain>>>,
    /// These do not change while a daemon runs.
    capabilities: OnceLock<String>,
    hostname: OnceLock<String>,
    version: OnceLock<u64>,
}

impl Libvirt {
    /// Loads libvirt and connects.
    pub(super) fn open(uri: &str) -> Result<Self> {
        let error =
            |failure, message: String| HypervisorError { doing: format!("cannot connect to {uri}"), message, failure };
        symbols::load().map_err(|why| HypervisorError {
            doing: "libvirt is not installed on this machine".into(),
            message: why.into(),
            failure: Failure::NotInstalled,
        })?;
        virt::error::clear_error_callback();
        raw::start_event_loop().map_err(|why| error(Failure::Other, why))?;
        raw::c_text(uri).map_err(|why| error(Failure::Other, why))?;
        let connect = open_in_time(uri).map_err(|why| match why {
            Some(e) => {
                let failure = match e.code().known() {
                    Some(ErrorNumber::AuthFailed | ErrorNumber::AuthCancelled | ErrorNumber::AuthUnavailable) => {
                        Failure::Refused
                    }
                    _ => Failure::ConnectionLost,
                };
                error(failure, one_line(e.message()))
            }
            None => error(Failure::ConnectionLost, "no answer in time".to_owned()),
        })?;
        let listeners = Listeners::default();
        // Drivers without a daemon (test:///) have neither; there is no connection that could break.
        let _ = connect.set_keep_alive(KEEPALIVE.0, KEEPALIVE.1);
        let _ = raw::tell_close(&connect, &listeners);
        Ok(Self {
            uri: uri.to_owned(),
            connect: Arc::new(connect),
            listeners,
            handles: Mutex::default(),
            capabilities: OnceLock::new(),
            hostname: OnceLock::new(),
            version: OnceLock::new(),
        })
    }

    fn error(&self, doing: String, e: &Error) -> HypervisorError {
        let failure = match e.code().known() {
            Some(ErrorNumber::NoDomain | ErrorNumber::NoDomainMetadata | ErrorNumber::NoNodeDevice) => Failure::Absent,
            Some(ErrorNumber::OperationAborted) => Failure::Aborted,
            Some(ErrorNumber::OperationUnsupported) => Failure::Unsupported,
            _ if e.domain().is(ErrorDomain::Rpc) || !self.connect.is_alive().unwrap_or(false) => {
                Failure::ConnectionLost
            }
            _ => said::taken_device(e.message()).map_or(Failure::Other, Failure::DeviceTaken),
        };
        HypervisorError { doing, message: one_line(e.message()), failure }
    }

    /// Runs a call about the host.
    fn ask<T>(&self, what: &str, call: impl FnOnce(&Connect) -> std::result::Result<T, Error>) -> Result<T> {
        call(&self.connect).map_err(|e| self.error(format!("{}: cannot read {what}", self.uri), &e))
    }

    /// Runs a call about one domain.
    fn with<T>(
        &self,
        uuid: &str,
        what: &str,
        call: impl FnOnce(&Domain) -> std::result::Result<T, Error>,
    ) -> Result<T> {
        let doing = || format!("cannot {what} domain {uuid} on {}", self.uri);
        raw::c_text(uuid).map_err(|message| HypervisorError { doing: doing(), message, failure: Failure::Absent })?;
        self.handle(uuid).and_then(|domain| call(&domain)).map_err(|e| self.error(doing(), &e))
    }

    fn handle(&self, uuid: &str) -> std::result::Result<Arc<Domain>, Error> {
        let known = self.handles.lock().unwrap_or_else(PoisonError::into_inner).get(uuid).cloned();
        match known {
            Some(domain) => Ok(domain),
            None => self.connect.lookup_domain_by_uuid_string(uuid).map(|domain| self.keep(uuid.to_owned(), domain)),
        }
    }

    fn keep(&self, uuid: String, domain: Domain) -> Arc<Domain> {
        let domain = Arc::new(domain);
        self.handles.lock().unwrap_or_else(PoisonError::into_inner).insert(uuid, Arc::clone(&domain));
        domain
    }

    /// Describes a domain and keeps its handle.
    fn describe(&self, domain: Domain) -> std::result::Result<DomainInfo, Error> {
        let info = describe(&domain)?;
        self.keep(info.uuid.clone(), domain);
        Ok(info)
    }

    fn found(&self, looked_up: std::result::Result<Domain, Error>, doing: &str) -> Result<Option<DomainInfo>> {
        // A domain can vanish between two calls: then it is as absent as if it had not been there at first.
        match looked_up.and_then(|domain| self.describe(domain)) {
            Ok(info) => Ok(Some(info)),
            Err(e) => match self.error(format!("cannot {doing} on {}", self.uri), &e) {
                HypervisorError { failure: Failure::Absent, .. } => Ok(None),
                error => Err(error),
            },
        }
    }
}

impl Drop for Libvirt {
    fn drop(&mut self) {
        raw::stop_telling_close(&self.connect);
    }
}

/// Connects, or gives up after a while (`None`): a host whose network is cut would otherwise be waited for by the kernel's
/// measure, over two minutes. With ssh a person may have to type something.
fn open_in_time(uri: &str) -> std::result::Result<Connect, Option<Error>> {
    let limit = Duration::from_secs(if uri.contains("ssh://") { 60 } else { 15 });
    let (done, waiting) = mpsc::channel();
    let uri = uri.to_owned();
    // A connection that comes too late is closed again: nobody takes it.
    std::thread::spawn(move || drop(done.send(Connect::open(Some(&uri)))));
    match waiting.recv_timeout(limit) {
        Ok(opened) => opened.map_err(Some),
        Err(_) => Err(None),
    }
}

fn describe(domain: &Domain) -> std::result::Result<DomainInfo, Error> {
    let (state, reason) = raw::state(domain)?;
    let persistent = domain.is_persistent()?;
    Ok(DomainInfo {
        name: domain.name()?,
        uuid: domain.uuid_string()?,
        id: domain.id(),
        state: State::from_numbers(state, reason),
        persistent,
        autostart: persistent && domain.autostart()?,
    })
}

/// The first libvirt that tells features which a host has and gives to no guest by default (its NEWS, 12.5.0).
const SUPPORTED_FEATURES: u64 = 12_005_000;

/// libvirt puts several errors on several lines; a message of pvm is one sentence.
fn one_line(message: &str) -> String {
    message.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn affect(affect: Affect) -> u32 {
    match affect {
        Affect::Live => sys::VIR_DOMAIN_AFFECT_LIVE,
        Affect::Config => sys::VIR_DOMAIN_AFFECT_CONFIG,
    }
}

#[derive(Debug)]
struct Watching {
    connect: Arc<Connect>,
    ids: Vec<i32>,
}

impl Watch for Watching {}

impl Drop for Watching {
    fn drop(&mut self) {
        raw::unwatch(&self.connect, &self.ids);
    }
}

impl Hypervisor for Libvirt {
    fn uri(&self) -> &str {
        &self.uri
    }

    fn hostname(&self) -> Result<String> {
        if let Some(known) = self.hostname.get() {
            return Ok(known.clone());
        }
        let read = self.ask("its host name", Connect::hostname)?;
        Ok(self.hostname.get_or_init(|| read).clone())
    }

    fn libvirt_version(&self) -> Result<u64> {
        if let Some(known) = self.version.get() {
            return Ok(*known);
        }
        let read = self.ask("its libvirt version", |c| c.lib_version().map(u64::from))?;
        Ok(*self.version.get_or_init(|| read))
    }

    fn qemu_version(&self) -> Result<u64> {
        self.ask("its QEMU version", |c| c.hyp_version().map(u64::from))
    }

    fn free_memory(&self) -> Result<u64> {
        self.ask("its free memory", Connect::free_memory)
    }

    fn capabilities(&self) -> Result<String> {
        if let Some(known) = self.capabilities.get() {
            return Ok(known.clone());
        }
        let read = self.ask("its capabilities", Connect::capabilities)?;
        Ok(self.capabilities.get_or_init(|| read).clone())
    }

    fn domain_capabilities(
        &self,
        emulator: Option<&str>,
        arch: Option<&str>,
        machine: Option<&str>,
        virt_type: Option<&str>,
    ) -> Result<String> {
        for text in [emulator, arch, machine, virt_type].into_iter().flatten() {
            raw::c_text(text).map_err(|message| HypervisorError {
                doing: format!("{}: cannot read domain capabilities", self.uri),
                message,
                failure: Failure::Other,
            })?;
        }
        let flags = if self.libvirt_version()? < SUPPORTED_FEATURES {
            0
        } else {
            sys::VIR_CONNECT_GET_DOMAIN_CAPABILITIES_SUPPORTED_CPU_FEATURES
        };
        self.ask("domain capabilities", |c| c.domain_capabilities(emulator, arch, machine, virt_type, flags))
    }

    fn node_devices(&self) -> Result<Vec<String>> {
        self.ask("its PCI devices and interfaces", |c| {
            let kinds = sys::VIR_CONNECT_LIST_NODE_DEVICES_CAP_PCI_DEV | sys::VIR_CONNECT_LIST_NODE_DEVICES_CAP_NET;
            let devices = c.list_all_node_devices(kinds)?;
            // A device can vanish between list and look; the others still count.
            Ok(devices.iter().inspect(|_| sign_of_life()).filter_map(|device| device.xml_desc(0).ok()).collect())
        })
    }

    fn networks(&self) -> Result<Vec<String>> {
        self.ask("its networks", |c| {
            let networks = c.list_all_networks(sys::VIR_CONNECT_LIST_NETWORKS_ACTIVE)?;
            Ok(networks.iter().filter_map(|network| network.name().ok()).collect())
        })
    }

    fn pools(&self) -> Result<Vec<String>> {
        self.ask("its storage pools", |c| {
            let pools = c.list_all_storage_pools(sys::VIR_CONNECT_LIST_STORAGE_POOLS_ACTIVE)?;
            Ok(pools.iter().filter_map(|pool| pool.name().ok()).collect())
        })
    }

    fn secrets(&self) -> Result<Vec<String>> {
        self.ask("its secrets", |c| {
            let secrets = c.list_all_secrets(0)?;
            let names = |secret: &Secret| [secret.uuid_string().ok(), raw::secret_usage(secret).ok()];
            Ok(secrets.iter().flat_map(names).flatten().collect())
        })
    }

    fn volume_path(&self, pool: &str, volume: &str) -> Result<Option<String>> {
        self.ask(&format!("volume {volume} of pool {pool}"), |c| {
            let found = c.lookup_storage_pool_by_name(pool)?.lookup_storage_vol_by_name(volume);
            match found {
                Ok(volume) => volume.path().map(Some),
                Err(error) if error.code().known() == Some(ErrorNumber::NoStorageVolume) => Ok(None),
                Err(error) => Err(error),
            }
        })
    }

    fn compare_cpu(&self, on: CpuTarget<'_>, cpu: &str) -> Result<CpuComparison> {
        let refused = |message| HypervisorError {
            doing: format!("{}: cannot compare a CPU", self.uri),
            message,
            failure: Failure::Other,
        };
        let texts = raw::CpuTexts::new(on, cpu).map_err(refused)?;
        match raw::compare_cpu(&self.connect, &texts) {
            Ok(()) => Ok(CpuComparison::Runs),
            Err(e) if e.code().known() == Some(ErrorNumber::CpuIncompatible) => {
                Ok(CpuComparison::Incompatible(one_line(e.message())))
            }
            // A name that the daemon does not know has no error number of its own.
            Err(e) if e.domain().is(ErrorDomain::Cpu) => Ok(CpuComparison::NotKnown(one_line(e.message()))),
            Err(e) => Err(self.error(format!("{}: cannot compare a CPU", self.uri), &e)),
        }
    }

    fn domains(&self) -> Result<Vec<DomainInfo>> {
        let mut found = self.ask("its domains", |c| {
            // As above: one that has just gone is left out.
            let domains = c.list_all_domains(0)?.into_iter().inspect(|_| sign_of_life());
            Ok(domains.filter_map(|domain| self.describe(domain).ok()).collect::<Vec<_>>())
        })?;
        found.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(found)
    }

    fn domain(&self, uuid: &str) -> Result<Option<DomainInfo>> {
        if raw::c_text(uuid).is_err() {
            return Ok(None);
        }
        self.found(self.connect.lookup_domain_by_uuid_string(uuid), &format!("look for domain {uuid}"))
    }

    fn domain_by_name(&self, name: &str) -> Result<Option<DomainInfo>> {
        if raw::c_text(name).is_err() {
            return Ok(None);
        }
        self.found(self.connect.lookup_domain_by_name(name), &format!("look for domain {name}"))
    }

    fn xml(&self, uuid: &str, which: DomainXml) -> Result<String> {
        let flags = match which {
            // Not the migratable form: that one holds passwords whether they are asked for or not.
            DomainXml::Live => 0,
            DomainXml::Inactive => sys::VIR_DOMAIN_XML_INACTIVE,
        };
        self.with(uuid, "read the XML of", |d| d.xml_desc(flags))
    }

    fn secret_xml(&self, uuid: &str, which: DomainXml) -> Result<SecretXml> {
        let flags = match which {
            DomainXml::Live => sys::VIR_DOMAIN_XML_SECURE | sys::VIR_DOMAIN_XML_MIGRATABLE,
            DomainXml::Inactive => sys::VIR_DOMAIN_XML_SECURE | sys::VIR_DOMAIN_XML_INACTIVE,
        };
        self.with(uuid, "read the XML of", |d| d.xml_desc(flags)).map(SecretXml::new)
    }

    fn snapshots(&self, uuid: &str) -> Result<u32> {
        self.with(uuid, "count the snapshots of", raw::snapshots)
    }

    fn checkpoints(&self, uuid: &str) -> Result<u32> {
        self.with(uuid, "count the checkpoints of", raw::checkpoints)
    }

    fn monitor(&self, uuid: &str, command: &str) -> Result<String> {
        let refuse = |message| HypervisorError {
            doing: format!("cannot ask the QEMU of domain {uuid} on {}", self.uri),
            message,
            failure: Failure::Other,
        };
        let ask = symbols::monitor_command().map_err(|why| refuse(why.to_owned()))?;
        let command = raw::c_text(command).map_err(refuse)?;
        self.with(uuid, "ask the QEMU of", |domain| raw::monitor(domain, ask, &command))
    }

    fn job(&self, uuid: &str) -> Result<Option<Job>> {
        self.with(uuid, "read the job of", |d| raw::job(d, 0))
    }

    fn completed_job(&self, uuid: &str) -> Result<Option<Job>> {
        let flags = sys::VIR_DOMAIN_JOB_STATS_COMPLETED | sys::VIR_DOMAIN_JOB_STATS_KEEP_COMPLETED;
        self.with(uuid, "read the last job of", |d| raw::job(d, flags))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn migrate(&self, uuid: &str, request: &MigrateRequest, way: Way<'_>) -> Result<()> {
        let refuse = |message| HypervisorError {
            doing: format!("cannot migrate domain {uuid} to {}", request.destination_uri),
            message,
            failure: Failure::Other,
        };
        let uri = raw::c_text(&request.destination_uri).map_err(refuse)?;
        let mut texts = vec![(sys::VIR_MIGRATE_PARAM_DEST_XML, request.destination_xml.expose())];
        texts.extend(request.persistent_xml.as_ref().map(|xml| (sys::VIR_MIGRATE_PARAM_PERSIST_XML, xml.expose())));
        texts.extend(request.migrate_uri.as_ref().map(|uri| (sys::VIR_MIGRATE_PARAM_URI, uri.as_str())));
        texts.extend(request.copy_disks.iter().map(|disk| (sys::VIR_MIGRATE_PARAM_MIGRATE_DISKS, disk.as_str())));
        let texts = texts
            .into_iter()
            .map(|(name, value)| Ok((name, raw::c_text(value).map_err(refuse)?)))
            .collect::<Result<Vec<_>>>()?;

        let mut flags = sys::VIR_MIGRATE_LIVE | sys::VIR_MIGRATE_ABORT_ON_ERROR;
        let direct = match way {
            Way::PeerToPeer => {
                flags |= sys::VIR_MIGRATE_PEER2PEER;
                None
            }
            Way::Direct(destination) => {
                let destination = destination.as_any().downcast_ref::<Self>();
                Some(destination.ok_or_else(|| refuse("the destination is no libvirt connection".into()))?)
            }
        };
        if request.persistent_xml.is_some() {
            flags |= sys::VIR_MIGRATE_PERSIST_DEST | sys::VIR_MIGRATE_UNDEFINE_SOURCE;
        }
        if request.tls {
            flags |= sys::VIR_MIGRATE_TLS;
        }
        if request.parallel.is_some() {
            flags |= sys::VIR_MIGRATE_PARALLEL;
        }
        if !request.copy_disks.is_empty() {
            flags |= sys::VIR_MIGRATE_NON_SHARED_DISK;
        }
        self.with(uuid, "migrate", |domain| {
            let mut parameters = Parameters::new();
            for (name, value) in &texts {
                parameters.text(name, value)?;
            }
            if let Some(mebibytes) = request.bandwidth {
                parameters.long(sys::VIR_MIGRATE_PARAM_BANDWIDTH, mebibytes)?;
            }
            if let Some(mebibytes) = request.switchover_bandwidth {
                parameters.long(sys::VIR_MIGRATE_PARAM_BANDWIDTH_AVAIL_SWITCHOVER, mebibytes)?;
            }
            if let Some(connections) = request.parallel {
                let connections = i32::try_from(connections).unwrap_or(i32::MAX);
                parameters.int(sys::VIR_MIGRATE_PARAM_PARALLEL_CONNECTIONS, connections)?;
            }
            match direct {
                None => raw::migrate(domain, &uri, &parameters, flags),
                Some(destination) => raw::migrate_direct(domain, &destination.connect, &parameters, flags),
            }
        })
        .map_err(|e| match e.failure {
            // The words of a connection that is not this one: the daemon passes its own on.
            Failure::ConnectionLost if direct.is_none() && self.connect.is_alive().unwrap_or(false) => {
                HypervisorError { failure: Failure::PeerUnreached, ..e }
            }
            _ => e,
        })
    }

    fn abort_job(&self, uuid: &str) -> Result<()> {
        self.with(uuid, "abort the job of", raw::abort_job)
    }

    fn unanswered(&self, uuid: &str) -> Result<Option<Duration>> {
        self.with(uuid, "ask for the state of the monitor of", raw::unanswered)
    }

    fn max_downtime(&self, uuid: &str) -> Result<u64> {
        self.with(uuid, "read the downtime limit of", raw::max_downtime)
    }

    fn set_max_downtime(&self, uuid: &str, milliseconds: u64) -> Result<()> {
        self.with(uuid, "set the downtime limit of", |d| d.migrate_set_max_downtime(milliseconds, 0))
    }

    fn suspend(&self, uuid: &str) -> Result<()> {
        self.with(uuid, "suspend", Domain::suspend)
    }

    fn resume(&self, uuid: &str) -> Result<()> {
        self.with(uuid, "resume", Domain::resume)
    }

    fn destroy(&self, uuid: &str) -> Result<()> {
        self.with(uuid, "destroy", Domain::destroy)
    }

    fn undefine(&self, uuid: &str) -> Result<()> {
        let flags = sys::VIR_DOMAIN_UNDEFINE_KEEP_NVRAM | sys::VIR_DOMAIN_UNDEFINE_KEEP_TPM;
        self.with(uuid, "undefine", |d| d.undefine_flags(flags))
    }

    fn set_autostart(&self, uuid: &str, autostart: bool) -> Result<()> {
        self.with(uuid, "set the autostart of", |d| d.set_autostart(autostart))
    }

    fn attach_device(&self, uuid: &str, xml: &str, to: Affect) -> Result<()> {
        raw::c_text(xml).map_err(|message| HypervisorError {
            doing: format!("cannot attach a device to domain {uuid}"),
            message,
            failure: Failure::Other,
        })?;
        self.with(uuid, "attach a device to", |d| d.attach_device_flags(xml, affect(to)))
    }

    fn detach_device(&self, uuid: &str, xml: &str, from: Affect) -> Result<()> {
        raw::c_text(xml).map_err(|message| HypervisorError {
            doing: format!("cannot detach a device from domain {uuid}"),
            message,
            failure: Failure::Other,
        })?;
        self.with(uuid, "detach a device from", |d| d.detach_device_flags(xml, affect(from)))
    }

    fn metadata(&self, uuid: &str, namespace: &str) -> Result<Option<String>> {
        let kind = sys::VIR_DOMAIN_METADATA_ELEMENT.cast_signed();
        let read = self.with(uuid, "read the metadata of", |d| {
            match d.metadata(kind, Some(namespace), sys::VIR_DOMAIN_AFFECT_LIVE) {
                Err(e) if e.code().is(ErrorNumber::NoDomainMetadata) => Ok(None),
                other => other.map(Some),
            }
        })?;
        Ok(read)
    }

    fn set_metadata(&self, uuid: &str, prefix: &str, namespace: &str, element: Option<&str>) -> Result<()> {
        let kind = sys::VIR_DOMAIN_METADATA_ELEMENT.cast_signed();
        self.with(uuid, "mark", |d| {
            d.set_metadata(kind, element, Some(prefix), Some(namespace), sys::VIR_DOMAIN_AFFECT_LIVE)
        })
    }

    fn watch(&self, uuid: &str, to: Sender<Happened>) -> Result<Box<dyn Watch>> {
        let ids = self.with(uuid, "watch", |domain| raw::watch(&self.connect, domain, &to))?;
        self.listeners.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(to);
        Ok(Box::new(Watching { connect: Arc::clone(&self.connect), ids }))
    }
}
