//! A host for tests: it has what a test gives it, does what it is told, and remembers the calls.

use std::collections::BTreeMap;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use super::{
    Affect, CpuComparison, CpuTarget, DomainInfo, DomainXml, Failure, Happened, Hypervisor, HypervisorError,
    Job as LibvirtJob, MigrateRequest, PauseReason, Result, RunReason, SecretXml, State as Now, Watch, Way,
};

pub(crate) const CANCELED: Now = Now::Running(RunReason::MigrationCanceled);
pub(crate) const OFF: Now = Now::ShutOff { migrated: false };

/// What a scripted host has and was told.
#[derive(Debug, Default)]
pub(crate) struct Has {
    pub(crate) silent: bool,
    /// Whether its daemon answers and the guest's QEMU does not.
    pub(crate) hung: bool,
    pub(crate) state: Option<Now>,
    pub(crate) persistent: bool,
    pub(crate) autostart: bool,
    pub(crate) job: Option<u64>,
    pub(crate) devices: Vec<String>,
    pub(crate) calls: Vec<String>,
    /// Devices that another guest has.
    pub(crate) taken: Vec<String>,
    /// What its QEMU says of its migration.
    pub(crate) migration: &'static str,
    /// Has the guest for so many more questions.
    pub(crate) gone_after: Option<u32>,
    /// Answers so many more questions for the guest, then none.
    pub(crate) silent_after: Option<u32>,
    /// Its limit of the pause, where it is not QEMU's own.
    pub(crate) max_downtime_ms: Option<u64>,
    /// Calls that nobody answers.
    pub(crate) refuses: Vec<&'static str>,
    /// pvm's element in the guest.
    pub(crate) mark: Option<String>,
    /// Other elements of pvm in the guest, by namespace: requests for the lock.
    pub(crate) requests: BTreeMap<String, String>,
    /// How long a call that writes metadata takes, at most: as with a slow daemon.
    pub(crate) slow: Duration,
    /// The host that a migration brings the guest to.
    pub(crate) peer: Option<Scripted>,
    /// Whether a migration goes on until it is aborted.
    pub(crate) endless: bool,
    /// Whether it is at an endless migration, whose memory flows.
    pub(crate) migrating: bool,
    /// How many aborts it refuses.
    pub(crate) refused_aborts: u32,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Scripted(pub(crate) Arc<Mutex<Has>>, Arc<Condvar>);

impl Scripted {
    pub(crate) fn calls(&self) -> Vec<String> {
        self.0.lock().unwrap().calls.clone()
    }

    pub(crate) fn state(&self) -> Option<Now> {
        self.0.lock().unwrap().state
    }

    /// The endless migration ends.
    pub(crate) fn end_migration(&self) {
        self.0.lock().unwrap().endless = false;
        self.1.notify_all();
    }

    /// The connection breaks at a call that nobody answers.
    fn answers(&self, call: &str) -> Result<()> {
        let host = self.0.lock().unwrap();
        if host.silent || host.refuses.contains(&call) { refused(call, Failure::ConnectionLost) } else { Ok(()) }
    }

