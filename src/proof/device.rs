//! A device as QEMU names it in what it writes.

use crate::model::device_move::DeviceMove;
use crate::model::pci::PciAddress;

/// A device of the guest, by the names that QEMU may have for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Device {
    /// Its address on the host.
    pub address: PciAddress,
    /// Its alias in the definition; none when that is not known.
    ///
    /// A device that libvirt opens for QEMU (iommufd, from libvirt 12.1 on) has no host address there: QEMU names it by
    /// its alias alone.
    pub alias: Option<String>,
}

impl Device {
    /// What a guest gives up on the source.
    pub(crate) fn on_source(moved: &DeviceMove) -> Self {
        Self { address: moved.source, alias: moved.libvirt_alias.clone() }
    }

    /// What it gets on the destination.
    pub(crate) fn on_destination(moved: &DeviceMove) -> Self {
        Self { address: moved.destination, alias: moved.libvirt_alias.clone() }
    }

    /// Whether a name that QEMU wrote may be this device's.
    ///
    /// libvirt numbers `hostdevN` anew on each host, so one number is as good as another. Only an alias that the
    /// operator or Nova chose (`ua-…`) is the same on both.
    fn is_called(&self, name: &str) -> bool {
        match &self.alias {
            Some(alias) if alias == name => true,
            Some(alias) if alias.starts_with(CHOSEN) => false,
            Some(_) => is_numbered(name),
            None => is_alias(name),
        }
    }
}

/// What libvirt demands in front of an alias that is not its own.
const CHOSEN: &str = "ua-";

fn is_numbered(name: &str) -> bool {
    let number = name.strip_prefix("hostdev").unwrap_or_default();
    !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit())
}

/// Whether this can be the alias of a host device.
fn is_alias(name: &str) -> bool {
    name.starts_with(CHOSEN) || is_numbered(name)
}

/// Whom a line names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Named {
    /// One of the devices in question, or what may be one.
    Ours,
    /// Other devices only.
    Another,
    /// No device at all.
    Nobody,
}

/// Whom `line` names.
pub(crate) fn named(line: &str, devices: &[Device]) -> Named {
    let addresses = super::evidence::addresses(line);
    let word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let words = || line.split(move |c| !word(c)).map(|w| w.trim_start_matches('-'));
    if devices.iter().any(|d| addresses.contains(&d.address) || words().any(|w| d.is_called(w))) {
        Named::Ours
    } else if addresses.is_empty() && !words().any(is_alias) {
        Named::Nobody
    } else {
        Named::Another
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(alias: Option<&str>) -> [Device; 1] {
        [Device { address: "0000:02:10.2".parse().unwrap(), alias: alias.map(str::to_owned) }]
    }

    #[test]
    fn a_device_is_named_by_address_by_alias_and_by_its_argument() {
        let ours = device(Some("ua-vf5"));
        for line in [
            "qemu-system-x86_64: 0000:02:10.2: x",
            "2026-11-28T02:22:38.337919Z qemu-system-x86_64: ua-vf5: x",
            r#"-device {"driver":"vfio-pci","fd":"19","id":"ua-vf5","bus":"pci.0","addr":"0x5"}: warning: x"#,
            "-device vfio-pci,fd=19,id=ua-vf5,bus=pci.0: x",
            "/machine/peripheral/ua-vf5: x",
        ] {
            assert_eq!(named(line, &ours), Named::Ours, "{line}");
        }
        for line in ["ua-vf55: x", "ua-vf: x", "x-ua-vf5: x", "hostdev0: x", "0000:02:10.4: x"] {
            assert_ne!(named(line, &ours), Named::Ours, "{line}");
        }
    }

    #[test]
    fn a_number_of_libvirts_may_be_any_of_its_numbers() {
        assert_eq!(named("hostdev1: x", &device(Some("hostdev0"))), Named::Ours);
        assert_eq!(named("hostdev1: x", &device(None)), Named::Ours);
        assert_eq!(named("ua-vf5: x", &device(None)), Named::Ours);
        assert_eq!(named("ua-vf5: x", &device(Some("hostdev0"))), Named::Another);
        assert_eq!(named("hostdev: x", &device(None)), Named::Nobody);
        assert_eq!(named("load of migration failed", &device(None)), Named::Nobody);
    }
}
