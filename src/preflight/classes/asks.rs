//! What guests name of a host: the rest of what a host has need not be told apart.

use std::collections::{BTreeSet, HashSet};

use crate::domain::guest::{self, Disk, Guest};
use crate::model::snapshot::{Domain, HostdevKind, Snapshot};

/// What the guests of a question name, all together.
#[derive(Debug, Default)]
pub(crate) struct Asks {
    /// Most host devices of one of them.
    pub devices: usize,
    /// Ports that a definition fixes.
    pub ports: BTreeSet<u16>,
    /// Those among them of graphics servers.
    pub graphics: BTreeSet<u16>,
    /// Most graphics servers of one guest for which libvirt chooses ports.
    pub consoles: usize,
    /// Addresses to listen on.
    pub addresses: BTreeSet<String>,
    /// Interfaces, TAP devices and bridges.
    pub interfaces: BTreeSet<String>,
    /// MAC addresses that PFs enforce for devices of theirs.
    pub macs: BTreeSet<String>,
    /// Guests of which each asks for memory in another way.
    pub shapes: Vec<Guest>,
    /// Disks that are on the guest's own host, by path.
    pub disks: HashSet<String>,
    /// Paths and volumes of which some host was asked what is there, and paths at which something is mounted.
    pub paths: HashSet<String>,
}

impl Asks {
    /// What these guests of a host ask for, and what the host knows of paths.
    pub(crate) fn of(host: &Snapshot, guests: &[usize]) -> Self {
        let mut asks = Self::default();
        for domain in guests.iter().map(|guest| &host.domains[*guest]) {
            let read = domain.xml.as_deref().and_then(|xml| guest::read(xml).ok());
            asks.add(host, domain, &read.unwrap_or_default());
        }
        asks.add_paths(host);
        // Consoles may listen where the host says instead of the guest.
        let servers = host.host.servers.iter();
        asks.addresses.extend(servers.flat_map(|servers| [servers.vnc_listen.clone(), servers.spice_listen.clone()]));
        asks
    }

    fn add(&mut self, host: &Snapshot, domain: &Domain, guest: &Guest) {
        self.devices = self.devices.max(domain.hostdevs.len());
        let graphics = &guest.graphics;
        self.graphics.extend(graphics.iter().flat_map(|graphics| &graphics.ports));
        self.ports.extend(graphics.iter().flat_map(|graphics| &graphics.ports));
        self.ports.extend(guest.endpoints.iter().filter_map(|endpoint| endpoint.port));
        self.consoles = self.consoles.max(graphics.iter().filter(|graphics| graphics.autoport).count());
        self.addresses.extend(graphics.iter().flat_map(|graphics| graphics.addresses.iter().cloned()));
        self.addresses.extend(guest.endpoints.iter().filter_map(|endpoint| endpoint.host.clone()));
        for nic in &guest.interfaces {
            self.interfaces.extend([&nic.source, &nic.tap, &nic.unmanaged_tap].into_iter().flatten().cloned());
        }
        self.disks.extend(disks(guest).cloned());
        // libvirt programs the MAC of an interface from the definition.
        let plain = domain.hostdevs.iter().filter(|held| held.kind == HostdevKind::Hostdev);
        let devices = plain.filter_map(|held| host.device(held.source?));
        self.macs.extend(devices.filter_map(|device| device.vf_admin.as_ref()?.mac.clone()));
        self.add_shape(Guest {
            memory: guest.memory,
            memory_parts: guest.memory_parts.clone(),
            hugepages: guest.hugepages.clone(),
            device_pages: guest.device_pages.clone(),
            nodes: guest.nodes.clone(),
            ..Guest::default()
        });
    }

    fn add_shape(&mut self, shape: Guest) {
        if !self.shapes.contains(&shape) {
            self.shapes.push(shape);
        }
    }

    /// Adds what other guests ask for, and what other hosts know.
    pub(crate) fn join(&mut self, other: &Self) {
        let Self { devices, ports, graphics, consoles, addresses, interfaces, macs, shapes, disks, paths } = other;
        self.devices = self.devices.max(*devices);
        self.consoles = self.consoles.max(*consoles);
        self.ports.extend(ports);
        self.graphics.extend(graphics);
        for (all, more) in
            [(&mut self.addresses, addresses), (&mut self.interfaces, interfaces), (&mut self.macs, macs)]
        {
            all.extend(more.iter().cloned());
        }
        self.disks.extend(disks.iter().cloned());
        self.paths.extend(paths.iter().cloned());
        for shape in shapes {
            self.add_shape(shape.clone());
        }
    }

    /// Adds what is known of a host's files.
    fn add_paths(&mut self, host: &Snapshot) {
        let host = &host.host;
        let mounts = host.mounts.iter().flatten().map(|mount| &mount.path);
        let all = host.paths.keys().chain(host.path_details.keys()).chain(host.volumes.keys()).chain(mounts);
        for path in all.filter(|path| !self.paths.contains(*path)).collect::<Vec<_>>() {
            self.paths.insert(path.clone());
        }
    }
}

/// The paths of the disks that a guest has on its host, which another one may have as well.
pub(super) fn disks(guest: &Guest) -> impl Iterator<Item = &String> {
    let local = |disk: &&Disk| matches!(disk.kind.as_str(), "file" | "block");
    guest.disks.iter().filter(local).filter_map(|disk| disk.source.as_ref())
}
