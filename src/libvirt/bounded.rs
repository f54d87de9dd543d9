//! Every call to a hypervisor in a worker of its own, with a deadline: no caller waits for a QEMU or a daemon that hangs.
//!
//! libvirtd answers keepalives and other calls while one guest's QEMU is stuck, so a call about that guest never fails by
//! itself. Here it fails with "does not answer" when its deadline has passed; its worker stays parked until libvirt returns,
//! and while it does, the same question is not asked again. Other guests are asked by other workers, and over another
//! connection as soon as a few calls are stuck on this one, because a daemon reads only five requests of one client at a time.
//!
//! A change that did not return in time may still be made later: callers treat it as they treat a lost connection.

use std::any::Any;
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::fmt::Debug;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::worker::{alive, in_worker, let_go};
use super::{
    Affect, CpuComparison, CpuTarget, DomainInfo, DomainXml, Failure, Happened, Hypervisor, HypervisorError, Job,
    MigrateRequest, Result, SecretXml, Watch, Way,
};

/// How long calls may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// A question about a guest, and a request that QEMU answers at once.
    pub(super) question: Duration,
    /// A change, and a question that the daemon itself works at: libvirt waits 30 s for a guest's other jobs, and up to a
    /// minute for a QEMU with many devices to end.
    pub(super) work: Duration,
    /// The cheapest question of all, which tells a silent QEMU from a silent daemon.
    pub(super) sign: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        let (question, work, sign) = (Duration::from_secs(10), Duration::from_secs(75), Duration::from_secs(2));
        Self { question, work, sign }
    }
}

/// Calls that may be under way on one connection before another one is opened: with the cheap question they are the five
/// that libvirtd reads.
const MOST_UNDER_WAY: usize = 4;
/// Calls that may be stuck in all; then nothing more is asked.
const MOST_PARKED: usize = 64;
/// QEMUs of one host that may leave a call stuck; then no other is asked. Each keeps one of libvirtd's workers, of which it
/// has 20 unless it was told otherwise.
const MOST_SILENT: usize = 12;

/// Opens another connection to the same daemon.
pub(super) type Reopen = fn(&str) -> Result<Box<dyn Hypervisor>>;

/// A connection, and how many calls are under way on it.
#[derive(Debug, Clone)]
struct Connection {
    to: Arc<dyn Hypervisor>,
    under_way: Arc<AtomicUsize>,
}

impl Connection {
    fn new(to: Box<dyn Hypervisor>) -> Self {
        Self { to: Arc::from(to), under_way: Arc::default() }
    }
}

/// A hypervisor whose calls end.
#[derive(Debug)]
pub(super) struct Bounded {
    uri: String,
    limits: Limits,
    reopen: Reopen,
    /// The one that migrates and watches; none when it is being dropped.
    first: Option<Connection>,
    /// The one that is asked instead, when too much is stuck on the first.
    another: Mutex<Option<Connection>>,
    /// The guests of whose QEMU libvirt said that it owes no answer, before they were asked anything.
    answering: Mutex<HashSet<String>>,
}

