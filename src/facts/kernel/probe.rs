//! Passive probing: what can be learned of a device without opening it. Each answer names the rung that gave it.
//!
//! Unknown is never "yes". A driver's name proves nothing, because an override binds any driver to any device; the table of
//! drivers can only say that a driver never migrates anything.

use std::io;

use super::drivers;
use super::sysfs::Tree;
use crate::model::snapshot::device::{DevType, Device, Supported};
use crate::model::snapshot::domain::NOT_IN_KERNEL;
use crate::model::snapshot::{Domain, Host, Unknown};

/// How far to go to ask devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Probe {
    /// Not at all.
    None,
    /// Without opening them.
    #[default]
    Passive,
    /// By opening those that are free, which resets them.
    Active,
}

impl Probe {
    /// The word of the command line.
    pub const fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Passive => "passive",
            Self::Active => "active",
        }
    }
}

const DEBUGFS: &str = "sys/kernel/debug/vfio";

/// Asks debugfs about one device (kernel: `Documentation/ABI/testing/debugfs-vfio`). Nothing is opened on the device.
pub(crate) fn debugfs(tree: &Tree, device: &mut Device) {
    let folder = format!("{DEBUGFS}/{}", device.address);
    match tree.attr(&format!("{folder}/migration/state")) {
        Ok(Some(state)) => {
            answer(device, Supported::Yes, "debugfs");
            device.migration.state = Some(state);
            device.migration.asked.insert("state".to_owned(), "debugfs".to_owned());
            features(tree, device, &folder);
        }
        // The kernel makes the folder for every VFIO device, and migration/ only when the driver can migrate.
        Ok(None) if tree.has(&folder) => {
            if tree.has(&format!("{folder}/migration")) {
                answer(device, Supported::Yes, "debugfs");
            } else {
                answer(device, Supported::No, "debugfs");
            }
        }
        Ok(None) => {}
        Err(e) if e.kind() == io::ErrorKind::PermissionDenied => {}
        Err(e) => device.migration.unknown.push(Unknown::new("state", format!("debugfs cannot be used: {e}"))),
    }
}

/// `features` exists since Linux 6.18.
fn features(tree: &Tree, device: &mut Device, folder: &str) {
    let Ok(Some(text)) = tree.attr(&format!("{folder}/migration/features")) else { return };
    let words: Vec<&str> = text.split_whitespace().collect();
    let flags = ["stop-copy", "p2p", "pre-copy"].into_iter().filter(|flag| words.contains(flag));
    device.migration.flags = Some(flags.map(str::to_owned).collect());
    device.migration.asked.insert("flags".to_owned(), "debugfs".to_owned());
    if words.contains(&"dirty-tracking") {
        device.migration.dirty_tracking = Some("device".to_owned());
        device.migration.asked.insert("dirty_tracking".to_owned(), "debugfs".to_owned());
    }
}

fn answer(device: &mut Device, supported: Supported, rung: &str) {
    device.migration.supported = Some(supported);
    device.migration.asked.insert("supported".to_owned(), rung.to_owned());
}

/// Asks the QEMU that runs a device's domain: since QEMU 8.1 every VFIO device that cannot migrate is a reason it gives.
pub(crate) fn qemu(devices: &mut [Device], domains: &[Domain]) {
    for domain in domains.iter().filter(|d| d.is_active()) {
        let Some(reasons) = &domain.blocked_reasons else { continue };
        for hostdev in &domain.hostdevs {
            let Some(address) = hostdev.source else { continue };
            let Ok(index) = devices.binary_search_by_key(&address, |d| d.address) else { continue };
            let device = &mut devices[index];
            let own: Vec<&str> = reasons.iter().filter_map(|reason| hostdev.own_reason(reason)).collect();
            if own.iter().any(|r| r.contains(NOT_IN_KERNEL)) {
                answer(device, Supported::No, "qemu");
            } else if own.is_empty()
                && domain.reason_of_nobody().is_none()
                && domain.qemu.as_deref().is_some_and(reports_every_device)
            {
                answer(device, Supported::Yes, "qemu");
            }
        }
    }
}

