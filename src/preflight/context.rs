//! What checks see: two snapshots, a guest of the first, one of its devices with the one that would take its place.

use std::borrow::Cow;
use std::collections::HashMap;

use crate::domain::guest::Guest;
use crate::model::paste::quoted;
use crate::model::snapshot::host::Host;
use crate::model::snapshot::{DevType, Domain, Snapshot};
use crate::plan::instance::Held;
use crate::plan::pair::Pair;
use crate::plan::{InstancePlan, Role};

use super::terms::Terms;
use super::verdict::Verdict;

/// Who tracks the pages of a guest's memory that a device writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tracking {
    /// The device itself.
    Device,
    /// The IOMMU, through iommufd.
    Iommu,
    /// Neither of them.
    Nobody,
}

impl Tracking {
    /// Who tracks the pages that a device of a guest writes; `None` when nobody could say.
    pub(crate) fn of(held: &Held<'_>) -> Option<Self> {
        match held.device?.migration.dirty_tracking.as_deref()? {
            "device" => Some(Self::Device),
            // The IOMMU's tracking is within reach of a guest that opens its devices by iommufd only.
            "iommu" if held.hostdev.iommufd => Some(Self::Iommu),
            _ => Some(Self::Nobody),
        }
    }
}

/// Two hosts.
#[derive(Debug, Clone, Copy)]
pub struct Hosts<'a> {
    /// Where the guests run.
    pub source: &'a Snapshot,
    /// Where they would go.
    pub destination: &'a Snapshot,
}

/// The guests of the destination, to be looked up by those of the source.
#[derive(Debug)]
pub struct Namesakes<'a> {
    by_name: HashMap<&'a str, Vec<&'a Domain>>,
    by_uuid: HashMap<String, Vec<&'a Domain>>,
}

impl<'a> Namesakes<'a> {
    /// Of this host.
    pub fn new(host: &'a Snapshot) -> Self {
        let (mut by_name, mut by_uuid): (HashMap<_, Vec<_>>, HashMap<_, Vec<_>>) = Default::default();
        for domain in &host.domains {
            by_name.entry(domain.name.as_str()).or_default().push(domain);
            if !domain.uuid.is_empty() {
                by_uuid.entry(domain.uuid.to_ascii_lowercase()).or_default().push(domain);
            }
        }
        Self { by_name, by_uuid }
    }

    /// Guests of this one's UUID.
    pub fn same(&self, domain: &Domain) -> &[&'a Domain] {
        self.by_uuid.get(&domain.uuid.to_ascii_lowercase()).map_or(&[], Vec::as_slice)
    }

    /// Other guests of this one's name.
    pub fn others(&self, domain: &Domain) -> impl Iterator<Item = &'a Domain> {
        let named = self.by_name.get(domain.name.as_str()).map_or(&[][..], Vec::as_slice);
        let same = self.same(domain).to_vec();
        named.iter().copied().filter(move |other| !same.iter().any(|same| std::ptr::eq(*same, *other)))
    }
}

/// One guest between them.
#[derive(Debug, Clone, Copy)]
pub struct Instance<'a> {
    /// The hosts.
    pub hosts: Hosts<'a>,
    /// The guest.
    pub domain: &'a Domain,
    /// Its definition, when it can be read.
    pub guest: &'a Guest,
    /// Its plan.
    pub plan: &'a InstancePlan<'a>,
    /// The guests of the destination.
    pub there: &'a Namesakes<'a>,
    /// What the operator asks of the migration itself.
    pub terms: &'a Terms,
}

/// One device of a guest and the one that would take its place.
#[derive(Debug, Clone, Copy)]
pub struct DevicePair<'a> {
    /// The guest.
    pub instance: &'a Instance<'a>,
    /// What it holds.
    pub held: &'a Held<'a>,
    /// Both devices.
    pub pair: Pair<'a>,
}

impl DevicePair<'_> {
    /// Whether the device's state moves: a port without it is detached and attached.
    pub fn migrates(&self) -> bool {
        self.held.role != Role::Port || self.held.port_migrates
    }

    /// Whether it is a PF that would have to move with its state.
    pub fn is_whole(&self) -> bool {
        self.migrates() && self.pair.source.dev_type == DevType::Pf
    }

    /// Whether the guest's XML makes libvirt program MAC and VLAN of the VF.
    pub fn is_interface(&self) -> bool {
        self.held.hostdev.kind != crate::model::snapshot::HostdevKind::Hostdev
    }
}

