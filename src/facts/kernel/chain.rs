//! What a device's migration rests on, link by link: the firmware, the kernel's module, the PF, the bound driver, the device's
//! own answer, QEMU. The first link that does not hold is where to begin.

use serde_json::Value;

use super::drivers;
use crate::model::snapshot::Declared;
use crate::model::snapshot::device::{DevType, Device, Firmware, Link, Supported};
use crate::model::snapshot::{Domain, Host, Snapshot};
use crate::model::vfio_drivers;

/// VFs of NVIDIA GPUs stay on the vendor's driver, which brings its own VFIO part.
pub(super) const VGPU: &str = "nvidia";

const MLX5: &str = "mlx5_vfio_pci";

/// Writes the chain of every device that is declared, bound to VFIO or has a variant driver.
pub(crate) fn forge(snapshot: &mut Snapshot) {
    let chains: Vec<(usize, Vec<Link>)> = snapshot
        .devices
        .iter()
        .enumerate()
        .filter(|(_, device)| concerns(device))
        .map(|(index, device)| {
            let pf = device.parent_addr.and_then(|address| snapshot.device(address));
            (index, links(device, pf, &snapshot.host, &snapshot.domains))
        })
        .collect();
    for (index, chain) in chains {
        snapshot.devices[index].migration.chain = chain;
    }
}

/// The first link that does not hold.
pub(crate) fn broken(device: &Device) -> Option<&Link> {
    device.migration.chain.iter().find(|link| link.holds == Some(false))
}

fn concerns(device: &Device) -> bool {
    device.declared == Declared::Yes
        || device.vfio_dev.is_some()
        || (device.dev_type == DevType::Vf && device.candidate_driver.as_deref().is_some_and(|d| !drivers::is_plain(d)))
}

fn links(device: &Device, pf: Option<&Device>, host: &Host, domains: &[Domain]) -> Vec<Link> {
    let mut links = Vec::from_iter(orphan(device));
    links.extend(firmware(device, pf));
    links.push(module(device, pf, host));
    if device.dev_type == DevType::Vf {
        links.push(parent(device, pf));
    }
    links.push(driver(device, pf));
    links.push(answer(device));
    links.extend(monitor(device, domains));
    if device.migration.supported == Some(Supported::Yes) {
        // The device said yes, so what lies below it holds, whatever could be read of it.
        for link in links.iter_mut().take_while(|link| link.link != "qemu") {
            link.holds = Some(true);
        }
    }
    links
}

fn link(name: &str, holds: Option<bool>, found: impl Into<String>) -> Link {
    Link { link: name.to_owned(), holds, found: found.into() }
}

/// A device with the ids of a VF that migrates, and without a PF: in a virtual machine it is a VF of the machine outside.
fn orphan(device: &Device) -> Option<Link> {
    let known = device.vendor_id.zip(device.product_id).and_then(|(v, d)| drivers::for_ids(v.0, d.0));
    let is_one = device.dev_type == DevType::Pci && known.is_some_and(|known| known.migrates);
    is_one.then(|| link("pf", Some(false), "it has no PF on this machine, and only a VF migrates, by its PF"))
}

/// Whether the card's firmware is one that its vendor wants for migration; only NVIDIA names one.
fn firmware(device: &Device, pf: Option<&Device>) -> Option<Link> {
    let of = device.firmware.as_ref().or_else(|| pf?.firmware.as_ref());
    let version = of.and_then(|firmware| firmware.version.as_deref());
    if effective(device).and_then(drivers::known).is_none_or(|known| known.name != MLX5) {
        return version.map(|version| link("firmware", None, format!("firmware {version}; its vendor names no floor")));
    }
    let Some(version) = version else {
        let why = pf.and_then(|pf| pf.why_unknown("firmware")).unwrap_or("nobody told its version");
        return Some(link("firmware", None, why));
    };
    Some(match Firmware::mlx5_floor(version) {
        None => link("firmware", None, format!("firmware {version}; NVIDIA names no floor for this card")),
        Some((true, _)) => link("firmware", Some(true), format!("firmware {version}")),
        Some((false, floor)) => {
            // Older firmware may migrate in part, so only the device's own "no" makes it the reason.
            let no = device.migration.supported == Some(Supported::No);
            link(
                "firmware",
                no.then_some(false),
                format!("firmware {version} is older than {floor}, which migration needs"),
            )
        }
    })
}

/// The variant driver that is bound, or that libvirt would bind.
fn effective(device: &Device) -> Option<&str> {
    device.migration.variant_driver.as_deref().or(device.candidate_driver.as_deref())
}

