//! Where what is declared, what is bound and what the device says do not fit together: findings with the first broken link
//! and the commands to fix it. pvm itself changes nothing.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::chain;
use super::drivers;
use crate::model::finding::{Finding, rules};
use crate::model::functions;
use crate::model::rebind::{bind, bind_pf, function, give_back, in_use, make_migratable, needed, unbind};
use crate::model::snapshot::Declared;
use crate::model::snapshot::Snapshot;
use crate::model::snapshot::device::{DevType, Device, Supported};

/// Whether a finding says that something does not fit together; the note on stored tags does not.
pub(crate) fn is_mismatch(code: &str) -> bool {
    code != STORED_TAGS.code && RULES.iter().any(|rule| rule.code == code)
}

rules! {
    /// The configuration declares a device live_migratable, and the device cannot migrate.
    ///
    /// # Meaning
    /// Nova believes the tag live_migratable of the device_spec and never asks the device. A live migration of a guest
    /// that owns this device passes all of Nova's checks and then fails in QEMU, at best before anything moved.
    /// # Check by hand
    /// ls -l /sys/bus/pci/devices/ADDRESS/driver and, as root, ls /sys/kernel/debug/vfio/ADDRESS. A folder migration/
    /// there means that the device can.
    /// # Fix
    /// The message names the first link that does not hold: the kernel's module, the PF and its driver, the driver
    /// bound to the device, the device's own answer, or QEMU. Fix that one first and run pvm inventory again.
    DECLARED_CANNOT = "declared-cannot", Warning;

    /// A device can migrate, and the configuration does not say so.
    ///
    /// # Meaning
    /// The device answers that it can migrate, but the device_spec that matches it has no live_migratable, or says no.
    /// Nova then refuses to live-migrate guests that own it.
    /// # Check by hand
    /// As root, ls /sys/kernel/debug/vfio/ADDRESS: a folder migration/ there means that the device can.
    /// # Fix
    /// Add "live_migratable": "yes" to its device_spec. Nova keeps for devices in use the tags they had when they were
    /// allocated: a changed tag counts for those only after the device was given back.
    CAN_UNDECLARED = "can-undeclared", Info;

    /// A variant driver exists for a device, and plain vfio-pci is bound.
    ///
    /// # Meaning
    /// The kernel has a VFIO variant driver for this device, which could migrate it, but plain vfio-pci is bound to it.
    /// Somebody bound it by hand or with driverctl, or a libvirt before 10.0.0 did, which does not know variant
    /// drivers. A guest that owns the device cannot be migrated.
    /// # Check by hand
    /// ls -l /sys/bus/pci/devices/ADDRESS/driver and modinfo -F alias MODULE.
    /// # Fix
    /// The finding names the commands. The driver can be changed only while no guest uses the device.
    PLAIN_BOUND = "plain-vfio-bound", Warning;

    /// A device is declared managed: no and is not bound to a VFIO driver.
    ///
    /// # Meaning
    /// With managed: no in the device_spec, libvirt binds no driver: the operator has to do it before a guest starts,
    /// and a guest that gets this device does not start ("Unmanaged PCI device must be manually detached from the
    /// host").
    /// # Check by hand
    /// ls -l /sys/bus/pci/devices/ADDRESS/driver
    /// # Fix
    /// Bind the device with the commands of the finding. When VFs are created while sriov_drivers_autoprobe of their PF
    /// is 1, the kernel binds its network driver to them first: set it to 0 before.
    NOT_BOUND = "unmanaged-not-bound", Warning;

    /// Devices of one IOMMU group are partly bound to VFIO and partly to other drivers.
    ///
    /// # Meaning
    /// An IOMMU group can be given to a guest only as a whole: if one of its devices is bound to a driver that is not
    /// VFIO's, opening the group fails ("group is not viable"). Bridges and devices without a driver do not count.
    /// # Check by hand
    /// ls /sys/bus/pci/devices/ADDRESS/iommu_group/devices
    /// # Fix
    /// Usually ACS is missing on a PCIe switch or root port between them: enable it in the settings of the firmware, or
    /// put the card into another slot. Other VFs and idle functions of the group may be unbound from their drivers; a
    /// PF, a disk controller, a display or an interface in use may not: the host needs it.
    GROUP_SPLIT = "iommu-group-split", Warning;

    /// A guest uses a device that no device_spec covers.
    ///
    /// # Meaning
    /// The configuration has device_specs, and none of them matches a device that a guest uses. For a guest of Nova
    /// this means that a spec was removed or changed while the guest was running: Nova warns at every refresh and drops
    /// the device when the guest is deleted. A guest outside of Nova may use the device if nobody else expects it.
    /// # Check by hand
    /// pvm check-config --host HOST --trace ADDRESS
    /// # Fix
    /// Add the device_spec again, or exclude the device from those that Nova manages.
    USED_WITHOUT_SPEC = "used-without-spec", Warning;

    /// For devices in use Nova keeps the tags they had when they were allocated.
    ///
    /// # Meaning
    /// What the inventory shows as declared is what Nova stores for a free device by the configuration as it is now. A
    /// device that belongs to an instance keeps the tags of the moment of its allocation in Nova's database until it is
    /// given back, which pvm cannot see.
    /// # Check by hand
    /// select extra_info from pci_devices where address = 'ADDRESS', on the database of the cell.
    /// # Fix
    /// Resize the instance, or for ports detach and attach them, to get new ones.
    STORED_TAGS = "stored-tags", Info;
}

