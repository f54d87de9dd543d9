//! Fleets: hosts of few kinds and guests of few flavors, made of the pair of snapshots on which everything fits. What differs from
//! host to host in life differs here: names, addresses, free memory, which VFs are in use.

use pvm::internals::model::pci::PciAddress;
use pvm::internals::model::snapshot::{Device, Domain, Snapshot};

const PAIR: &str = include_str!("../fixtures/pair/src.json");

/// Numbers that follow from a seed alone.
#[derive(Debug, Clone)]
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    /// A number below `below`.
    pub(crate) fn below(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % below
    }
}

/// Memory in GiB, and VFs.
const FLAVORS: [(u64, usize); 5] = [(2, 1), (4, 2), (8, 2), (16, 4), (4, 0)];

/// What a fleet is like.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fleet {
    /// Where its numbers come from.
    pub(crate) seed: u64,
    /// VFs of each of the two PFs of a host.
    pub(crate) vfs: usize,
    /// Guests of a host, at most.
    pub(crate) guests: usize,
}

/// Kinds of host.
pub(crate) const KINDS: usize = 3;

impl Fleet {
    /// The host with this number; its kind is its number's.
    pub(crate) fn host(&self, number: usize) -> Snapshot {
        let mut dice = Dice(self.seed.wrapping_add(u64::try_from(number).unwrap()));
        dice.below(2);
        let mut snapshot: Snapshot = serde_json::from_str(PAIR).unwrap();
        let (pf, vf) = (snapshot.devices[0].clone(), snapshot.devices[1].clone());
        let (host, kind) = (&mut snapshot.host, number % KINDS);
        host.name = format!("cmp-{number:04}");
        host.uuid = Some(format!("0d6c1f0e-52a5-4c9b-8f0a-{number:012x}"));
        host.migration.hostname = Some(format!("cmp-{number:04}.example.net"));
        host.migration.address = Some(format!("10.20.{}.{}", number / 250, 1 + number % 250));
        host.memory_free = Some((8 + u64::try_from(dice.below(100)).unwrap()) << 30);
        for cell in host.numa_cells.iter_mut().flatten() {
            cell.memory_free = host.memory_free.map(|free| free / 2);
        }
        if kind == 1 {
            host.kernel = Some("6.12.57+deb13-amd64".to_owned());
            host.qemu = Some("10.1.0".to_owned());
        }
        snapshot.devices = (0..2).flat_map(|at| self.card(at, kind, [&pf, &vf])).collect();
        let model = snapshot.domains.remove(0);
        let mut next = 0;
        for at in 0..self.guests {
            if dice.below(8) == 0 {
                continue;
            }
            let (memory, vfs) = FLAVORS[dice.below(FLAVORS.len())];
            // Every second VF, so that there are free ones between.
            let free: Vec<usize> = (0..snapshot.devices.len())
                .filter(|at| snapshot.devices[*at].vf_index.is_some_and(|index| index % 2 == 0))
                .skip(next)
                .take(vfs)
                .collect();
            if free.len() < vfs {
                break;
            }
            next += vfs;
            let held: Vec<PciAddress> = free.iter().map(|at| snapshot.devices[*at].address).collect();
            let guest = guest(&model, number * 1000 + at, memory, &held);
            for device in free {
                let used = &mut snapshot.devices[device].used_by;
                used.clone_from(&vf.used_by);
                for user in used.iter_mut().flatten() {
                    user.name.clone_from(&guest.name);
                    user.uuid.clone_from(&guest.uuid);
                }
            }
            snapshot.domains.push(guest);
        }
        snapshot.normalise();
        snapshot
    }

    /// A PF with its VFs.
    fn card(&self, at: usize, kind: usize, [pf, vf]: [&Device; 2]) -> Vec<Device> {
        let bus = [0x3b, 0x86][at];
        let place = |function: usize| -> PciAddress {
            format!("0000:{bus:02x}:{:02x}.{}", function / 8, function % 8).parse().unwrap()
        };
        let node = u32::try_from(at).unwrap();
        let mut pf = Device { address: place(0), numa_node: Some(node), socket: Some(node), ..pf.clone() };
        if kind == 2
            && let Some(firmware) = &mut pf.firmware
        {
            firmware.psid = Some("MT_0000000999".to_owned());
        }
        let vfs = (0..self.vfs).map(|index| {
            let number = at * self.vfs + index;
            let mut vf = Device {
                address: place(index + 1),
                parent_addr: Some(pf.address),
                vf_index: Some(u32::try_from(index).unwrap()),
                numa_node: Some(node),
                socket: Some(node),
                iommu_group: Some(u32::try_from(200 + number).unwrap()),
                vfio_dev: Some(format!("vfio{number}")),
                cdev: Some(format!("/dev/vfio/devices/vfio{number}")),
                used_by: Some(Vec::new()),
                ..vf.clone()
            };
            vf.migration.state = None;
            vf
        });
        std::iter::once(pf.clone()).chain(vfs).collect()
    }
}

/// A guest like `model` with this memory and these devices.
fn guest(model: &Domain, number: usize, memory: u64, held: &[PciAddress]) -> Domain {
    let mut guest = model.clone();
    let (name, uuid) = (format!("vm-{number:07}"), format!("8a7b1c52-4c3e-4f0a-9d6b-{number:012x}"));
    let rename = |text: &str| text.replace("db-1", &name).replace(&model.uuid, &uuid);
    let write = |xml: &str| {
        let (start, devices_on) = xml.split_once("    <hostdev").unwrap();
        let (_, end) = devices_on.rsplit_once("</hostdev>\n").unwrap();
        let devices: String = held.iter().enumerate().map(|(at, address)| hostdev(at, *address)).collect();
        let kib = format!(">{}<", memory << 20);
        rename(&format!("{start}{devices}{end}")).replace(">4194304<", &kib)
    };
    guest.xml = model.xml.as_deref().map(write);
    guest.inactive_xml = model.inactive_xml.as_deref().map(write);
    let first = &model.hostdevs[0];
    guest.hostdevs = held
        .iter()
        .enumerate()
        .map(|(at, address)| {
            let mut hostdev = first.clone();
            hostdev.source = Some(*address);
            hostdev.guest_address = format!("0000:{:02x}:00.0", 6 + at).parse().ok();
            hostdev.alias = Some(format!("hostdev{at}"));
            hostdev
        })
        .collect();
    (guest.name, guest.uuid) = (name, uuid);
    guest
}

fn hostdev(at: usize, address: PciAddress) -> String {
    let text = address.to_string();
    let (bus, slot, function) = (&text[5..7], &text[8..10], &text[11..]);
    format!(
        "    <hostdev mode='subsystem' type='pci' managed='yes'>\n      <driver name='vfio'/>\n      <source>\n        \
         <address domain='0x0000' bus='0x{bus}' slot='0x{slot}' function='0x{function}'/>\n      </source>\n      \
         <alias name='hostdev{at}'/>\n      <address type='pci' domain='0x0000' bus='0x{:02x}' slot='0x00' \
         function='0x0'/>\n    </hostdev>\n",
        6 + at
    )
}