/// Whether the kernel has a variant driver for the device.
fn module(device: &Device, pf: Option<&Device>, host: &Host) -> Link {
    if let Some(variant) = &device.migration.variant_driver {
        return link("module", Some(true), format!("{variant} is loaded"));
    }
    if let Some(module) = device.candidate_driver.as_deref().filter(|m| !drivers::is_plain(m)) {
        return link("module", Some(true), format!("the kernel has {module} for it"));
    }
    if is_vgpu(device, pf) {
        let release = device.vendor.get("vgpu_manager").and_then(|v| v.as_str()).unwrap_or("of unknown release");
        return link(
            "module",
            None,
            format!("vGPU manager {release} gives the device to VFIO once a vGPU type is set"),
        );
    }
    let wanted = device.vendor_id.zip(device.product_id).and_then(|(v, d)| drivers::for_ids(v.0, d.0));
    match (wanted, &host.vfio_aliases) {
        (Some(known), _) if host.vfio_drivers.iter().any(|d| d.replace('-', "_") == known.name) => {
            link("module", Some(true), format!("{} is built into the kernel", known.name))
        }
        (_, None) => {
            let why = host.why_unknown("vfio_aliases").unwrap_or("modules.alias was not read");
            link("module", None, why)
        }
        (Some(known), Some(_)) => {
            let stock = host.kernel.as_deref().and_then(vfio_drivers::distribution_without);
            let stock = stock.map_or(String::new(), |distribution| format!("; {}", distribution.sentence()));
            let text = format!("this kernel has no {} ({} is off){stock}", known.name, known.option);
            link("module", Some(false), text)
        }
        (None, Some(_)) => {
            let (vendor, product) = (device.vendor_id.unwrap_or_default(), device.product_id.unwrap_or_default());
            link("module", Some(false), vfio_drivers::why_none(vendor.0, product.0))
        }
    }
}

/// Whether the PF is in the hands of the driver that the variant driver works with.
fn parent(device: &Device, pf: Option<&Device>) -> Link {
    let Some(pf) = pf else { return link("pf", None, "its PF is not known") };
    let known = effective(device).and_then(drivers::known);
    let wanted = known.map_or_else(Vec::new, |known| known.pf_drivers(device.product_id.map(|id| id.0)));
    let is_mlx5 = known.is_some_and(|known| known.name == MLX5);
    match &pf.driver {
        Some(bound) if wanted.contains(&bound.as_str()) => {
            let devlink = pf.devlink.as_ref();
            if device.devlink.as_ref().and_then(|d| d.migratable) == Some(false) {
                let text = format!("devlink on {} says that the VF's function is not migratable", pf.address);
                return link("pf", Some(false), text);
            }
            if pf.vendor.get("qat_state").is_some_and(|state| state == "down") {
                return link("pf", Some(false), format!("PF {} is bound to {bound} and its state is down", pf.address));
            }
            if is_mlx5 && devlink.and_then(|d| d.port_type.as_deref()) == Some("ib") {
                let text = format!("the port of PF {} is InfiniBand, and only Ethernet migrates", pf.address);
                return link("pf", Some(false), text);
            }
            let mode = devlink.and_then(|d| d.eswitch_mode.as_ref()).map(|mode| format!(", eswitch in {mode} mode"));
            link("pf", Some(true), format!("PF {} is bound to {bound}{}", pf.address, mode.unwrap_or_default()))
        }
        None => link("pf", Some(false), format!("PF {} has no driver", pf.address)),
        Some(bound) if wanted.is_empty() => link("pf", None, format!("PF {} is bound to {bound}", pf.address)),
        Some(bound) => {
            let wanted = wanted.join(" or ");
            link("pf", Some(false), format!("PF {} is bound to {bound}, and {wanted} is needed", pf.address))
        }
    }
}

/// Whether it is a VF of a GPU whose vendor's driver has it, or should have it.
pub(super) fn is_vgpu(device: &Device, pf: Option<&Device>) -> bool {
    let has = |device: &Device| device.driver.as_deref() == Some(VGPU);
    has(device) || (pf.is_some_and(has) && device.migration.variant_driver.is_none())
}