/// Whom a call is about, and so who is silent when nothing comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum About<'a> {
    /// The host: the daemon answers from what it knows, or works at it.
    Host,
    /// A guest, as the daemon knows it.
    Guest(&'a str),
    /// A guest whose QEMU is asked.
    Qemu(&'a str),
    /// A guest that is told something small, which its QEMU answers at once.
    Control(&'a str),
    /// A guest that is changed.
    Change(&'a str),
}

impl<'a> About<'a> {
    fn guest(self) -> Option<&'a str> {
        match self {
            Self::Host => None,
            Self::Guest(uuid) | Self::Qemu(uuid) | Self::Control(uuid) | Self::Change(uuid) => Some(uuid),
        }
    }

    fn limit(self, limits: Limits) -> Duration {
        match self {
            Self::Host | Self::Guest(_) | Self::Qemu(_) | Self::Control(_) => limits.question,
            Self::Change(_) => limits.work,
        }
    }
}

/// What is not asked again while it is stuck: the host's URI, the guest, and the call (one name for all that ask QEMU).
type Lane = (String, Option<String>, Cow<'static, str>);

/// The lanes that are stuck, and who is silent there.
static STUCK: Mutex<Option<HashMap<Lane, Failure>>> = Mutex::new(None);
static PARKED: AtomicUsize = AtomicUsize::new(0);

/// The present moment, for measuring.
#[expect(clippy::disallowed_methods, reason = "calls are timed")]
fn moment() -> Instant {
    Instant::now()
}

/// What a monitor command is called: its arguments may hold what is nobody's business.
fn qmp_name(command: &str) -> String {
    let parsed = serde_json::from_str::<serde_json::Value>(command).ok();
    let name = parsed.as_ref().and_then(|command| command.get("execute")?.as_str());
    format!("QMP {}", name.unwrap_or("command"))
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The lane of every call to a daemon that is silent.
fn daemon_lane(uri: &str) -> Lane {
    (uri.to_owned(), None, Cow::Borrowed("daemon"))
}

/// A call on its way.
struct Pending<T> {
    answer: Receiver<Result<T>>,
    alive: Arc<AtomicBool>,
}

impl<T> Pending<T> {
    /// Waits for the answer, as long as it does not come and the worker shows no sign of life for this time.
    fn wait(&self, limit: Duration) -> Option<Result<T>> {
        loop {
            match self.answer.recv_timeout(limit) {
                Ok(answer) => return Some(answer),
                Err(RecvTimeoutError::Timeout) if self.alive.swap(false, Ordering::Relaxed) => {}
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return None,
            }
        }
    }
}

impl Bounded {
    /// Bounds the calls to `to`.
    pub(super) fn new(to: Box<dyn Hypervisor>, reopen: Reopen, limits: Limits) -> Self {
        let uri = to.uri().to_owned();
        Self {
            uri,
            limits,
            reopen,
            first: Some(Connection::new(to)),
            another: Mutex::default(),
            answering: Mutex::default(),
        }
    }

    fn first(&self) -> &Connection {
        self.first.as_ref().expect("it is there until this is dropped")
    }

    /// The connection to ask: another one when several calls are under way on this one, as they are when guests hang.
    fn connection(&self) -> Connection {
        let mut another = locked(&self.another);
        let asked = another.as_ref().unwrap_or_else(|| self.first());
        if asked.under_way.load(Ordering::Relaxed) < MOST_UNDER_WAY {
            return asked.clone();
        }
        match (self.reopen)(&self.uri) {
            Ok(fresh) => another.insert(Connection::new(fresh)).clone(),
            Err(_) => asked.clone(),
        }
    }

    fn silent(&self, about: About<'_>, limit: Option<Duration>, failure: Failure) -> HypervisorError {
        let who = if failure == Failure::QemuSilent { "its QEMU" } else { "libvirt's daemon" };
        let change = matches!(about, About::Control(_) | About::Change(_));
        let message = match limit {
            Some(limit) if change => {
                format!("{who} does not answer (within {} s); it may still do what it was told", limit.as_secs())
            }
            Some(limit) => format!("{who} does not answer (within {} s)", limit.as_secs()),
            None => format!("{who} does not answer"),
        };
        let doing = match about.guest() {
            Some(uuid) => format!("domain {uuid} on {}", self.uri),
            None => self.uri.clone(),
        };
        HypervisorError { doing, message, failure }
    }

    /// Makes a call over the connection to ask.
    fn call<T: Send + 'static>(
        &self,
        name: impl Into<Cow<'static, str>>,
        about: About<'_>,
        call: impl FnOnce(&dyn Hypervisor) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.call_on(&self.connection(), name, about, call)
    }

    fn call_on<T: Send + 'static>(
        &self,
        connection: &Connection,
        name: impl Into<Cow<'static, str>>,
        about: About<'_>,
        call: impl FnOnce(&dyn Hypervisor) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (name, begun) = (name.into(), moment());
        // What asks a QEMU waits for the same monitor.
        let lane = if matches!(about, About::Qemu(_)) { Cow::Borrowed("qemu") } else { name.clone() };
        let lane = (self.uri.clone(), about.guest().map(str::to_owned), lane);
        let answer = self.answer(connection, lane, about, call);
        self.told(&name, about, begun, &answer);
        answer
    }

    /// Tells a call to whoever wants to know them.
    fn told<T>(&self, name: &str, about: About<'_>, begun: Instant, answer: &Result<T>) {
        log::info!(
            "{} ms  {}  {name}{}{}",
            begun.elapsed().as_millis(),
            self.uri,
            about.guest().map_or(String::new(), |guest| format!(" {guest}")),
            answer.as_ref().err().map_or(String::new(), |error| format!(": {}", error.message))
        );
    }

    /// Makes a call in a worker and waits for it until its deadline.
    fn answer<T: Send + 'static>(
        &self,
        connection: &Connection,
        lane: Lane,
        about: About<'_>,
        call: impl FnOnce(&dyn Hypervisor) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        // A change is always tried: the copy that runs has to be stopped, whatever was asked before.
        if !matches!(about, About::Change(_)) {
            let stuck = locked(&STUCK);
            let failure = stuck.as_ref().and_then(|s| s.get(&daemon_lane(&self.uri)).or_else(|| s.get(&lane)));
            if let Some(failure) = failure {
                return Err(self.silent(about, None, *failure));
            }
        }
        if PARKED.load(Ordering::Relaxed) >= MOST_PARKED {
            return Err(self.silent(about, None, Failure::DaemonSilent));
        }
        if let About::Qemu(uuid) = about {
            self.may_ask(uuid)?;
        }
        let pending = start(connection, lane.clone(), call);
        let mut waited = about.limit(self.limits);
        if let Some(answer) = pending.wait(waited) {
            return answer;
        }
        let daemon_answers = self.daemon_answers(connection);
        if about == About::Host && daemon_answers {
            // It works at this: after a restart it asks every QEMU that is installed for what it can do.
            waited = self.limits.work;
            if let Some(answer) = pending.wait(waited) {
                return answer;
            }
        }
        let (lane, failure) = match about {
            About::Host => (if daemon_answers { lane } else { daemon_lane(&self.uri) }, Failure::DaemonSilent),
            _ if !daemon_answers => (daemon_lane(&self.uri), Failure::DaemonSilent),
            _ => (lane, Failure::QemuSilent),
        };
        let mut stuck = locked(&STUCK);
        // The worker takes its lane out of the list after it has sent its answer, so that one of both sees the other.
        if let Ok(answer) = pending.answer.try_recv() {
            return answer;
        }
        stuck.get_or_insert_default().insert(lane, failure);
        Err(self.silent(about, Some(waited), failure))
    }

    /// Nothing is asked of a QEMU that owes libvirt an answer already, nor of any where many of its host's do: each such call
    /// would keep a worker of libvirtd until that QEMU answers, and without workers nobody is answered.
    fn may_ask(&self, uuid: &str) -> Result<()> {
        if locked(&self.answering).contains(uuid) {
            return Ok(());
        }
        let about = About::Qemu(uuid);
        if let Some(time) = self.unanswered(uuid).ok().flatten().filter(|time| *time >= self.limits.question) {
            return Err(HypervisorError {
                message: format!("its QEMU does not answer (libvirt has waited for {} s)", time.as_secs()),
                ..self.silent(about, None, Failure::QemuSilent)
            });
        }
        let is_silent = |(lane, failure): (&Lane, &Failure)| lane.0 == self.uri && *failure == Failure::QemuSilent;
        let silent = locked(&STUCK).iter().flatten().filter(|stuck| is_silent(*stuck)).count();
        if silent >= MOST_SILENT {
            return Err(HypervisorError {
                message: format!("its QEMU was not asked: libvirt there waits for {silent} answers of others"),
                ..self.silent(about, None, Failure::QemuSilent)
            });
        }
        locked(&self.answering).insert(uuid.to_owned());
        Ok(())
    }

    /// Whether the daemon answers the cheapest question, for which it keeps workers aside.
    fn daemon_answers(&self, connection: &Connection) -> bool {
        let lane = (self.uri.clone(), None, Cow::Borrowed("sign"));
        start(connection, lane, |daemon| daemon.libvirt_version()).wait(self.limits.sign).is_some()
    }

    fn host<T: Send + 'static>(
        &self,
        name: &'static str,
        call: impl FnOnce(&dyn Hypervisor) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.call(name, About::Host, call)
    }

    /// A call about one guest, of the kind that `about` says.
    fn of<'u, T: Send + 'static>(
        &self,
        about: fn(&'u str) -> About<'u>,
        name: impl Into<Cow<'static, str>>,
        uuid: &'u str,
        call: impl FnOnce(&dyn Hypervisor, &str) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let owned = uuid.to_owned();
        self.call(name, about(uuid), move |daemon| call(daemon, &owned))
    }
}

impl Drop for Bounded {
    fn drop(&mut self) {
        // Closing asks the daemon, too.
        let_go((self.first.take(), locked(&self.another).take()), self.limits.sign);
    }
}

/// What is watched ends in a worker, for which nobody waits.
#[derive(Debug)]
struct BoundedWatch(Option<Box<dyn Watch>>);

impl Watch for BoundedWatch {}

impl Drop for BoundedWatch {
    fn drop(&mut self) {
        let watch = self.0.take();
        in_worker(Box::new(move || drop(watch)));
    }
}

/// Starts a call.
fn start<T: Send + 'static>(
    connection: &Connection,
    lane: Lane,
    call: impl FnOnce(&dyn Hypervisor) -> Result<T> + Send + 'static,
) -> Pending<T> {
    let (sender, answer) = mpsc::channel();
    let shown = Arc::new(AtomicBool::new(false));
    let (connection, flag) = (connection.clone(), Arc::clone(&shown));
    connection.under_way.fetch_add(1, Ordering::Relaxed);
    PARKED.fetch_add(1, Ordering::Relaxed);
    in_worker(Box::new(move || {
        let answer = alive(flag, || call(&*connection.to));
        connection.under_way.fetch_sub(1, Ordering::Relaxed);
        PARKED.fetch_sub(1, Ordering::Relaxed);
        drop(connection);
        // Nobody listens any more after the deadline.
        let _ = sender.send(answer);
        // Whoever gave this call up looked for its answer once more with the list locked: it is there now, or is found then.
        if let Some(stuck) = locked(&STUCK).as_mut().filter(|stuck| !stuck.is_empty()) {
            stuck.remove(&daemon_lane(&lane.0));
            stuck.remove(&lane);
        }
    }));
    Pending { answer, alive: shown }
}