/// Everything that does not fit together, by device.
pub(crate) fn find(snapshot: &Snapshot) -> Vec<Finding> {
    let mut found = Vec::new();
    for device in &snapshot.devices {
        found.extend(one(snapshot, device).map(|finding| finding.device(&device.address)));
    }
    found.extend(split_groups(snapshot));
    found.extend(stored(snapshot));
    found
}

fn one(snapshot: &Snapshot, device: &Device) -> Option<Finding> {
    let at = device.address;
    if device.dev_type == DevType::Pf && device.declared == Declared::Yes {
        return Some(declared_pf(snapshot, device));
    }
    let has_specs = !snapshot.config.device_specs.is_empty();
    let broken = chain::broken(device);
    let plain = device.driver.as_deref().is_some_and(drivers::is_plain);
    let variant = device.candidate_driver.as_deref().filter(|m| !drivers::is_plain(m));
    let unmanaged = device.tags.managed == Some(Declared::No);
    if device.declared == Declared::Yes
        && let Some(link) = broken
        // A device that is merely not bound yet has not said no.
        && (device.migration.supported == Some(Supported::No) || link.link != "driver" || !unmanaged)
    {
        let text = format!("{at} is declared live_migratable and cannot migrate: {}", link.found);
        return Some(Finding::new(&DECLARED_CANNOT, text).remedy(remedy(snapshot, device, &link.link)));
    }
    // A PF that a pattern of its VFs takes along stays with the host.
    let pf_with_vfs = device.dev_type == DevType::Pf && device.sriov.as_ref().is_some_and(|s| s.num > 0);
    if unmanaged && !pf_with_vfs && device.vfio_dev.is_none() && !device.driver.as_deref().is_some_and(drivers::is_vfio)
    {
        if chain::is_vgpu(device, device.parent_addr.and_then(|pf| snapshot.device(pf))) {
            let link = device.migration.chain.iter().find(|link| link.link == "driver");
            let found = link.map_or("not given to VFIO", |link| link.found.as_str());
            let text = format!("{at} is declared managed: no, and no guest can get it: {found}");
            return Some(Finding::new(&NOT_BOUND, text).remedy(remedy(snapshot, device, "driver")));
        }
        let bound =
            device.driver.as_deref().map_or("no driver is bound to it".to_owned(), |d| format!("{d} is bound to it"));
        let mut text = format!("{at} is declared managed: no, and {bound}");
        let pf = device.parent_addr.and_then(|pf| snapshot.device(pf));
        let probes = pf.and_then(|pf| pf.sriov.as_ref()).and_then(|s| s.drivers_autoprobe) == Some(true);
        let mut commands = String::new();
        if let Some(pf) = pf.filter(|_| probes && device.driver.is_some()) {
            let _ = write!(text, " (sriov_drivers_autoprobe of {} is 1)", pf.address);
            let _ = writeln!(commands, "echo 0 > /sys/bus/pci/devices/{}/sriov_drivers_autoprobe", pf.address);
        }
        commands.push_str(&bind(device, variant.unwrap_or("vfio-pci")));
        return Some(Finding::new(&NOT_BOUND, text).remedy(commands));
    }
    if plain
        && device.dev_type != DevType::Pf
        && let Some(module) = variant
    {
        let text = format!("{at} is bound to plain vfio-pci although the kernel has {module} for it");
        return Some(Finding::new(&PLAIN_BOUND, text).remedy(remedy(snapshot, device, "driver")));
    }
    let used: Vec<&str> = device.used_by.iter().flatten().map(|user| user.name.as_str()).collect();
    if has_specs && device.spec_index.is_none() && !used.is_empty() {
        let text = format!("{at} is used by {} and no device_spec covers it", used.join(", "));
        return Some(Finding::new(&USED_WITHOUT_SPEC, text).remedy(stanza(device)));
    }
    if has_specs && device.migration.supported == Some(Supported::Yes) && device.declared != Declared::Yes {
        let says = match (device.spec_index, device.declared) {
            (None, _) => "no device_spec covers it",
            (Some(_), Declared::No) => "its device_spec says live_migratable: no",
            (Some(_), _) => "its device_spec does not say live_migratable",
        };
        return Some(Finding::new(&CAN_UNDECLARED, format!("{at} can migrate, and {says}")).remedy(stanza(device)));
    }
    None
}