fn driver(device: &Device, pf: Option<&Device>) -> Link {
    let unmanaged = device.tags.managed == Some(Declared::No);
    match &device.driver {
        bound if is_vgpu(device, pf) && bound.as_deref() != Some(VGPU) => {
            let now = bound.as_ref().map_or("no driver is bound".to_owned(), |bound| format!("bound to {bound}"));
            link("driver", Some(false), format!("{now}, and the vGPU manager has its VFs by {VGPU}"))
        }
        Some(bound) if device.migration.variant_driver.is_some() => {
            let never = drivers::known(bound).is_some_and(|known| !known.migrates);
            link(
                "driver",
                Some(!never),
                format!("bound to {bound}{}", if never { ", which never migrates anything" } else { "" }),
            )
        }
        Some(bound) if drivers::is_plain(bound) => {
            link("driver", Some(false), format!("bound to plain {bound}, which never migrates anything"))
        }
        Some(bound) if bound == VGPU => match device.vendor.get("vgpu_type").and_then(Value::as_u64) {
            Some(0) => link("driver", Some(false), "bound to nvidia, and no vGPU type is set"),
            Some(kind) => link("driver", None, format!("bound to nvidia with vGPU type {kind}, and not given to VFIO")),
            None => link("driver", None, "bound to nvidia; whether a vGPU type is set is not known"),
        },
        // Without the tag Nova leaves binding to libvirt, which does it when a guest starts.
        bound if !unmanaged => {
            let now = bound.as_ref().map_or("no driver is bound".to_owned(), |b| format!("bound to {b}"));
            match device.candidate_driver.as_deref() {
                Some(plain) if drivers::is_plain(plain) => {
                    link("driver", Some(false), format!("{now}; libvirt would bind plain {plain} when a guest starts"))
                }
                Some(module) => link("driver", None, format!("{now}; libvirt binds {module} when a guest starts")),
                None => link("driver", None, now),
            }
        }
        Some(bound) => {
            link("driver", Some(false), format!("bound to {bound}, and managed: no leaves binding to the operator"))
        }
        None => link("driver", Some(false), "no driver is bound, and managed: no leaves binding to the operator"),
    }
}

fn answer(device: &Device) -> Link {
    let rung = device.migration.asked.get("supported").map_or("", String::as_str);
    match device.migration.supported {
        Some(Supported::Yes) => link("probe", Some(true), format!("the device can migrate ({rung})")),
        Some(Supported::No) => link("probe", Some(false), format!("the device cannot migrate ({rung})")),
        None => link("probe", None, device.why_unknown("migration.supported").unwrap_or("not probed")),
    }
}