impl Hypervisor for Bounded {
    fn uri(&self) -> &str {
        &self.uri
    }

    fn hostname(&self) -> Result<String> {
        self.host("virConnectGetHostname", |h| h.hostname())
    }

    fn libvirt_version(&self) -> Result<u64> {
        self.host("virConnectGetLibVersion", |h| h.libvirt_version())
    }

    fn qemu_version(&self) -> Result<u64> {
        self.host("virConnectGetVersion", |h| h.qemu_version())
    }

    fn free_memory(&self) -> Result<u64> {
        self.host("virNodeGetFreeMemory", |h| h.free_memory())
    }

    fn capabilities(&self) -> Result<String> {
        self.host("virConnectGetCapabilities", |h| h.capabilities())
    }

    fn host_uuid(&self) -> Result<String> {
        self.host("virConnectGetCapabilities (UUID)", |h| h.host_uuid())
    }

    fn domain_capabilities(
        &self,
        emulator: Option<&str>,
        arch: Option<&str>,
        machine: Option<&str>,
        virt_type: Option<&str>,
    ) -> Result<String> {
        let [emulator, arch, machine, virt_type] =
            [emulator, arch, machine, virt_type].map(|text| text.map(str::to_owned));
        self.host("virConnectGetDomainCapabilities", move |h| {
            h.domain_capabilities(emulator.as_deref(), arch.as_deref(), machine.as_deref(), virt_type.as_deref())
        })
    }