/// Before 8.1 migration of VFIO devices was an experiment and the reasons were others.
fn reports_every_device(version: &str) -> bool {
    let mut parts = version.split('.').map(|p| p.parse::<u32>().unwrap_or(0));
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0)) >= (8, 1)
}

/// Fills what nobody answered: from the table of drivers, else as unknown with the reason and the way to find out.
pub(crate) fn conclude(device: &mut Device, host: &Host, probe: Probe) {
    settle_state(device);
    // The firmware lets no driver migrate such a function. A "true" proves nothing: the driver decides when it is bound.
    if probe != Probe::None
        && device.migration.supported.is_none()
        && device.devlink.as_ref().is_some_and(|devlink| devlink.migratable == Some(false))
    {
        answer(device, Supported::No, "devlink");
    }
    if device.migration.supported.is_none() {
        let known = device.driver.as_deref().and_then(drivers::known);
        if probe != Probe::None && known.is_some_and(|driver| !driver.migrates) {
            answer(device, Supported::No, "driver-table");
        } else if device.dev_type == DevType::Vf || device.vfio_dev.is_some() {
            let why = why_not_asked(device, host, probe);
            device.migration.unknown.push(Unknown::new("supported", why));
        }
    }
    if device.migration.supported == Some(Supported::Yes) {
        details(device, host);
    }
}

/// A state of ERROR means nothing on a device that nobody has opened: the driver sets it only then.
fn settle_state(device: &mut Device) {
    let busy = device.used_by.as_ref().is_some_and(|u| u.iter().any(|d| d.state != "shutoff"));
    if device.migration.state.as_deref() == Some("ERROR") && !busy {
        device.migration.state = None;
        let why = "debugfs says ERROR, which is also what a device says that was never opened since it was bound";
        device.migration.unknown.push(Unknown::new("state", why));
    }
}

fn details(device: &mut Device, host: &Host) {
    let active = format!(
        "this kernel does not say it; pvm inventory --probe active --pf {} asks the device, and resets it",
        device.parent_addr.unwrap_or(device.address)
    );
    if device.migration.flags.is_none() {
        device.migration.unknown.push(Unknown::new("flags", active.clone()));
    }
    if device.migration.dirty_tracking.is_none() {
        let asked = device.migration.asked.contains_key("flags");
        match host.iommu.dirty_tracking {
            // The device was asked and has none of its own, so the IOMMU decides.
            Some(true) if asked && host.iommufd == Some(true) => {
                device.migration.dirty_tracking = Some("iommu".to_owned());
            }
            Some(false) if asked => device.migration.dirty_tracking = Some("none".to_owned()),
            _ => device.migration.unknown.push(Unknown::new("dirty_tracking", active.clone())),
        }
    }
    if device.migration.state_size.is_none() {
        device.migration.unknown.push(Unknown::new("state_size", active));
    }
}