impl<'a> Instance<'a> {
    /// Host of the guest.
    pub fn source(&self) -> &'a Host {
        &self.hosts.source.host
    }

    /// Where it would go.
    pub fn destination(&self) -> &'a Host {
        &self.hosts.destination.host
    }

    /// The folder of Nova's instances, when Nova moves this guest: it copies local disks below it, and fetches base images
    /// and kernels (`is_shared_block_storage` and `pre_live_migration` of nova/virt/libvirt/driver.py).
    pub fn brought_by_nova(&self) -> Option<&'a str> {
        let uuid = &self.domain.uuid;
        if self.terms.bypass_owner || uuid.is_empty() || self.domain.owner.as_deref() != Some("nova") {
            return None;
        }
        let own = format!("/{uuid}/");
        let disks = self.guest.disks.iter().filter_map(|disk| disk.source.as_deref());
        let mut paths = disks.chain(self.guest.paths.iter().map(|path| path.path.as_str()));
        paths.find_map(|path| path.split_once(&own)).map(|(folder, _)| folder).filter(|folder| folder.starts_with('/'))
    }

    /// The domain capabilities that the destination's libvirt tells of the guest's emulator and machine. Failing these, those
    /// of the same kind of virtualisation: what can run differs between KVM and emulation, hardly between machine types.
    pub fn capabilities(&self) -> Option<&'a str> {
        let capabilities = &self.destination().domain_capabilities;
        let text = |name: &Option<String>| name.clone().unwrap_or_default();
        let virt = format!(" {}", self.guest.virt_type);
        let own = format!("{} {}{virt}", text(&self.guest.emulator), text(&self.guest.machine));
        let same_kind = || capabilities.iter().find(|(name, _)| name.ends_with(&virt)).map(|(_, xml)| xml);
        capabilities.get(&own).or_else(same_kind).map(String::as_str)
    }

    /// Whether the running guest's QEMU was asked, and names no reason against a migration.
    pub fn qemu_blocks_nothing(&self) -> bool {
        self.domain.is_active() && self.domain.blocked_reasons.as_ref().is_some_and(Vec::is_empty)
    }

    /// Whether the guest's definition forces QEMU to migrate this device (`enable-migration=on`).
    pub fn forces_migration(&self, held: &Held<'_>) -> bool {
        let alias = held.hostdev.alias.as_deref().unwrap_or_default();
        self.guest.arguments.overrides.iter().any(|(of, name, value)| {
            of == alias && name == "enable-migration" && matches!(value.as_str(), "on" | "true" | "yes")
        })
    }

    /// Whether it holds a PCI function of the host.
    pub fn has_vfio(&self) -> bool {
        !self.plan.held.is_empty()
    }

    /// Whether the state of a device moves with it.
    pub fn moves_state(&self) -> bool {
        self.plan.held.iter().any(|held| held.role != Role::Port || held.port_migrates)
    }
}

/// A version `x.y.z`; missing numbers are 0, words behind it are left out (`6.7.0-arch1`).
pub(crate) fn version(text: &str) -> Option<(u64, u64, u64)> {
    let mut parts = text.split(['.', '-', '+', '~', ' ', ':', '_']);
    let first = parts.next()?.parse().ok()?;
    let mut next = || parts.next().and_then(|part| part.parse().ok());
    let (second, third) = (next(), next());
    Some((first, second.unwrap_or(0), third.unwrap_or(0)))
}

/// A fact of a host that nobody could read. The command reads it as root, whether or not the host has a pvm.
pub(crate) fn missing(host: &Host, fact: &str, what: &str) -> Verdict {
    let why = host.why_unknown(fact).map_or(String::new(), |why| format!(": {why}"));
    let verdict = Verdict::unknown(format!("{} does not report {what}{why}", name(host)));
    if host.name.is_empty() {
        return verdict.remedy("pvm inventory -o json >host.json, on that host as root; then name host.json instead");
    }
    let (root, file) = (format!("root@{}", host.name), format!("{}.json", host.name));
    let (root, file) = (quoted(&root), quoted(&file));
    verdict.remedy(format!("pvm inventory {root} --bootstrap -o json >{file}   # then name {file} as the host"))
}

/// Commands for a host, each on a line of its own.
pub(crate) fn commands_on(host: &Host, commands: &str) -> String {
    format!("on {}, as root:\n{commands}", name(host))
}

/// The command that tries a server, `HOST:PORT`, from a host.
pub(crate) fn try_from(host: &Host, server: &str) -> String {
    let (address, port) = server.rsplit_once(':').unwrap_or((server, ""));
    format!("on {}: nc -vz {} {}", name(host), quoted(address), quoted(port))
}

/// Whether an address means each host itself.
pub(crate) fn is_loopback(address: &str) -> bool {
    let address = address.trim_start_matches('[').trim_end_matches(']');
    address == "localhost" || address.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// A host's name for sentences.
pub(crate) fn name(host: &Host) -> Cow<'_, str> {
    if host.name.is_empty() { Cow::Borrowed("a host without a name") } else { quoted(&host.name) }
}

/// Whether a path lies in a folder, not beside it.
pub(crate) fn is_below(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/')) && !path.split('/').any(|part| part == "..")
}

/// Both hosts' values of a fact, or what is missing.
pub(crate) fn both<'a, T>(
    hosts: Hosts<'a>,
    fact: &str,
    what: &str,
    get: impl Fn(&'a Host) -> Option<T>,
) -> Result<(T, T), Vec<Verdict>> {
    let (source, destination) = (&hosts.source.host, &hosts.destination.host);
    match (get(source), get(destination)) {
        (Some(s), Some(d)) => Ok((s, d)),
        (None, _) => Err(vec![missing(source, fact, what)]),
        (_, None) => Err(vec![missing(destination, fact, what)]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_versions() {
        assert_eq!(version("10.0.2"), Some((10, 0, 2)));
        assert_eq!(version("6.12.57+deb13-amd64"), Some((6, 12, 57)));
        assert_eq!(version("6.7-rc1"), Some((6, 7, 0)));
        assert_eq!(version("x"), None);
    }
}
