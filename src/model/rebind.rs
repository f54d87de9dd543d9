//! The commands that bind a device to another driver, from what is bound now and who uses it. They are pasted into a root's shell, so
//! that what the host needs is never taken off its driver: a PF with VFs, disks, displays, an interface in use.

use std::fmt::Write as _;

use super::snapshot::device::{DevType, Device};
use super::vfio_drivers;

/// Giving a PF back to its own driver, from what is bound now and the guests that use its VFs. Where several drivers serve its kind,
/// the kernel chooses.
pub(crate) fn bind_pf(pf: &Device, vfs: &[&Device], drivers: &[&str]) -> String {
    let mut taken = vec![pf];
    // Its VFs vanish with its driver.
    taken.extend(pf.driver.iter().flat_map(|_| vfs));
    if let Some(instead) = kept(pf).or_else(|| in_use(&taken)) {
        return instead;
    }
    let at = pf.address;
    let mut text = String::new();
    if let Some(bound) = &pf.driver {
        let _ = writeln!(
            text,
            "# all VFs of {at} vanish when {bound} lets it go, and have to be created again: no guest may use one"
        );
    }
    if let [driver] = drivers {
        let _ = writeln!(text, "modprobe {}", driver.replace('-', "_"));
        if pf.driver.is_none() && pf.driver_override.is_none() {
            let _ = write!(text, "echo {at} > /sys/bus/pci/drivers/{driver}/bind");
            return text;
        }
    } else {
        let _ = writeln!(
            text,
            "# the PF's id decides which of {} is loaded and bound\nmodprobe \"$(cat /sys/bus/pci/devices/{at}/modalias)\"",
            drivers.join(", ")
        );
    }
    if pf.driver_override.is_some() {
        let _ = writeln!(text, "echo > /sys/bus/pci/devices/{at}/driver_override");
    }
    if pf.driver.is_some() {
        let _ = writeln!(text, "{}", unbind(pf));
    }
    let _ = write!(text, "echo {at} > /sys/bus/pci/drivers_probe");
    text
}

/// Guests and processes that use these functions.
fn users<'a>(devices: &[&'a Device]) -> Vec<&'a str> {
    let guests = devices.iter().flat_map(|device| device.used_by.iter().flatten());
    let guests = guests.filter(|user| user.state != "shutoff").map(|user| user.name.as_str());
    let holders = devices.iter().flat_map(|device| device.open_by.iter().flatten()).map(String::as_str);
    let mut all: Vec<&str> = guests.chain(holders).collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// What devlink says of a VF's function.
pub(crate) fn function(device: &Device) -> Option<bool> {
    device.devlink.as_ref()?.migratable
}

/// mlx5 reads the function's attribute once, when it is bound: it is set while the VF has no driver.
pub(crate) fn make_migratable(device: &Device) -> String {
    if let Some(instead) = kept(device).or_else(|| in_use(&[device])) {
        return instead;
    }
    let mut text = String::new();
    if device.driver.is_some() {
        let _ = writeln!(text, "{}", unbind(device));
    }
    if function(device) != Some(true) {
        let pf = device.parent_addr.map_or_else(|| "PF".to_owned(), |pf| pf.to_string());
        let (port, hint) = match (device.devlink.as_ref().and_then(|d| d.port), device.vf_index) {
            (Some(port), _) => (port.to_string(), String::new()),
            (None, Some(vf)) => ("PORT".to_owned(), format!("   # PORT: devlink port show, vfnum {vf}")),
            (None, None) => ("PORT".to_owned(), "   # PORT: devlink port show".to_owned()),
        };
        let _ = writeln!(text, "devlink port function set pci/{pf}/{port} migratable enable{hint}");
    }
    let _ = write!(text, "echo {} > /sys/bus/pci/drivers_probe", device.address);
    text
}

/// Binding by `driver_override` and `drivers_probe`: variant drivers bind in no other way.
pub(crate) fn bind(device: &Device, module: &str) -> String {
    let at = device.address;
    if let Some(instead) = kept(device).or_else(|| in_use(&[device])) {
        return instead;
    }
    let mut text = String::new();
    let _ = write!(
        text,
        "modprobe {}\necho {} > /sys/bus/pci/devices/{at}/driver_override\n",
        module.replace('-', "_"),
        vfio_drivers::driver_of(module)
    );
    if device.driver.is_some() {
        let _ = writeln!(text, "{}", unbind(device));
    }
    let _ = write!(text, "echo {at} > /sys/bus/pci/drivers_probe");
    text
}

/// Giving a function to the driver that the kernel has for its ids.
pub(crate) fn give_back(device: &Device) -> String {
    let at = device.address;
    if let Some(instead) = kept(device).or_else(|| in_use(&[device])) {
        return instead;
    }
    let mut text = String::new();
    if device.driver_override.is_some() {
        let _ = writeln!(text, "echo > /sys/bus/pci/devices/{at}/driver_override");
    }
    if device.driver.is_some() {
        let _ = writeln!(text, "{}", unbind(device));
    }
    let _ = write!(text, "echo {at} > /sys/bus/pci/drivers_probe");
    text
}

/// Why nobody may take a function off its driver; `None` for VFs that serve nobody and for functions that serve nothing.
pub(crate) fn needed(device: &Device) -> Option<String> {
    let users: Vec<&str> = device.used_by.iter().flatten().map(|user| user.name.as_str()).collect();
    if !users.is_empty() {
        return Some(format!("{} uses it", users.join(", ")));
    }
    if device.open_by.as_ref().is_some_and(|processes| !processes.is_empty()) {
        return Some("a process has it open".to_owned());
    }
    let idle_pf = device.dev_type == DevType::Pf && device.driver.is_some();
    needed_by_host(device).or_else(|| idle_pf.then(|| "it is a PF".to_owned()))
}