    fn node_devices(&self) -> Result<Vec<String>> {
        self.host("virConnectListAllNodeDevices", |h| h.node_devices())
    }

    fn networks(&self) -> Result<Vec<String>> {
        self.host("virConnectListAllNetworks", |h| h.networks())
    }

    fn pools(&self) -> Result<Vec<String>> {
        self.host("virConnectListAllStoragePools", |h| h.pools())
    }

    fn secrets(&self) -> Result<Vec<String>> {
        self.host("virConnectListAllSecrets", |h| h.secrets())
    }

    fn volume_path(&self, pool: &str, volume: &str) -> Result<Option<String>> {
        let (pool, volume) = (pool.to_owned(), volume.to_owned());
        self.host("virStorageVolGetPath", move |h| h.volume_path(&pool, &volume))
    }

    fn compare_cpu(&self, on: CpuTarget<'_>, cpu: &str) -> Result<CpuComparison> {
        let owned = [on.emulator, on.arch, on.machine, on.virt_type].map(|text| text.map(str::to_owned));
        let cpu = cpu.to_owned();
        self.host("virConnectCompareHypervisorCPU", move |h| {
            let [emulator, arch, machine, virt_type] = owned.each_ref().map(Option::as_deref);
            h.compare_cpu(CpuTarget { emulator, arch, machine, virt_type }, &cpu)
        })
    }