    fn told(&self, call: String, change: impl FnOnce(&mut Has)) -> Result<()> {
        let mut host = self.0.lock().unwrap();
        if host.silent {
            return refused(&call, Failure::ConnectionLost);
        }
        host.calls.push(call);
        change(&mut host);
        Ok(())
    }
}

/// The address of the host's device that an element names.
fn named(xml: &str) -> Option<String> {
    let document = roxmltree::Document::parse(xml).ok()?;
    let source = document.root_element().children().find(|node| node.has_tag_name("source"))?;
    let address = source.children().find(|node| node.has_tag_name("address"))?;
    let part = |name| address.attribute(name).map(|text| text.trim_start_matches("0x"));
    let (domain, bus, slot) = (part("domain")?, part("bus")?, part("slot")?);
    Some(format!("{domain}:{bus}:{slot}.{}", part("function")?))
}

fn refused<T>(doing: &str, failure: Failure) -> Result<T> {
    Err(HypervisorError { doing: doing.into(), message: "scripted".into(), failure })
}

impl Hypervisor for Scripted {
    fn uri(&self) -> &'static str {
        "scripted:///"
    }
    fn domain(&self, uuid: &str) -> Result<Option<DomainInfo>> {
        let mut host = self.0.lock().unwrap();
        match &mut host.silent_after {
            Some(0) => host.silent = true,
            Some(more) => *more -= 1,
            None => {}
        }
        if host.silent {
            return refused("domain", Failure::ConnectionLost);
        }
        match &mut host.gone_after {
            Some(0) => host.state = None,
            Some(more) => *more -= 1,
            None => {}
        }
        Ok(host.state.map(|state| DomainInfo {
            name: "vm".into(),
            uuid: uuid.into(),
            id: state.is_active().then_some(3),
            state,
            persistent: host.persistent,
            autostart: host.autostart,
        }))
    }
    fn xml(&self, _: &str, _: DomainXml) -> Result<String> {
        use std::fmt::Write as _;
        let host = self.0.lock().unwrap();
        let devices = host.devices.iter().fold(String::new(), |mut xml, device| {
            let (domain, bus) = (&device[0..4], &device[5..7]);
            let (slot, function) = (&device[8..10], &device[11..12]);
            let _ = write!(
                xml,
                "<hostdev mode='subsystem' type='pci'><source><address domain='0x{domain}' bus='0x{bus}' slot='0x{slot}' \
                 function='0x{function}'/></source></hostdev>"
            );
            xml
        });
        // libvirt binds the namespace on the element itself.
        let requests = host.requests.iter().fold(String::new(), |xml, (namespace, element)| {
            xml + &element.replacen("<migration", &format!("<migration xmlns='{namespace}'"), 1)
        });
        let mark = host.mark.as_deref().unwrap_or_default();
        let name = if mark.starts_with("<policy") { "<policy" } else { "<migration" };
        let mark = mark.replacen(name, &format!("{name} xmlns='urn:pvm:migration:1'"), 1);
        let metadata = format!("<metadata>{mark}{requests}</metadata>");
        Ok(format!("<domain type='kvm'><name>vm</name>{metadata}<devices>{devices}</devices></domain>"))
    }
    fn job(&self, _: &str) -> Result<Option<LibvirtJob>> {
        if self.0.lock().unwrap().hung {
            return refused("job", Failure::QemuSilent);
        }
        let (operation, flows) = {
            let host = self.0.lock().unwrap();
            (host.job, host.migrating)
        };
        if flows {
            let numbers = [("operation", 2), ("memory_total", 9), ("memory_processed", 1)];
            let numbers = numbers.map(|(name, number)| (name.to_owned(), number));
            return Ok(LibvirtJob::from_parts(2, BTreeMap::from(numbers), None));
        }
        if operation == Some(4) {
            return refused("job", Failure::Unsupported);
        }
        Ok(operation.and_then(|n| LibvirtJob::from_parts(2, BTreeMap::from([("operation".to_owned(), n)]), None)))
    }
    fn suspend(&self, _: &str) -> Result<()> {
        self.told("suspend".into(), |host| match host.job.take() {
            Some(_) => host.state = Some(CANCELED),
            None => host.state = Some(Now::Paused(PauseReason::User)),
        })
    }
    fn resume(&self, _: &str) -> Result<()> {
        self.told("resume".into(), |host| host.state = Some(Now::Running(RunReason::Unpaused)))
    }
    fn destroy(&self, _: &str) -> Result<()> {
        self.told("destroy".into(), |host| host.state = host.persistent.then_some(OFF))
    }
    fn undefine(&self, _: &str) -> Result<()> {
        self.told("undefine".into(), |host| host.state = None)
    }
    fn abort_job(&self, _: &str) -> Result<()> {
        let mut host = self.0.lock().unwrap();
        if host.refused_aborts > 0 {
            host.refused_aborts -= 1;
            return refused("abort", Failure::Other);
        }
        drop(host);
        self.told("abort".into(), |host| {
            host.job = None;
            host.state = Some(CANCELED);
        })?;
        self.end_migration();
        Ok(())
    }
    fn set_autostart(&self, _: &str, autostart: bool) -> Result<()> {
        self.answers("autostart")?;
        self.told(format!("autostart {autostart}"), |host| host.autostart = autostart)
    }
    fn attach_device(&self, _: &str, xml: &str, affect: Affect) -> Result<()> {
        // The tests' ports are elements, or just an address.
        let device = named(xml).unwrap_or_else(|| xml.to_owned());
        self.answers("attach")?;
        if self.0.lock().unwrap().taken.contains(&device) {
            return refused("attach", Failure::Other);
        }
        self.told(format!("attach {device} {affect:?}"), |host| host.devices.push(device.clone()))
    }
    fn metadata(&self, _: &str, _: &str) -> Result<Option<String>> {
        self.answers("metadata")?;
        Ok(self.0.lock().unwrap().mark.clone())
    }
    fn monitor(&self, _: &str, command: &str) -> Result<String> {
        if command.contains("query-migrate") {
            return Ok(format!(r#"{{"return":{{"status":"{}"}}}}"#, self.0.lock().unwrap().migration));
        }
        assert_eq!(command, r#"{"execute":"migrate-continue","arguments":{"state":"cancelling"}}"#);
        self.told("go on cancelling".into(), |host| {
            host.job = None;
            host.state = Some(Now::Running(RunReason::Unpaused));
        })?;
        Ok(r#"{"return":{}}"#.into())
    }
    // What the engine asks for besides.
    fn set_metadata(&self, _: &str, _: &str, namespace: &str, element: Option<&str>) -> Result<()> {
        self.answers("set_metadata")?;
        let slow = self.0.lock().unwrap().slow;
        std::thread::sleep(slow);
        let mut host = self.0.lock().unwrap();
        if namespace == "urn:pvm:migration:1" {
            host.mark = element.map(str::to_owned);
        } else if let Some(element) = element {
            host.requests.insert(namespace.to_owned(), element.to_owned());
        } else {
            host.requests.remove(namespace);
        }
        Ok(())
    }
    fn secret_xml(&self, uuid: &str, which: DomainXml) -> Result<SecretXml> {
        self.xml(uuid, which).map(SecretXml::new)
    }
    fn unanswered(&self, _: &str) -> Result<Option<Duration>> {
        Ok(None)
    }
    fn max_downtime(&self, _: &str) -> Result<u64> {
        self.answers("max_downtime").map(|()| self.0.lock().unwrap().max_downtime_ms.unwrap_or(300))
    }
    fn set_max_downtime(&self, _: &str, milliseconds: u64) -> Result<()> {
        self.answers("set_max_downtime")?;
        self.told(format!("set_max_downtime {milliseconds}"), |host| host.max_downtime_ms = Some(milliseconds))
    }
    fn completed_job(&self, _: &str) -> Result<Option<LibvirtJob>> {
        let numbers = BTreeMap::from([("vfio_data_transferred".to_owned(), 9)]);
        Ok(LibvirtJob::from_parts(3, numbers, None))
    }
    fn watch(&self, _: &str, to: Sender<Happened>) -> Result<Box<dyn Watch>> {
        #[derive(Debug)]
        struct Watching(
            #[expect(dead_code, reason = "held, so that nobody takes the daemon for gone")] Sender<Happened>,
        );
        impl Watch for Watching {}
        Ok(Box::new(Watching(to)))
    }
    fn migrate(&self, _: &str, _: &MigrateRequest, _: Way<'_>) -> Result<()> {
        let mut here = self.0.lock().unwrap();
        if here.endless {
            here.migrating = true;
            // No test waits so long but one that fails.
            let (mut here, _) = self.1.wait_timeout_while(here, Duration::from_secs(20), |host| host.endless).unwrap();
            here.migrating = false;
            let aborted = here.calls.iter().any(|call| call == "abort");
            return refused("migrate", if aborted { Failure::Aborted } else { Failure::Other });
        }
        let Some(there) = here.peer.clone() else { return refused("migrate", Failure::Other) };
        here.state = None;
        let mut there = there.0.lock().unwrap();
        there.state = Some(Now::Running(RunReason::Migrated));
        there.mark = here.mark.take();
        Ok(())
    }
    // Nothing below is asked for.
    fn as_any(&self) -> &dyn std::any::Any {
        self
    }
    fn hostname(&self) -> Result<String> {
        refused("hostname", Failure::Other)
    }
    fn host_uuid(&self) -> Result<String> {
        refused("host_uuid", Failure::Other)
    }
    fn libvirt_version(&self) -> Result<u64> {
        refused("libvirt_version", Failure::Other)
    }
    fn qemu_version(&self) -> Result<u64> {
        refused("qemu_version", Failure::Other)
    }
    fn free_memory(&self) -> Result<u64> {
        refused("free_memory", Failure::Other)
    }
    fn capabilities(&self) -> Result<String> {
        refused("capabilities", Failure::Other)
    }
    fn domain_capabilities(
        &self,
        _: Option<&str>,
        _: Option<&str>,
        _: Option<&str>,
        _: Option<&str>,
    ) -> Result<String> {
        refused("domain_capabilities", Failure::Other)
    }
    fn node_devices(&self) -> Result<Vec<String>> {
        refused("node_devices", Failure::Other)
    }
    fn domains(&self) -> Result<Vec<DomainInfo>> {
        Ok(self.domain("of another guest")?.into_iter().collect())
    }
    fn networks(&self) -> Result<Vec<String>> {
        refused("networks", Failure::Other)
    }
    fn pools(&self) -> Result<Vec<String>> {
        refused("pools", Failure::Other)
    }
    fn domain_by_name(&self, _: &str) -> Result<Option<DomainInfo>> {
        refused("domain_by_name", Failure::Other)
    }
    fn secrets(&self) -> Result<Vec<String>> {
        refused("secrets", Failure::Other)
    }
    fn volume_path(&self, _: &str, _: &str) -> Result<Option<String>> {
        refused("volume_path", Failure::Other)
    }
    fn compare_cpu(&self, _: CpuTarget<'_>, _: &str) -> Result<CpuComparison> {
        refused("compare_cpu", Failure::Other)
    }
    fn checkpoints(&self, _: &str) -> Result<u32> {
        refused("checkpoints", Failure::Other)
    }
    fn snapshots(&self, _: &str) -> Result<u32> {
        refused("snapshots", Failure::Other)
    }
    fn detach_device(&self, _: &str, _: &str, _: Affect) -> Result<()> {
        refused("detach_device", Failure::Other)
    }
}