/// Only a running guest has a QEMU to ask.
fn monitor(device: &Device, domains: &[Domain]) -> Option<Link> {
    let (domain, hostdev) = domains
        .iter()
        .filter(|d| d.is_active())
        .find_map(|domain| Some((domain, domain.hostdevs.iter().find(|h| h.source == Some(device.address))?)))?;
    Some(match &domain.blocked_reasons {
        None => link("qemu", None, format!("the QEMU of {} was not queried", domain.name)),
        Some(reasons) => match reasons.iter().find(|reason| hostdev.own_reason(reason).is_some()) {
            Some(reason) => link("qemu", Some(false), format!("the QEMU of {} says: {reason}", domain.name)),
            None => match domain.reason_of_nobody() {
                Some(reason) => {
                    link("qemu", None, format!("the QEMU of {} says of some device: {reason}", domain.name))
                }
                None => link("qemu", Some(true), format!("the QEMU of {} has nothing against it", domain.name)),
            },
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::kernel::mismatch;
    use crate::model::pci::PciId;
    use crate::model::snapshot::Hostdev;
    use crate::model::snapshot::device::Devlink;

    /// A declared VF of a ConnectX-7, bound to its variant driver, and its PF.
    fn connectx7() -> Snapshot {
        let pf = Device {
            address: "0000:04:00.0".parse().unwrap(),
            dev_type: DevType::Pf,
            driver: Some("mlx5_core".to_owned()),
            firmware: Some(Firmware { version: Some("28.42.1000".to_owned()), ..Firmware::default() }),
            devlink: Some(Devlink {
                eswitch_mode: Some("switchdev".to_owned()),
                port_type: Some("eth".to_owned()),
                ..Devlink::default()
            }),
            ..Device::default()
        };
        let mut vf = Device {
            address: "0000:04:00.2".parse().unwrap(),
            dev_type: DevType::Vf,
            parent_addr: Some(pf.address),
            vf_index: Some(1),
            driver: Some("mlx5_vfio_pci".to_owned()),
            vfio_dev: Some("vfio0".to_owned()),
            devlink: Some(Devlink { migratable: Some(true), port: Some(3), ..Devlink::default() }),
            declared: Declared::Yes,
            ..Device::default()
        };
        vf.migration.variant_driver = Some("mlx5_vfio_pci".to_owned());
        vf.migration.supported = Some(Supported::No);
        Snapshot { devices: vec![pf, vf], ..Snapshot::default() }
    }

    /// The first broken link, what is there, and the remedy.
    fn verdict(mut snapshot: Snapshot) -> (String, String, String) {
        forge(&mut snapshot);
        let link = broken(&snapshot.devices[1]).cloned().unwrap_or_default();
        let remedy = mismatch::find(&snapshot).pop().and_then(|finding| finding.remedy).unwrap_or_default();
        (link.link, link.found, remedy)
    }

    #[test]
    fn a_function_that_may_not_migrate_is_set_while_nothing_is_bound() {
        let mut snapshot = connectx7();
        snapshot.devices[1].devlink.as_mut().unwrap().migratable = Some(false);
        let (link, found, remedy) = verdict(snapshot);
        assert_eq!(link, "pf");
        assert!(found.contains("not migratable"), "{found}");
        assert_eq!(
            remedy,
            "echo 0000:04:00.2 > /sys/bus/pci/devices/0000:04:00.2/driver/unbind\n\
             devlink port function set pci/0000:04:00.0/3 migratable enable\n\
             echo 0000:04:00.2 > /sys/bus/pci/drivers_probe"
        );
    }

    #[test]
    fn a_vf_without_its_pf_does_not_migrate() {
        let mut snapshot = connectx7();
        let vf = &mut snapshot.devices[1];
        (vf.dev_type, vf.parent_addr) = (DevType::Pci, None);
        (vf.vendor_id, vf.product_id) = (Some(PciId(0x15b3)), Some(PciId(0x101e)));
        let (link, found, remedy) = verdict(snapshot);
        assert!(link == "pf" && found.contains("no PF on this machine"), "{found}");
        assert!(remedy.starts_with("remove live_migratable"), "{remedy}");
    }

    #[test]
    fn a_function_that_was_set_after_binding_needs_another_binding() {
        let (link, _, remedy) = verdict(connectx7());
        assert_eq!(link, "probe");
        assert!(remedy.contains("unbind") && !remedy.contains("devlink"), "{remedy}");
    }

    #[test]
    fn old_firmware_is_the_reason_of_a_no_and_else_only_noted() {
        let mut snapshot = connectx7();
        snapshot.devices[0].firmware.as_mut().unwrap().version = Some("28.39.2048".to_owned());
        let (link, found, remedy) = verdict(snapshot.clone());
        assert_eq!(
            (link.as_str(), found.as_str()),
            ("firmware", "firmware 28.39.2048 is older than 28.41.1000, which migration needs")
        );
        assert!(remedy.contains("update the card's firmware"), "{remedy}");
        snapshot.devices[1].migration.supported = None;
        assert_eq!(verdict(snapshot).0, "", "nobody asked the device");
    }

    #[test]
    fn a_running_guests_qemu_has_the_last_word() {
        let mut snapshot = connectx7();
        let vf = &mut snapshot.devices[1];
        vf.migration.supported = Some(Supported::Yes);
        let address = vf.address;
        let reason = "VFIO device doesn't support device and IOMMU dirty tracking";
        snapshot.domains = vec![Domain {
            name: "db".to_owned(),
            state: "running".to_owned(),
            hostdevs: vec![Hostdev { source: Some(address), ..Hostdev::default() }],
            blocked_reasons: Some(vec![format!("{address}: {reason}")]),
            ..Domain::default()
        }];
        let (link, found, remedy) = verdict(snapshot.clone());
        assert_eq!((link.as_str(), found), ("qemu", format!("the QEMU of db says: {address}: {reason}")));
        assert!(!remedy.is_empty());
        snapshot.domains[0].blocked_reasons = Some(Vec::new());
        assert_eq!(verdict(snapshot).0, "", "nothing is broken");
    }

    #[test]
    fn infiniband_does_not_migrate() {
        let mut snapshot = connectx7();
        snapshot.devices[0].devlink.as_mut().unwrap().port_type = Some("ib".to_owned());
        let (link, found, remedy) = verdict(snapshot);
        assert_eq!(link, "pf");
        assert!(found.contains("InfiniBand") && remedy.contains("LINK_TYPE_P1=2"), "{found} {remedy}");
    }

    #[test]
    fn firmware_is_named_in_the_chain_of_other_vendors_too() {
        let mut snapshot = connectx7();
        for device in &mut snapshot.devices {
            device.driver = Some("pds_core".to_owned());
        }
        snapshot.devices[1].migration.variant_driver = Some("pds_vfio_pci".to_owned());
        forge(&mut snapshot);
        let first = &snapshot.devices[1].migration.chain[0];
        assert_eq!((first.link.as_str(), first.holds), ("firmware", None));
        assert!(first.found.starts_with("firmware 28.42.1000"), "{}", first.found);
    }
}