    fn domains(&self) -> Result<Vec<DomainInfo>> {
        self.host("virConnectListAllDomains", |h| h.domains())
    }

    fn domain(&self, uuid: &str) -> Result<Option<DomainInfo>> {
        self.of(About::Guest, "virDomainLookupByUUIDString", uuid, |h, uuid| h.domain(uuid))
    }

    fn domain_by_name(&self, name: &str) -> Result<Option<DomainInfo>> {
        self.of(About::Guest, "virDomainLookupByName", name, |h, name| h.domain_by_name(name))
    }

    fn xml(&self, uuid: &str, which: DomainXml) -> Result<String> {
        self.of(About::Guest, "virDomainGetXMLDesc", uuid, move |h, uuid| h.xml(uuid, which))
    }

    fn secret_xml(&self, uuid: &str, which: DomainXml) -> Result<SecretXml> {
        self.of(About::Guest, "virDomainGetXMLDesc (secure)", uuid, move |h, uuid| h.secret_xml(uuid, which))
    }

    fn snapshots(&self, uuid: &str) -> Result<u32> {
        self.of(About::Guest, "virDomainSnapshotNum", uuid, |h, uuid| h.snapshots(uuid))
    }

    fn checkpoints(&self, uuid: &str) -> Result<u32> {
        self.of(About::Guest, "virDomainListAllCheckpoints", uuid, |h, uuid| h.checkpoints(uuid))
    }

    fn monitor(&self, uuid: &str, command: &str) -> Result<String> {
        let command = command.to_owned();
        self.of(About::Qemu, qmp_name(&command), uuid, move |h, uuid| h.monitor(uuid, &command))
    }

    fn unanswered(&self, uuid: &str) -> Result<Option<Duration>> {
        self.of(About::Guest, "virDomainGetControlInfo", uuid, |h, uuid| h.unanswered(uuid))
    }

    fn job(&self, uuid: &str) -> Result<Option<Job>> {
        self.of(About::Qemu, "virDomainGetJobStats", uuid, |h, uuid| h.job(uuid))
    }

    fn completed_job(&self, uuid: &str) -> Result<Option<Job>> {
        self.of(About::Guest, "virDomainGetJobStats (completed)", uuid, |h, uuid| h.completed_job(uuid))
    }

