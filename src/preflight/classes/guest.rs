//! A guest as its destination sees it.

use std::fmt::Write as _;

use roxmltree::{Document, Node};
use serde::Serialize;

use super::asks::Asks;
use super::devices::stranger;
use crate::domain::guest::Guest;
use crate::domain::{XmlError, read};
use crate::model::pci::PciAddress;
use crate::model::snapshot::{Device, Domain, Hostdev, HostdevKind, Snapshot};
use crate::plan::pair;
use crate::preflight::terms::Terms;

/// What is equal for guests that get the same answers. Everything is kept of the guest and of its devices that is not named in
/// this file, and of its host by `source_key`.
pub(super) fn key(host: &Snapshot, domain: &Domain, read: Option<&Guest>, asks: &Asks, terms: &Terms) -> String {
    let listens = read.into_iter().flat_map(|guest| {
        let graphics = guest.graphics.iter().flat_map(|graphics| &graphics.addresses);
        graphics.chain(guest.endpoints.iter().filter_map(|endpoint| endpoint.host.as_ref()))
    });
    // The operator's policies are for guests by their names; the guest's own stand among what others keep of it.
    let rule = read.map(|guest| {
        let most = terms.policies.max_pause(terms.max_pause, domain, &guest.policy);
        format!("{most:?} {:?} {:?}", guest.policy, guest.bad_policy)
    });
    let described = domain.xml.as_deref().map(read::read);
    let owner = described.iter().flatten().find_map(|found| found.owner).filter(|_| domain.owner.is_none());
    // Whether it is the source's own is all that an address says of the source.
    let is_own: Vec<(bool, bool)> = listens.map(|address| is_of(host, address)).collect();
    let held: Vec<_> = domain.hostdevs.iter().map(|held| held_by(host, held, asks)).collect();
    let text = serde_json::to_string(&Seen { held, domain: stripped(domain) }).unwrap_or_default();
    let [now, next] =
        [&domain.xml, &domain.inactive_xml].map(|xml| xml.as_deref().map(|xml| outline(xml, domain, asks)));
    format!(
        "{text} {now:?} {next:?} {rule:?} {is_own:?} {:?} {:?} {:?}",
        owner,
        described.map(|found| definition(domain, found)),
        pending(domain)
    )
}

#[derive(Serialize)]
struct Seen {
    held: Vec<Option<(Device, Option<Device>, usize)>>,
    domain: Domain,
}

fn is_of(host: &Snapshot, address: &str) -> (bool, bool) {
    let own = host.host.addresses.iter().flatten().any(|own| own == address);
    let endpoint = &host.host.migration;
    (own, [&endpoint.address, &endpoint.hostname].into_iter().any(|place| place.as_deref() == Some(address)))
}

/// A device that the guest holds, its PF, and how many of the PF's VFs migrate already. Where it is on its PF is nothing to the
/// destination, on which PF it is, is.
fn held_by(host: &Snapshot, held: &Hostdev, asks: &Asks) -> Option<(Device, Option<Device>, usize)> {
    let device = host.device(held.source?)?;
    let pf = device.parent_addr.and_then(|pf| host.device(pf));
    let migrating = pf.map_or(0, |pf| {
        host.devices.iter().filter(|vf| vf.parent_addr == Some(pf.address) && pair::is_migrating(vf)).count()
    });
    let mut seen = stranger(device, asks);
    if seen.parent_addr.is_some() {
        seen.address = PciAddress::default();
    }
    if held.kind != HostdevKind::Hostdev
        && let Some(admin) = &mut seen.vf_admin
    {
        // The definition has it, and libvirt programs it.
        admin.mac = None;
    }
    Some((seen, pf.map(|pf| stranger(pf, asks)), migrating))
}

/// The domain without its names, its definitions, which are apart, and the addresses of its devices.
fn stripped(domain: &Domain) -> Domain {
    let mut seen = Domain {
        // A guest with this name or UUID on the destination is a case by itself.
        name: String::new(),
        uuid: String::new(),
        xml: None,
        inactive_xml: None,
        // It chooses a limit of the downtime, and no answer.
        vfio_transferred: None,
        ..domain.clone()
    };
    for unknown in &mut seen.unknown {
        unknown.why.clear();
    }
    for held in &mut seen.hostdevs {
        (held.source, held.mac) = (held.source.map(|_| PciAddress::default()), None);
    }
    if let Some(nova) = &mut seen.nova {
        (nova.name, nova.project) = (None, None);
    }
    seen
}

/// Names of network devices that libvirt gives by itself, anew on each host.
const GENERATED: &[&str] = &["vnet", "vif", "macvtap", "macvlan"];

/// Elements that are each guest's own: names, and labels and descriptions of whoever runs it, which the snapshot has apart as far
/// as they count.
const OWN_ELEMENTS: &[&str] = &["name", "uuid", "title", "description", "metadata", "mac", "serial", "genid"];

