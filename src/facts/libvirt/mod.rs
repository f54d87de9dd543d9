//! What libvirt knows of a host: versions, capabilities, domains, and who uses which device.

pub(crate) mod nodedev;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use roxmltree::{Document, Node};
use serde_json::Value;

use crate::domain;
use crate::libvirt::{DomainInfo, DomainXml, Hypervisor, HypervisorError, PauseReason, State};
use crate::model::both::both;
use crate::model::pci::PciAddress;
use crate::model::snapshot::device::UsedBy;
use crate::model::snapshot::{Device, Domain, Host, Snapshot, Unknown};

/// Adds what the daemon says. A call that fails leaves its facts unknown; it does not hide the others.
pub(crate) fn add(snapshot: &mut Snapshot, daemon: &dyn Hypervisor) {
    let (found, ()) = both(|| domains(daemon), || about(&mut snapshot.host, daemon));
    match found {
        Ok(found) => {
            snapshot.domains = found;
            let jobs = snapshot.domains.iter().filter(|d| d.job.as_deref().is_some_and(|j| j.starts_with("migration")));
            snapshot.host.jobs = u32::try_from(jobs.count()).ok();
            emulators(snapshot, daemon);
            assign(&mut snapshot.devices, &snapshot.domains);
        }
        Err(error) => without(snapshot, &error.to_string()),
    }
}

/// What it says of the host.
fn about(host: &mut Host, daemon: &dyn Hypervisor) {
    host.uri = Some(daemon.uri().to_owned());
    host.unknown
        .retain(|u| !["libvirt", "qemu", "machine_types", "domains", "networks", "pools"].contains(&u.fact.as_str()));
    host.libvirt = known(daemon.libvirt_version(), "libvirt", &mut host.unknown).map(version);
    host.qemu = known(daemon.qemu_version(), "qemu", &mut host.unknown).map(version);
    host.migration.hostname = daemon.hostname().ok();
    if let Some(xml) = known(daemon.capabilities(), "machine_types", &mut host.unknown) {
        capabilities(host, &xml);
    }
    if host.memory_free.is_none() {
        host.memory_free = daemon.free_memory().ok();
    }
    if host.page_size.is_none() && host.arch.as_deref() == Some("x86_64") {
        host.page_size = Some(4096); // the architecture has no other
    }
    host.networks = known(daemon.networks().map(sorted), "networks", &mut host.unknown);
    host.pools = known(daemon.pools().map(sorted), "pools", &mut host.unknown);
    // The last one stays: KVM's host-model is the one that guests get.
    for virt in ["qemu", "kvm"] {
        if let Ok(xml) = daemon.domain_capabilities(None, None, None, Some(virt))
            && let Some(name) = emulator_and_machine(&xml)
        {
            host.cpu.host_model_xml = host_model(&xml);
            host.domain_capabilities.insert(format!("{name} {virt}"), xml);
        }
    }
}

/// Guests that are asked at once: one whose QEMU hangs does not keep the others waiting. With the questions about the host
/// beside them a daemon reads no more of one client.
const READERS: usize = 3;

