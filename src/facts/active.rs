//! Active probing: opens free devices and asks them. That resets a device, so a device must be provably free, and pvm's own
//! lock is held meanwhile.

#![expect(clippy::disallowed_methods, reason = "an edge: looks who holds device files open")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::facts::kernel::vfio::{self, Way};
use crate::journal::{self, Lock, Subject};
use crate::model::finding::{Finding, rules};
use crate::model::pci::PciAddress;
use crate::model::snapshot::device::{Device, Supported};
use crate::model::snapshot::{Snapshot, Unknown};

rules! {
    /// A device was opened to ask it, which reset it.
    ///
    /// # Meaning
    /// With --probe active pvm opens VFIO devices that nobody uses and asks for VFIO_DEVICE_FEATURE_MIGRATION, dirty
    /// tracking and the size of the state. Opening and closing reset the function. Without --pf one device of each PF
    /// is asked; with --pf every free VF of that PF, or the one device.
    /// # Check by hand
    /// pvm inventory --probe active names each device that was opened.
    /// # Fix
    /// Nothing has to be done: a device is opened only while nobody uses it. Without --probe active pvm opens no
    /// device.
    ASKED = "probed-actively", Info;
}

/// Notes which devices a migration has claimed that is under way or waits for `pvm recover`.
pub(crate) fn claims(snapshot: &mut Snapshot) {
    if snapshot.devices.is_empty() {
        return;
    }
    let listed = journal::state_directory().and_then(|directory| journal::Store::at(directory).list());
    let states: Vec<_> = listed.unwrap_or_default().iter().filter_map(journal::Listed::state).collect();
    let (name, uuid) = (snapshot.host.name.clone(), snapshot.host.uuid.clone());
    for claim in journal::claims(&states).into_iter().filter(|c| c.is_on(uuid.as_deref(), &[&name, "local"])) {
        if let Ok(index) = snapshot.devices.binary_search_by_key(&claim.device, |d| d.address) {
            snapshot.devices[index].claimed_by = Some(claim.id);
        }
    }
}

/// Asks the free devices: one of each PF, or with `only` that device and every VF of it.
pub(crate) fn probe(snapshot: &mut Snapshot, only: Option<PciAddress>) {
    open_files(&mut snapshot.devices);
    let host = snapshot.host.uuid.clone();
    let mut done: BTreeSet<PciAddress> = BTreeSet::new();
    let mut asked = Vec::new();
    for device in snapshot.devices.iter_mut().filter(|d| d.vfio_dev.is_some()) {
        let family = device.parent_addr.unwrap_or(device.address);
        match only {
            Some(wanted) if wanted != device.address && wanted != family => continue,
            None if done.contains(&family) => continue,
            _ => {}
        }
        match ask(host.as_deref(), device) {
            Ok(()) => {
                done.insert(family);
                asked.push(device.address);
            }
            Err(why) => note(device, &why),
        }
    }
    for address in asked {
        let text = format!("{address} was opened to ask it, which reset it");
        snapshot.findings.push(Finding::new(&ASKED, text).device(&address));
    }
}

fn ask(host: Option<&str>, device: &mut Device) -> Result<(), String> {
    free(device)?;
    // A migration's lock on the device is known by the same UUID.
    let host = host.ok_or("libvirt did not report the host's UUID")?;
    let directory = journal::state_directory().map_err(|e| e.to_string())?;
    let _claim = Lock::take(directory, &Subject::Device(host.to_owned(), device.address), "probing")
        .map_err(|e| e.to_string())?;
    let way = Way { address: device.address, group: device.iommu_group, cdev: device.cdev.as_deref() };
    let answer = vfio::ask(way).map_err(|e| e.to_string())?;
    let migration = &mut device.migration;
    let mut say = |fact: &str| {
        migration.asked.insert(fact.to_owned(), "ioctl".to_owned());
    };
    say("supported");
    if answer.flags.is_some() {
        say("flags");
    }
    if answer.dirty_tracking {
        say("dirty_tracking");
        migration.dirty_tracking = Some("device".to_owned());
    }
    if answer.state_size.is_some() {
        migration.asked.insert("state_size".to_owned(), "ioctl".to_owned());
    }
    migration.supported = Some(if answer.flags.is_some() { Supported::Yes } else { Supported::No });
    migration.flags = answer.flags;
    migration.state_size = answer.state_size;
    Ok(())
}