    fn migrate(&self, uuid: &str, request: &MigrateRequest, way: Way<'_>) -> Result<()> {
        // As long as it takes, in the caller's own thread: its end is asked for with another call.
        let first = self.first();
        first.under_way.fetch_add(1, Ordering::Relaxed);
        let begun = moment();
        let migrated = first.to.migrate(uuid, request, way);
        self.told("virDomainMigrateToURI3", About::Qemu(uuid), begun, &migrated);
        first.under_way.fetch_sub(1, Ordering::Relaxed);
        migrated
    }

    fn as_any(&self) -> &dyn Any {
        self.first().to.as_any()
    }

    fn abort_job(&self, uuid: &str) -> Result<()> {
        self.of(About::Control, "virDomainAbortJob", uuid, |h, uuid| h.abort_job(uuid))
    }

    fn max_downtime(&self, uuid: &str) -> Result<u64> {
        self.of(About::Qemu, "virDomainMigrateGetMaxDowntime", uuid, |h, uuid| h.max_downtime(uuid))
    }

    fn set_max_downtime(&self, uuid: &str, milliseconds: u64) -> Result<()> {
        self.of(About::Control, "virDomainMigrateSetMaxDowntime", uuid, move |h, uuid| {
            h.set_max_downtime(uuid, milliseconds)
        })
    }

    fn suspend(&self, uuid: &str) -> Result<()> {
        self.of(About::Change, "virDomainSuspend", uuid, |h, uuid| h.suspend(uuid))
    }

    fn resume(&self, uuid: &str) -> Result<()> {
        self.of(About::Change, "virDomainResume", uuid, |h, uuid| h.resume(uuid))
    }

    fn destroy(&self, uuid: &str) -> Result<()> {
        self.of(About::Change, "virDomainDestroy", uuid, |h, uuid| h.destroy(uuid))
    }

    fn undefine(&self, uuid: &str) -> Result<()> {
        self.of(About::Change, "virDomainUndefineFlags", uuid, |h, uuid| h.undefine(uuid))
    }

    fn set_autostart(&self, uuid: &str, autostart: bool) -> Result<()> {
        self.of(About::Change, "virDomainSetAutostart", uuid, move |h, uuid| h.set_autostart(uuid, autostart))
    }

    fn attach_device(&self, uuid: &str, xml: &str, affect: Affect) -> Result<()> {
        let xml = xml.to_owned();
        self.of(About::Change, "virDomainAttachDeviceFlags", uuid, move |h, uuid| h.attach_device(uuid, &xml, affect))
    }

    fn detach_device(&self, uuid: &str, xml: &str, affect: Affect) -> Result<()> {
        let xml = xml.to_owned();
        self.of(About::Change, "virDomainDetachDeviceFlags", uuid, move |h, uuid| h.detach_device(uuid, &xml, affect))
    }

    fn metadata(&self, uuid: &str, namespace: &str) -> Result<Option<String>> {
        let namespace = namespace.to_owned();
        self.of(About::Guest, "virDomainGetMetadata", uuid, move |h, uuid| h.metadata(uuid, &namespace))
    }

    fn set_metadata(&self, uuid: &str, prefix: &str, namespace: &str, element: Option<&str>) -> Result<()> {
        let [prefix, namespace] = [prefix, namespace].map(str::to_owned);
        let element = element.map(str::to_owned);
        self.of(About::Change, "virDomainSetMetadata", uuid, move |h, uuid| {
            h.set_metadata(uuid, &prefix, &namespace, element.as_deref())
        })
    }

    fn watch(&self, uuid: &str, to: Sender<Happened>) -> Result<Box<dyn Watch>> {
        let owned = uuid.to_owned();
        let watch = self.call_on(self.first(), "virConnectDomainEventRegisterAny", About::Guest(uuid), move |h| {
            h.watch(&owned, to)
        })?;
        Ok(Box::new(BoundedWatch(Some(watch))))
    }
}