/// A definition, element by element, without what is the guest's own.
fn outline(xml: &str, domain: &Domain, asks: &Asks) -> String {
    let mut text = String::new();
    match Document::parse(xml) {
        Ok(document) => outline_of(document.root_element(), domain, asks, &mut text),
        Err(error) => text = error.to_string(),
    }
    text
}

fn outline_of(node: Node<'_, '_>, domain: &Domain, asks: &Asks, text: &mut String) {
    let name = node.tag_name().name();
    let above = node.parent_element().map_or("", |above| above.tag_name().name());
    // A serial device is no serial number.
    if OWN_ELEMENTS.contains(&name) && !(name == "serial" && node.has_children() && node.has_attribute("type")) {
        return;
    }
    // Labels that are made anew on each host.
    if name == "seclabel" && node.attribute("type") == Some("dynamic") {
        return;
    }
    let _ = write!(text, "<{name}");
    let autoport = node.attribute("autoport") == Some("yes");
    for attribute in node.attributes() {
        let value = attribute.value();
        let is_own = match (name, attribute.name()) {
            ("domain", "id") => true,
            // Where a device is on the source: the guest's devices are apart.
            ("address", "domain" | "bus" | "slot" | "function") => above == "source",
            // Which port it has now is freed when it leaves.
            ("graphics", "port" | "tlsPort" | "websocket") => autoport,
            ("target", "dev") => above == "interface" && GENERATED.iter().any(|prefix| value.starts_with(prefix)),
            _ => false,
        };
        if !is_own {
            let is_place = matches!(name, "source" | "log" | "driver" | "listen") || value.starts_with('/');
            let value = if is_place { file(value, domain, asks) } else { value.to_owned() };
            let _ = write!(text, " {}={value:?}", attribute.name());
        }
    }
    text.push('>');
    for child in node.children() {
        match child.text().map(str::trim) {
            Some(own) if child.is_text() && !own.is_empty() => text.push_str(&file_or_word(own, domain, asks)),
            _ if child.is_element() => outline_of(child, domain, asks, text),
            _ => {}
        }
    }
    text.push('/');
}

fn file_or_word(text: &str, domain: &Domain, asks: &Asks) -> String {
    if text.starts_with('/') { file(text, domain, asks) } else { text.to_owned() }
}

/// A path without its last name, and without the guest's UUID, unless a host was asked about it: then hosts say what is there by
/// the folder alone. Device nodes and words are known as they are.
fn file<'p>(path: &'p str, domain: &Domain, asks: &Asks) -> String {
    let is_known = |end: &str| asks.paths.contains(&format!("{path}{end}"));
    let Some((folder, _)) = path.rsplit_once('/').filter(|_| !path.starts_with("/dev/")) else {
        return path.to_owned();
    };
    if path.split('/').any(|part| part == "..") || ["", ".in", ".out"].into_iter().any(is_known) {
        return path.to_owned();
    }
    let own = |part: &'p str| match part {
        part if !domain.uuid.is_empty() && part == domain.uuid => "UUID",
        // libvirt's own folders of a guest that runs: domain-7-NAME.
        part if part.starts_with("domain-") => "domain",
        part => part,
    };
    let parts: Vec<&str> = folder.split('/').map(own).collect();
    format!("{}/*", parts.join("/"))
}

/// Whether the definition can be read, and has the devices that the snapshot says; else why not.
fn definition(domain: &Domain, read: Result<read::Described, XmlError>) -> Result<bool, String> {
    read.map(|read| sources(&read.hostdevs).eq(sources(&domain.hostdevs))).map_err(|error| error.to_string())
}

/// Where the devices of the next boot are among those of now, as far as they have addresses.
fn pending(domain: &Domain) -> Option<Vec<Option<usize>>> {
    let read = read::read(domain.inactive_xml.as_deref()?).ok()?;
    let at = |source: PciAddress| sources(&domain.hostdevs).position(|own| own == Some(source));
    Some(sources(&read.hostdevs).flatten().map(at).collect())
}

fn sources(hostdevs: &[Hostdev]) -> impl Iterator<Item = Option<PciAddress>> {
    hostdevs.iter().map(|held| held.source)
}

/// The guest's host with nothing on it but the guest, its devices, their PFs, and what migrates on these.
pub(super) fn alone(host: &Snapshot, domain: &Domain) -> Snapshot {
    let own: Vec<PciAddress> = domain.hostdevs.iter().filter_map(|held| held.source).collect();
    let pfs: Vec<PciAddress> =
        own.iter().filter_map(|address| host.device(*address)?.parent_addr).chain(own.iter().copied()).collect();
    let is_kept = |device: &&Device| {
        pfs.contains(&device.address)
            || (pair::is_migrating(device) && device.parent_addr.is_some_and(|pf| pfs.contains(&pf)))
    };
    Snapshot {
        devices: host.devices.iter().filter(is_kept).cloned().collect(),
        domains: vec![domain.clone()],
        ..host.without_devices()
    }
}
