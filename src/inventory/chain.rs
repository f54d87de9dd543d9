//! What a device's migration rests on, link by link: the kernel's module, the PF, the bound driver, the device's own answer,
//! QEMU. The first link that does not hold is where to begin mending.

use super::drivers;
use crate::snapshot::device::{Declared, DevType, Device, Link, Supported};
use crate::snapshot::{Domain, Host, Snapshot};

/// VFs of NVIDIA GPUs stay on the vendor's driver, which brings its own VFIO part.
const VGPU: &str = "nvidia";

/// Writes the chain of every device that is declared, bound to VFIO or has a variant driver.
pub fn forge(snapshot: &mut Snapshot) {
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
pub fn broken(device: &Device) -> Option<&Link> {
    device.migration.chain.iter().find(|link| link.holds == Some(false))
}

fn concerns(device: &Device) -> bool {
    device.declared == Declared::Yes
        || device.vfio_dev.is_some()
        || (device.dev_type == DevType::Vf && device.candidate_driver.as_deref().is_some_and(|d| !drivers::is_plain(d)))
}

fn links(device: &Device, pf: Option<&Device>, host: &Host, domains: &[Domain]) -> Vec<Link> {
    let mut links = vec![module(device, host)];
    if device.dev_type == DevType::Vf {
        links.push(parent(device, pf));
    }
    links.push(driver(device));
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

/// Whether the kernel has a variant driver for the device.
fn module(device: &Device, host: &Host) -> Link {
    if let Some(variant) = &device.migration.variant_driver {
        return link("module", Some(true), format!("{variant} is loaded"));
    }
    if let Some(module) = device.candidate_driver.as_deref().filter(|m| !drivers::is_plain(m)) {
        return link("module", Some(true), format!("the kernel has {module} for it"));
    }
    if device.driver.as_deref() == Some(VGPU) {
        return link("module", None, "NVIDIA's vGPU manager gives the device to VFIO once a vGPU type is set");
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
            link("module", Some(false), format!("this kernel has no {} ({} is off)", known.name, known.option))
        }
        (None, Some(_)) => link("module", Some(false), "this kernel has no variant driver for it"),
    }
}

/// Whether the PF is in the hands of the driver that the variant driver works with.
fn parent(device: &Device, pf: Option<&Device>) -> Link {
    let Some(pf) = pf else { return link("pf", None, "its PF is not known") };
    let name = device.migration.variant_driver.as_deref().or(device.candidate_driver.as_deref());
    let wanted = name.and_then(drivers::known).map_or(&[][..], |known| known.pf_drivers);
    if device.devlink.as_ref().and_then(|d| d.migratable) == Some(false) {
        return link(
            "pf",
            Some(false),
            format!("devlink on {} says that the VF's function is not migratable", pf.address),
        );
    }
    match &pf.driver {
        None => link("pf", Some(false), format!("PF {} has no driver", pf.address)),
        Some(bound) if wanted.is_empty() => link("pf", None, format!("PF {} is bound to {bound}", pf.address)),
        Some(bound) if wanted.contains(&bound.as_str()) => {
            link("pf", Some(true), format!("PF {} is bound to {bound}", pf.address))
        }
        Some(bound) => {
            let wanted = wanted.join(" or ");
            link("pf", Some(false), format!("PF {} is bound to {bound}, and {wanted} is needed", pf.address))
        }
    }
}

fn driver(device: &Device) -> Link {
    let managed = device.tags.get("managed").and_then(|v| v.as_str());
    match &device.driver {
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
        Some(bound) if bound == VGPU => link("driver", None, "bound to nvidia; no vGPU type is set"),
        // Without the tag Nova leaves binding to libvirt, which does it when a guest starts.
        bound if managed != Some("false") => {
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
        None => link("probe", None, device.why_unknown("migration.supported").unwrap_or("it was not asked")),
    }
}

/// Only a running guest has a QEMU to ask.
fn monitor(device: &Device, domains: &[Domain]) -> Option<Link> {
    let domain =
        domains.iter().find(|d| d.is_active() && d.hostdevs.iter().any(|h| h.source == Some(device.address)))?;
    Some(match &domain.blocked_reasons {
        None => link("qemu", None, format!("the QEMU of {} was not asked", domain.name)),
        Some(reasons) => match reasons.iter().find(|reason| reason.starts_with(&device.address.to_string())) {
            Some(reason) => link("qemu", Some(false), format!("the QEMU of {} says: {reason}", domain.name)),
            None => link("qemu", Some(true), format!("the QEMU of {} has nothing against it", domain.name)),
        },
    })
}