/// What to do about the broken link, in order.
fn remedy(snapshot: &Snapshot, device: &Device, link: &str) -> String {
    let variant = device.migration.variant_driver.as_deref().or(device.candidate_driver.as_deref());
    let variant = variant.filter(|m| !drivers::is_plain(m));
    let known = device.vendor_id.zip(device.product_id).and_then(|(v, d)| drivers::for_ids(v.0, d.0));
    let pf = device.parent_addr.and_then(|pf| snapshot.device(pf));
    let mut text = String::new();
    match link {
        "module" => match known {
            Some(known) => {
                let _ = write!(text, "use a kernel built with {}, then: modprobe {}", known.option, known.name);
            }
            None => {
                text.push_str(
                    "remove live_migratable from its device_spec: unplug the device before a migration, and plug another \
                     one on the destination",
                );
            }
        },
        "firmware" => {
            text.push_str("update the card's firmware (mlxfwmanager, fwupd or the vendor's tool) and restart it");
        }
        "driver" if device.driver.as_deref() == Some(chain::VGPU) => {
            let at = device.address;
            if let Some(first) = in_use(&[device]) {
                return first;
            }
            let _ = write!(
                text,
                "cat /sys/bus/pci/devices/{at}/nvidia/creatable_vgpu_types\n\
                 echo TYPE > /sys/bus/pci/devices/{at}/nvidia/current_vgpu_type"
            );
        }
        "driver" if chain::is_vgpu(device, pf) => text.push_str(&give_back(device)),
        "pf" if device.dev_type != DevType::Vf => {
            text.push_str("remove live_migratable from its device_spec: the machine that has the PF can migrate it");
        }
        "pf" if pf.is_some_and(|pf| pf.vendor.get("qat_state").is_some_and(|state| state == "down")) => {
            let _ = write!(
                text,
                "echo up > /sys/bus/pci/devices/{}/qat/state",
                device.parent_addr.map(|pf| pf.to_string()).unwrap_or_default()
            );
        }
        "pf" if function(device) == Some(false) => text.push_str(&make_migratable(device)),
        "pf" if pf.and_then(|pf| pf.devlink.as_ref()).is_some_and(|d| d.port_type.as_deref() == Some("ib")) => {
            text.push_str(
                "set the port's type to Ethernet in the card's settings (mlxconfig LINK_TYPE_P1=2) and restart it",
            );
        }
        "pf" => {
            let product = device.product_id.map(|id| id.0);
            let wanted = variant.and_then(drivers::known).map_or_else(Vec::new, |known| known.pf_drivers(product));
            match (pf, wanted.as_slice()) {
                (Some(pf), [_, ..]) => {
                    let vfs: Vec<&Device> =
                        snapshot.devices.iter().filter(|vf| vf.parent_addr == Some(pf.address)).collect();
                    text.push_str(&bind_pf(pf, &vfs, &wanted));
                }
                _ => text.push_str("bind the PF to its own driver"),
            }
        }
        "probe" if variant == Some("mlx5_vfio_pci") => text.push_str(&make_migratable(device)),
        "probe" | "qemu" => text.push_str("look for the driver's reason: dmesg, and the firmware's settings of the PF"),
        _ => match variant.filter(|m| drivers::known(m).is_none_or(|known| known.migrates)) {
            Some(module) => {
                text.push_str(&bind(device, module));
                if snapshot.host.kernel.as_deref().is_some_and(|kernel| kernel.ends_with("-pve")) {
                    // pve-qemu-server, src/PVE/QemuServer/PCI.pm, since 2025-10-23; read 2026-11-28.
                    let at = device.address;
                    let _ = write!(
                        text,
                        "\n# a guest of Proxmox keeps it with hostpciN: {at},driver=keep, else vfio-pci is bound again"
                    );
                }
            }
            None => text.push_str("remove live_migratable from its device_spec: no driver on this host can migrate it"),
        },
    }
    text
}