fn why_not_asked(device: &Device, host: &Host, probe: Probe) -> String {
    if probe == Probe::None {
        return "probing is off (--probe none)".to_owned();
    }
    let Some(driver) = &device.driver else {
        return "no driver is bound (probing needs a VFIO driver)".to_owned();
    };
    if device.vfio_dev.is_none() && !driver.replace('-', "_").ends_with("vfio_pci") {
        return format!("bound to {driver} (probing needs a VFIO driver)");
    }
    let active = format!(
        "pvm inventory --probe active --pf {} asks it, and resets it",
        device.parent_addr.unwrap_or(device.address)
    );
    match host.debugfs {
        Some(true) => format!("debugfs has no entry for it; {active}"),
        Some(false) => format!("this kernel has no VFIO debugfs; {active}"),
        None => host.why_unknown("debugfs").unwrap_or("debugfs was not read").to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::snapshot::Hostdev;
    use crate::model::snapshot::device::{Devlink, UsedBy};

    fn vf(driver: &str) -> Device {
        Device {
            address: "0000:01:00.1".parse().unwrap(),
            dev_type: DevType::Vf,
            driver: Some(driver.to_owned()),
            vfio_dev: Some("vfio0".to_owned()),
            ..Device::default()
        }
    }

    #[test]
    fn a_name_is_never_a_yes() {
        let mut mlx5 = vf("mlx5_vfio_pci");
        conclude(&mut mlx5, &Host { debugfs: Some(false), ..Host::default() }, Probe::Passive);
        assert_eq!(mlx5.migration.supported, None);
        assert!(mlx5.why_unknown("migration.supported").unwrap().contains("--probe active"));
        let mut plain = vf("vfio-pci");
        conclude(&mut plain, &Host::default(), Probe::Passive);
        assert_eq!(plain.migration.supported, Some(Supported::No));
        assert_eq!(plain.migration.asked["supported"], "driver-table");
        let mut unasked = vf("vfio-pci");
        conclude(&mut unasked, &Host::default(), Probe::None);
        assert_eq!(unasked.migration.supported, None);
    }

    #[test]
    fn devlink_can_say_no_and_never_yes() {
        let asked = |migratable, probe| {
            let devlink = Some(Devlink { migratable: Some(migratable), ..Devlink::default() });
            let mut device = Device { devlink, ..vf("mlx5_core") };
            conclude(&mut device, &Host::default(), probe);
            (device.migration.supported, device.migration.asked.get("supported").cloned())
        };
        assert_eq!(asked(false, Probe::Passive), (Some(Supported::No), Some("devlink".to_owned())));
        assert_eq!(asked(true, Probe::Passive), (None, None));
        assert_eq!(asked(false, Probe::None), (None, None));
    }

    #[test]
    fn error_is_a_state_only_while_somebody_uses_the_device() {
        let mut device = vf("igbvf_vfio_pci");
        device.migration.state = Some("ERROR".to_owned());
        device.used_by = Some(Vec::new());
        let mut used = device.clone();
        conclude(&mut device, &Host::default(), Probe::Passive);
        assert_eq!(device.migration.state, None);
        assert!(device.why_unknown("migration.state").is_some());
        used.used_by = Some(vec![UsedBy { state: "running".to_owned(), ..UsedBy::default() }]);
        conclude(&mut used, &Host::default(), Probe::Passive);
        assert_eq!(used.migration.state.as_deref(), Some("ERROR"));
    }

    #[test]
    fn qemu_names_the_device_it_cannot_migrate() {
        let domain = |version: &str, reasons: &[&str]| Domain {
            state: "running".to_owned(),
            qemu: Some(version.to_owned()),
            blocked_reasons: Some(reasons.iter().map(|r| (*r).to_owned()).collect()),
            hostdevs: vec![Hostdev { source: Some("0000:01:00.1".parse().unwrap()), ..Hostdev::default() }],
            ..Domain::default()
        };
        let ask = |domain: Domain| {
            let mut devices = [vf("mlx5_vfio_pci")];
            qemu(&mut devices, &[domain]);
            devices[0].migration.supported
        };
        assert_eq!(ask(domain("10.0.2", &[])), Some(Supported::Yes));
        assert_eq!(ask(domain("7.2.0", &[])), None);
        assert_eq!(
            ask(domain("8.2.2", &["0000:01:00.1: VFIO migration is not supported in kernel"])),
            Some(Supported::No)
        );
        let other = "0000:01:00.1: VFIO device doesn't support device and IOMMU dirty tracking";
        assert_eq!(ask(domain("8.2.2", &[other])), None);
        // 11.1.3 with iommufd: QEMU was given no address.
        let alias = |reason: &str| {
            let mut domain = domain("11.1.3", &[reason]);
            domain.hostdevs[0].alias = Some("hostdev0".to_owned());
            ask(domain)
        };
        let kernel =
            ": VFIO migration init failed: migration is not supported in kernel: Inappropriate ioctl for device";
        assert_eq!(alias(&format!("hostdev0{kernel}")), Some(Supported::No));
        assert_eq!(alias(&format!("0000:01:00.1{kernel}")), Some(Supported::No));
        assert_eq!(alias("hostdev0: VFIO device doesn't support device and IOMMU dirty tracking"), None);
        assert_eq!(alias("hostdev01: anything"), Some(Supported::Yes));
        assert_eq!(alias(&format!("somebody{kernel}")), None, "it may be this one");
    }
}