/// Why the host itself cannot do without a function's driver.
fn needed_by_host(device: &Device) -> Option<String> {
    let driver = device.driver.as_deref()?;
    let name = driver.replace('-', "_");
    if name.ends_with("vfio_pci") || matches!(name.as_str(), "pci_stub" | "uio_pci_generic" | "igb_uio") {
        return None;
    }
    let vfs = device.sriov.as_ref().map_or(0, |s| s.num);
    if vfs > 0 {
        return Some(format!("it is a PF with {vfs} VFs, bound to {driver}"));
    }
    match (device.netdev_use.as_deref(), &device.netdev) {
        (Some([]), _) | (None, None) => {}
        (Some(uses), name) => {
            let name = name.as_deref().map_or(String::new(), |name| format!(" {name}"));
            return Some(format!("its interface{name} {}", uses.join(", ")));
        }
        (None, Some(_)) if device.link.as_deref() == Some("down") => {}
        (None, Some(name)) => return Some(format!("its interface {name} is up and may have an address or a route")),
    }
    if device.parent_addr.is_some() {
        return None;
    }
    let class = device.class.as_deref().unwrap_or_default();
    match class.get(..2) {
        // Sound, crypto and other accelerators, and a network function without an interface.
        Some("02" | "04" | "0b" | "10" | "12") => None,
        Some("01") => Some(format!("it is a storage controller, bound to {driver}, and may hold the system's disks")),
        Some("03") => Some(format!("it is a display, bound to {driver}")),
        _ => Some(format!("it is a function of class {class}, bound to {driver}, which may be in use")),
    }
}

/// What is said instead of commands where the host needs a function.
fn kept(device: &Device) -> Option<String> {
    let why = needed_by_host(device)?;
    Some(format!(
        "{} must stay with the host: {why}; write its device_spec so that it matches others only",
        device.address
    ))
}

/// What comes before any command where functions are in use: no list of commands holds a step that a shell would pass over.
pub(crate) fn in_use(devices: &[&Device]) -> Option<String> {
    let users = users(devices);
    let what = devices.first().filter(|_| !users.is_empty())?.address;
    Some(format!(
        "stop {} first: no driver may be changed under what is in use; then ask again about {what}",
        users.join(", ")
    ))
}

/// Taking a function off its driver.
pub(crate) fn unbind(device: &Device) -> String {
    format!("echo {0} > /sys/bus/pci/devices/{0}/driver/unbind", device.address)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::snapshot::device::{Sriov, UsedBy};

    fn device(driver: &str, class: &str) -> Device {
        Device {
            address: "0000:41:00.1".parse().unwrap(),
            driver: Some(driver.to_owned()),
            class: Some(class.to_owned()),
            ..Device::default()
        }
    }

    /// Every command that takes a device off its driver.
    fn all(device: &Device) -> [String; 4] {
        [bind(device, "vfio-pci"), make_migratable(device), give_back(device), bind_pf(device, &[], &["4xxx"])]
    }

    #[test]
    fn what_the_host_needs_is_never_taken_off_its_driver() {
        let interface = |uses: Option<&str>, link: &str| Device {
            netdev: Some("ens5v0".to_owned()),
            link: Some(link.to_owned()),
            netdev_use: uses.map(|uses| if uses.is_empty() { Vec::new() } else { vec![uses.to_owned()] }),
            parent_addr: Some("0000:41:00.0".parse().unwrap()),
            ..device("bnxt_en", "020000")
        };
        let pf = Device { sriov: Some(Sriov { num: 2, ..Sriov::default() }), ..device("bnxt_en", "020000") };
        let in_a_container = Device { netdev: None, ..interface(Some("is in another network namespace"), "up") };
        for kept in [
            in_a_container,
            interface(Some("has a route"), "up"),
            interface(Some("belongs to bond0"), "down"),
            interface(None, "up"),
            device("nvme", "010802"),
            device("ahci", "010601"),
            device("nouveau", "030000"),
            device("xhci_hcd", "0c0330"),
            pf,
        ] {
            for text in all(&kept) {
                assert!(text.contains("must stay with the host") && !text.contains("echo"), "{kept:?}: {text}");
            }
            assert!(needed(&kept).is_some());
        }
        for idle in [
            interface(Some(""), "up"),
            interface(None, "down"),
            device("4xxx", "0b4000"),
            device("vfio-pci", "010802"),
            Device { sriov: Some(Sriov { num: 2, ..Sriov::default() }), ..device("vfio-pci", "0b4000") },
        ] {
            for text in all(&idle) {
                assert!(text.contains("unbind"), "{idle:?}: {text}");
            }
        }
    }

    #[test]
    fn who_uses_a_pf_or_its_vfs_stops_first() {
        let user = |name: &str, state: &str| {
            Some(vec![UsedBy { name: name.to_owned(), state: state.to_owned(), ..UsedBy::default() }])
        };
        let pf = Device { used_by: user("own", "running"), ..device("vfio-pci", "0b4000") };
        let vfs = [("db", "running"), ("old", "shutoff")]
            .map(|(name, state)| Device { used_by: user(name, state), ..Device::default() });
        let text = bind_pf(&pf, &vfs.iter().collect::<Vec<_>>(), &["4xxx"]);
        assert!(text.starts_with("stop db, own first: ") && !text.contains("echo"), "{text}");
        let open = Device { open_by: Some(vec!["dpdk (7)".to_owned()]), ..device("vfio-pci", "0b4000") };
        for text in all(&open) {
            assert!(text.starts_with("stop dpdk (7) first: ") && !text.contains("echo"), "{text}");
        }
    }
}