/// A PF under a device_spec that declares it: either its id was written for that of its VFs, or a pattern takes it along.
fn declared_pf(snapshot: &Snapshot, pf: &Device) -> Finding {
    let at = pf.address;
    if let (Some(vfs), Some(own)) = (functions::other_id_of_vfs(snapshot, pf), pf.product_id) {
        let text = format!("{at} is declared live_migratable: {}", functions::told(own, vfs));
        return Finding::new(&DECLARED_CANNOT, text)
            .remedy(format!("\"product_id\": \"{vfs}\" in its device_spec, the other keys as they are"));
    }
    let text = format!("{at} is declared live_migratable and is a PF, and a PF has no migration state");
    Finding::new(&DECLARED_CANNOT, text).remedy(
        "write the address of its device_spec so that it matches the VFs only; a guest that has the PF moves cold",
    )
}

/// The entry to paste.
fn stanza(device: &Device) -> String {
    let (Some(vendor), Some(product)) = (device.vendor_id, device.product_id) else {
        return "add a device_spec for it with \"live_migratable\": \"yes\"".to_owned();
    };
    format!(
        "device_spec = {{\"vendor_id\": \"{vendor}\", \"product_id\": \"{product}\", \"live_migratable\": \"yes\"}}"
    )
}

fn split_groups(snapshot: &Snapshot) -> Vec<Finding> {
    let mut groups: BTreeMap<u32, Vec<&Device>> = BTreeMap::new();
    for device in &snapshot.devices {
        if let Some(group) = device.iommu_group.filter(|_| !device.iommu_group_members.is_empty()) {
            groups.entry(group).or_default().push(device);
        }
    }
    let mut found = Vec::new();
    for (group, members) in groups {
        let vfio = members.iter().find(|d| d.vfio_dev.is_some() || d.driver.as_deref().is_some_and(drivers::is_vfio));
        let others: Vec<&Device> = members
            .iter()
            .copied()
            .filter(|d| {
                let bridge = d.class.as_deref().is_some_and(|class| class.starts_with("06"));
                d.vfio_dev.is_none() && !bridge && d.driver.as_deref().is_some_and(|name| !drivers::is_vfio(name))
            })
            .collect();
        if let (Some(vfio), Some(other)) = (vfio, others.first()) {
            let bound = other.driver.as_deref().unwrap_or_default();
            let more = if others.len() > 1 {
                format!(" ({} more not bound to VFIO)", others.len() - 1)
            } else {
                String::new()
            };
            let text = format!(
                "IOMMU group {group} is split: {} is bound to VFIO and {} to {bound}{more}; no guest can get it",
                vfio.address, other.address
            );
            found.push(Finding::new(&GROUP_SPLIT, text).device(&vfio.address).remedy(unite(&members, &others)));
        }
    }
    found
}

/// What makes a group whole: unbinding where the host loses nothing by it, else isolation by the hardware.
fn unite(members: &[&Device], others: &[&Device]) -> String {
    let mut text = String::new();
    for (device, why) in others.iter().filter_map(|device| Some((device, needed(device)?))) {
        let _ = writeln!(text, "{} must stay with the host: {why}", device.address);
    }
    if text.is_empty() {
        let commands: Vec<String> = others.iter().map(|device| unbind(device)).collect();
        return commands.join("\n");
    }
    if members.iter().any(|d| others.iter().any(|pf| d.parent_addr == Some(pf.address))) {
        text.push_str("VFs that share a group with their own PF cannot be given to guests in this slot\n");
    }
    text.push_str(
        "enable ACS in the firmware's settings or on the PCIe switch, or put the card into another slot: its functions then \
         have groups of their own",
    );
    text
}

/// One note for all devices of Nova's guests.
fn stored(snapshot: &Snapshot) -> Option<Finding> {
    let nova = |uuid: &str| snapshot.domains.iter().any(|d| d.uuid == uuid && d.owner.as_deref() == Some("nova"));
    let in_use = snapshot.devices.iter().filter(|device| {
        device.dev_type != DevType::Pci && device.used_by.iter().flatten().any(|user| nova(&user.uuid))
    });
    let count = in_use.count();
    (count > 0).then(|| {
        let text =
            format!("{count} devices belong to guests of Nova, which keeps for them the tags of their allocation");
        Finding::new(&STORED_TAGS, text)
    })
}