/// Its domains, by name.
fn domains(daemon: &dyn Hypervisor) -> Result<Vec<Domain>, HypervisorError> {
    let infos = daemon.domains()?;
    let next = AtomicUsize::new(0);
    let read = || -> Vec<Domain> {
        let mine = std::iter::from_fn(|| infos.get(next.fetch_add(1, Ordering::Relaxed)));
        mine.map(|info| read_domain(daemon, info)).collect()
    };
    let mut domains = if infos.len() > 1 {
        std::thread::scope(|scope| {
            let readers: Vec<_> = (0..READERS.min(infos.len())).map(|_| scope.spawn(read)).collect();
            readers
                .into_iter()
                .flat_map(|reader| reader.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
                .collect()
        })
    } else {
        read()
    };
    domains.sort_by(|a, b| (&a.name, &a.uuid).cmp(&(&b.name, &b.uuid)));
    Ok(domains)
}

fn sorted(mut names: Vec<String>) -> Vec<String> {
    names.sort_unstable();
    names
}

/// Notes that domains, and with them the users of devices, are unknown.
pub(crate) fn without(snapshot: &mut Snapshot, why: &str) {
    snapshot.unknown.push(Unknown::new("domains", why));
    for device in &mut snapshot.devices {
        device.used_by = None;
        device.unknown.push(Unknown::new("used_by", why));
    }
}

/// Tells every device which domains have it in their definitions.
pub(crate) fn assign(devices: &mut [Device], domains: &[Domain]) {
    let mut users: BTreeMap<_, Vec<UsedBy>> = BTreeMap::new();
    for domain in domains {
        let inactive = domain.inactive_xml.as_deref().and_then(|xml| domain::read::read(xml).ok());
        let pending = inactive.iter().flat_map(|described| &described.hostdevs);
        let hostdevs = domain.hostdevs.iter().chain(pending).filter_map(|hostdev| hostdev.source);
        let others = domain.inactive_xml.as_deref().map(other_devices).unwrap_or_default();
        for address in hostdevs.chain(domain.other_devices.iter().copied()).chain(others) {
            let user = UsedBy {
                name: domain.name.clone(),
                uuid: domain.uuid.clone(),
                state: domain.state.clone(),
                autostart: domain.autostart,
            };
            let users = users.entry(address).or_default();
            if !users.contains(&user) {
                users.push(user);
            }
        }
    }
    for device in devices {
        device.used_by = Some(users.remove(&device.address).unwrap_or_default());
    }
}

/// PCI functions that a definition has by other ways than `<hostdev>`.
fn other_devices(xml: &str) -> Vec<PciAddress> {
    domain::guest::read(xml).map(|guest| guest.other_devices().collect()).unwrap_or_default()
}

fn read_domain(daemon: &dyn Hypervisor, info: &DomainInfo) -> Domain {
    let mut found = Domain {
        name: info.name.clone(),
        uuid: info.uuid.clone(),
        state: info.state.word().to_owned(),
        io_error: info.state == State::Paused(PauseReason::IoError),
        persistent: info.persistent,
        autostart: info.autostart,
        ..Domain::default()
    };
    let active = info.state.is_active();
    if active {
        found.xml = known(daemon.xml(&info.uuid, DomainXml::Live), "xml", &mut found.unknown);
    }
    if info.persistent {
        found.inactive_xml = known(daemon.xml(&info.uuid, DomainXml::Inactive), "inactive_xml", &mut found.unknown);
    }
    if !active {
        found.xml.clone_from(&found.inactive_xml);
    }
    if let Some(xml) = &found.xml {
        match domain::read::read(xml) {
            Ok(described) => {
                found.owner = described.owner.map(str::to_owned);
                found.nova = described.nova;
                found.hostdevs = described.hostdevs;
                found.other_devices = other_devices(xml);
            }
            Err(e) => found.unknown.push(Unknown::new("hostdevs", format!("the domain's XML cannot be read: {e}"))),
        }
    }
    if active && matches!(info.state, State::Running(_) | State::Paused(_)) {
        found.job = match daemon.job(&info.uuid) {
            Ok(None) => Some("none".to_owned()),
            Ok(Some(job)) if job.is_outgoing() => Some("migration-out".to_owned()),
            Ok(Some(_)) => Some("other".to_owned()),
            Err(error) => {
                found.unknown.push(Unknown::new("job", error.to_string()));
                None
            }
        };
        ask_qemu(&mut found, daemon);
    }
    found.snapshots = known(daemon.snapshots(&info.uuid), "snapshots", &mut found.unknown);
    found.checkpoints = known(daemon.checkpoints(&info.uuid), "checkpoints", &mut found.unknown);
    found
}

/// What the running QEMU itself says: its version, and every reason why the guest cannot migrate.
fn ask_qemu(found: &mut Domain, daemon: &dyn Hypervisor) {
    if found.job.as_deref() != Some("none") {
        for fact in ["blocked_reasons", "qemu"] {
            found.unknown.push(Unknown::new(fact, "a job is running, so the domain's QEMU was not queried"));
        }
        return;
    }
    let uuid = found.uuid.clone();
    let mut ask = |fact: &str, command: &str| -> Option<Value> {
        let answer = daemon
            .monitor(&uuid, command)
            .map_err(|error| error.to_string())
            .and_then(|text| serde_json::from_str::<Value>(&text).map_err(|_| "QEMU's answer is not JSON".to_owned()));
        let why = match answer.map(|mut answer| answer.get_mut("return").map(Value::take)) {
            Ok(Some(answer)) => return Some(answer),
            Ok(None) => format!("QEMU refused {command}"),
            Err(why) => why,
        };
        found.unknown.push(Unknown::new(fact, why));
        None
    };
    if let Some(answer) = ask("qemu", r#"{"execute": "query-version"}"#) {
        let number = |part: &str| answer["qemu"][part].as_u64().unwrap_or_default();
        found.qemu = Some(format!("{}.{}.{}", number("major"), number("minor"), number("micro")));
    }
    // Absent when nothing blocks, since QEMU 6.0; before that libvirt itself forbids to migrate host devices.
    if let Some(answer) = ask("blocked_reasons", r#"{"execute": "query-migrate"}"#) {
        let reasons = answer["blocked-reasons"].as_array().map(Vec::as_slice).unwrap_or_default();
        found.blocked_reasons = Some(reasons.iter().filter_map(Value::as_str).map(str::to_owned).collect());
        found.vfio_transferred = answer["vfio"]["transferred"].as_u64();
    }
    let named = ask("foreign_devices", r#"{"execute": "qom-list", "arguments": {"path": "/machine/peripheral"}}"#);
    if let Some(devices) = named.as_ref().and_then(Value::as_array) {
        found.foreign_devices = foreign(devices, found.xml.as_deref().unwrap_or_default());
    }
}

/// Devices that libvirt makes of elements without an alias: `<genid>`.
const UNNAMED: &[&str] = &["vmgenid0"];

/// Devices of a QEMU by name that a definition does not have. libvirt names each of its own after its alias; those of QEMU
/// arguments have the names that they are given there.
fn foreign(devices: &[Value], xml: &str) -> Vec<String> {
    let Ok(document) = Document::parse(xml) else { return Vec::new() };
    let aliases: Vec<_> = document
        .descendants()
        .filter(|node| node.has_tag_name("alias"))
        .filter_map(|node| node.attribute("name"))
        .collect();
    let arguments: Vec<_> = document
        .descendants()
        .filter(|node| node.tag_name().name() == "arg")
        .filter_map(|node| node.attribute("value"))
        .collect();
    let is_argument = |name: &str| {
        let json = format!("\"id\":\"{name}\"");
        arguments.iter().any(|value| {
            value.split(',').any(|part| part.strip_prefix("id=") == Some(name))
                || value.replace(' ', "").contains(&json)
        })
    };
    let is_device = |device: &&Value| device["type"].as_str().is_some_and(|kind| kind.starts_with("child<"));
    // Some of libvirt's devices are several of QEMU's: `usb-disk6` and `usb-disk6-storage`.
    let is_known = |name: &str| {
        let is_alias = |alias: &&str| name == *alias || name.starts_with(&format!("{alias}-"));
        UNNAMED.contains(&name) || aliases.iter().any(is_alias) || is_argument(name)
    };
    let names = devices.iter().filter(is_device).filter_map(|device| device["name"].as_str());
    names.filter(|name| !is_known(name)).map(str::to_owned).collect()
}

/// Domain capabilities of every emulator, machine and kind of virtualisation that a domain uses.
fn emulators(snapshot: &mut Snapshot, daemon: &dyn Hypervisor) {
    /// A host has few machine types; a hostile daemon's list is not followed for ever.
    const MOST: usize = 32;
    let mut wanted: Vec<(String, String, String, String)> = Vec::new();
    for xml in snapshot.domains.iter().filter_map(|d| d.xml.as_deref()) {
        let Ok(document) = Document::parse(xml) else { continue };
        let root = document.root_element();
        let emulator = child(root, "devices").and_then(|d| text(d, "emulator"));
        let kind = child(root, "os").and_then(|os| child(os, "type"));
        let (Some(emulator), Some(kind)) = (emulator, kind) else { continue };
        let (Some(arch), Some(machine)) = (kind.attribute("arch"), kind.attribute("machine")) else { continue };
        let virt = root.attribute("type").unwrap_or("kvm");
        let tuple = (emulator, arch.to_owned(), machine.to_owned(), virt.to_owned());
        if !wanted.contains(&tuple) && wanted.len() < MOST {
            wanted.push(tuple);
        }
    }
    for (emulator, arch, machine, virt) in wanted {
        let name = format!("{emulator} {machine} {virt}");
        // The host's default, which was asked for without names, may be it.
        if snapshot.host.domain_capabilities.contains_key(&name) {
            continue;
        }
        if let Ok(xml) = daemon.domain_capabilities(Some(&emulator), Some(&arch), Some(&machine), Some(&virt)) {
            snapshot.host.domain_capabilities.insert(name, xml);
        }
    }
}

/// libvirt's number as text.
fn version(number: u64) -> String {
    format!("{}.{}.{}", number / 1_000_000, number / 1000 % 1000, number % 1000)
}

fn known<T>(answer: Result<T, HypervisorError>, fact: &str, unknown: &mut Vec<Unknown>) -> Option<T> {
    answer.map_err(|error| unknown.push(Unknown::new(fact, error.to_string()))).ok()
}

fn child<'a, 'i>(node: Node<'a, 'i>, name: &str) -> Option<Node<'a, 'i>> {
    node.children().find(|c| c.has_tag_name(name))
}

fn text(node: Node<'_, '_>, name: &str) -> Option<String> {
    child(node, name).and_then(|c| c.text()).map(|t| t.trim().to_owned())
}

/// `<capabilities>`: identity, CPU, security model, transports, machine types.
fn capabilities(host: &mut Host, xml: &str) {
    let Ok(document) = Document::parse(xml) else {
        host.unknown.push(Unknown::new("machine_types", "libvirt's capabilities are not XML"));
        return;
    };
    let root = document.root_element();
    let Some(about) = child(root, "host") else { return };
    host.uuid = text(about, "uuid");
    if let Some(cpu) = child(about, "cpu") {
        host.arch = text(cpu, "arch").or_else(|| host.arch.take());
        host.cpu.model = text(cpu, "model").or_else(|| host.cpu.model.take());
        let microcode = child(cpu, "microcode").and_then(|m| m.attribute("version")).map(str::to_owned);
        host.cpu.microcode = microcode.or_else(|| host.cpu.microcode.take());
    }
    host.security_model = child(about, "secmodel").and_then(|s| text(s, "model"));
    host.migration.transports =
        child(about, "migration_features").and_then(|m| child(m, "uri_transports")).map(|list| {
            list.children()
                .filter(|n| n.has_tag_name("uri_transport"))
                .filter_map(|n| n.text())
                .map(str::to_owned)
                .collect()
        });
    let mut machines: Vec<String> = root
        .children()
        .filter(|guest| guest.has_tag_name("guest"))
        .filter_map(|guest| child(guest, "arch"))
        .filter(|arch| host.arch.as_deref().is_none_or(|own| arch.attribute("name") == Some(own)))
        .flat_map(|arch| arch.descendants().filter(|n| n.has_tag_name("machine")))
        .filter_map(|machine| machine.text().map(str::to_owned))
        .collect();
    machines.sort();
    machines.dedup();
    host.machine_types = Some(machines);
}

/// The `<mode name='host-model'>` element, as it stands.
fn host_model(xml: &str) -> Option<String> {
    let document = Document::parse(xml).ok()?;
    let cpu = child(document.root_element(), "cpu")?;
    let mode = cpu.children().find(|n| n.has_tag_name("mode") && n.attribute("name") == Some("host-model"))?;
    xml.get(mode.range()).map(str::to_owned)
}

fn emulator_and_machine(xml: &str) -> Option<String> {
    let document = Document::parse(xml).ok()?;
    let root = document.root_element();
    Some(format!("{} {}", text(root, "path")?, text(root, "machine")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions() {
        assert_eq!(version(11_003_000), "11.3.0");
        assert_eq!(version(8_002_002), "8.2.2");
    }

    #[test]
    fn reads_capabilities() {
        let mut host = Host { arch: Some("x86_64".to_owned()), ..Host::default() };
        capabilities(
            &mut host,
            "<capabilities><host><uuid>u</uuid><cpu><arch>x86_64</arch><model>EPYC</model><microcode version='7'/></cpu>\
             <migration_features><live/><uri_transports><uri_transport>tcp</uri_transport></uri_transports></migration_features>\
             <secmodel><model>apparmor</model></secmodel></host>\
             <guest><os_type>hvm</os_type><arch name='i686'><machine>old</machine></arch></guest>\
             <guest><os_type>hvm</os_type><arch name='x86_64'><machine canonical='pc-q35-9.0'>q35</machine>\
             <machine>pc-q35-8.2</machine><domain type='kvm'><machine>pc-q35-8.2</machine></domain></arch></guest></capabilities>",
        );
        assert_eq!(host.machine_types.as_deref(), Some(&["pc-q35-8.2".to_owned(), "q35".to_owned()][..]));
        assert_eq!((host.cpu.model.as_deref(), host.cpu.microcode.as_deref()), (Some("EPYC"), Some("7")));
        assert_eq!(host.security_model.as_deref(), Some("apparmor"));
        assert_eq!(host.migration.transports, Some(vec!["tcp".to_owned()]));
    }

    #[test]
    fn a_device_is_used_by_running_and_by_defined_domains() {
        let hostdev = |bus: &str| {
            format!(
                "<domain><name>v</name><devices><hostdev mode='subsystem' type='pci'><source>\
                 <address domain='0x0' bus='{bus}' slot='0x00' function='0x1'/></source></hostdev></devices></domain>"
            )
        };
        let live = domain::read::read(&hostdev("0x01")).unwrap().hostdevs;
        let vm = Domain {
            name: "v".to_owned(),
            state: "running".to_owned(),
            hostdevs: live,
            inactive_xml: Some(hostdev("0x02")),
            ..Domain::default()
        };
        let device = |text: &str| Device { address: text.parse().unwrap(), ..Device::default() };
        let argument = "<domain xmlns:q='http://libvirt.org/schemas/domain/qemu/1.0'><q:commandline>\
                        <q:arg value='-device'/><q:arg value='vfio-pci,host=04:00.1'/></q:commandline></domain>";
        let other = Domain { name: "w".to_owned(), inactive_xml: Some(argument.to_owned()), ..Domain::default() };
        let mut devices = [device("01:00.1"), device("02:00.1"), device("03:00.1"), device("04:00.1")];
        assign(&mut devices, &[vm, other]);
        let used: Vec<usize> = devices.iter().map(|d| d.used_by.as_ref().unwrap().len()).collect();
        assert_eq!(used, [1, 1, 0, 1]);
    }

    #[test]
    fn what_travels_with_the_definition_is_not_foreign() {
        let devices: Vec<Value> = ["net0", "usb-disk6-storage", "vmgenid0", "own", "quoted", "late"]
            .map(|name| serde_json::json!({"name": name, "type": "child<x>"}))
            .into();
        let xml = "<domain xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'><devices>\
                   <interface><alias name='net0'/></interface><disk><alias name='usb-disk6'/></disk></devices>\
                   <qemu:commandline><qemu:arg value='-device'/><qemu:arg value='edu,id=own'/>\
                   <qemu:arg value='{&quot;driver&quot;:&quot;edu&quot;, &quot;id&quot;: &quot;quoted&quot;}'/>\
                   </qemu:commandline></domain>";
        assert_eq!(foreign(&devices, xml), ["late"]);
    }
}