/// Opening a device that somebody uses, or is about to use, would do harm; not knowing is no permission.
fn free(device: &Device) -> Result<(), String> {
    let Some(users) = &device.used_by else {
        let why = device.why_unknown("used_by").unwrap_or("not reported by libvirt");
        return Err(format!("its users are unknown: {why}"));
    };
    if let Some(user) = users.iter().find(|user| user.state != "shutoff" || user.autostart) {
        return Err(format!("in use by {}", user.name));
    }
    match &device.open_by {
        Some(holders) if holders.is_empty() => {}
        Some(holders) => return Err(format!("opened by {}", holders.join(", "))),
        None => return Err("only root can see which process has it open; run pvm as root".to_owned()),
    }
    match &device.claimed_by {
        Some(id) => Err(format!("claimed by migration {id}")),
        None => Ok(()),
    }
}

fn note(device: &mut Device, why: &str) {
    if device.migration.supported.is_none() {
        device.migration.unknown.push(Unknown::new("supported", why));
    }
}

/// Who holds the device files open, from every process's list of descriptors. Without root's rights it stays unknown.
fn open_files(devices: &mut [Device]) {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let Ok(processes) = std::fs::read_dir("/proc") else { return };
    let mut holders: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for process in processes.flatten() {
        let Some(pid) =
            process.file_name().to_str().filter(|name| name.bytes().all(|b| b.is_ascii_digit())).map(str::to_owned)
        else {
            continue;
        };
        // A process may end meanwhile: then it holds nothing.
        let Ok(descriptors) = std::fs::read_dir(process.path().join("fd")) else { continue };
        for target in descriptors.flatten().filter_map(|entry| std::fs::read_link(entry.path()).ok()) {
            if target.starts_with("/dev/vfio") && target != Path::new("/dev/vfio/vfio") {
                let command = std::fs::read_to_string(process.path().join("comm")).unwrap_or_default();
                let name = format!("{} ({pid})", command.trim());
                holders.entry(target.display().to_string()).or_default().push(name);
            }
        }
    }
    for device in devices.iter_mut().filter(|d| d.vfio_dev.is_some()) {
        let group = device.iommu_group.map(|group| format!("/dev/vfio/{group}"));
        let files = group.iter().chain(&device.cdev);
        let mut names: Vec<String> = files.filter_map(|file| holders.get(file)).flatten().cloned().collect();
        names.sort();
        names.dedup();
        device.open_by = Some(names);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::snapshot::device::UsedBy;

    #[test]
    fn only_a_device_that_is_provably_free_is_opened() {
        let free_device = Device { used_by: Some(vec![]), open_by: Some(vec![]), ..Device::default() };
        assert_eq!(free(&free_device), Ok(()));
        let user = |state: &str, autostart| {
            Some(vec![UsedBy { name: "vm".into(), state: state.into(), autostart, ..UsedBy::default() }])
        };
        for device in [
            Device { used_by: None, ..free_device.clone() },
            Device { open_by: None, ..free_device.clone() },
            Device { open_by: Some(vec!["qemu (7)".into()]), ..free_device.clone() },
            Device { claimed_by: Some("x".into()), ..free_device.clone() },
            Device { used_by: user("running", false), ..free_device.clone() },
            Device { used_by: user("shutoff", true), ..free_device.clone() },
        ] {
            assert!(free(&device).is_err(), "{device:?}");
        }
        assert_eq!(free(&Device { used_by: user("shutoff", false), ..free_device }), Ok(()));
    }
}
