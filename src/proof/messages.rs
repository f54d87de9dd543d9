//! What QEMU writes when a device's state was not loaded, or the device was reset (`hw/vfio/migration.c`, `migration/savevm.c`).
//!
//! QEMU puts a name of the device in front of each of its messages about a device, in every version here: see [`Device`].
//! So a line that names a device and is not in the tables is never overlooked: it makes the state not verified.

use super::device::{Device, Named, named};
use crate::model::known::Origin;

/// A family of messages.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Family {
    /// What they have in common.
    pub fragment: &'static str,
    /// Whether QEMU names the device in it.
    pub names_device: bool,
    /// What it means.
    pub meaning: &'static str,
}

/// The messages that mean a loss.
pub(crate) const LOSSES: &[Family] = &[
    Family {
        fragment: "Resetting device",
        names_device: true,
        meaning: "the device did not take a state and was reset",
    },
    Family { fragment: "Failed resetting device", names_device: true, meaning: "the device could not even be reset" },
    Family {
        fragment: "Failed to load device config space",
        names_device: true,
        meaning: "the device's configuration space was not loaded",
    },
    Family {
        fragment: "Failed loading device config space",
        names_device: true,
        meaning: "the device's configuration space was not loaded",
    },
    Family {
        fragment: "vfio_load_device_config_state() failed",
        names_device: true,
        meaning: "the device's configuration space was not loaded",
    },
    Family { fragment: "data_fd out of sync", names_device: true, meaning: "the device was reset during the transfer" },
    Family {
        fragment: "Received INIT_DATA_SENT but switchover ack is not used",
        names_device: true,
        meaning: "the two devices do not migrate the same way",
    },
    Family { fragment: "/vfio'", names_device: false, meaning: "QEMU refused the device's section of the stream" },
    Family { fragment: "load of migration failed", names_device: false, meaning: "QEMU refused the stream" },
];

/// Versions of QEMU whose messages are known.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Engines {
    /// The first, major and minor version.
    pub first: (u32, u32),
    /// The last.
    pub last: (u32, u32),
    /// How they came to be known.
    #[cfg_attr(not(test), allow(dead_code, reason = "see Origin"))]
    pub origin: Origin,
}

/// Every QEMU whose messages are known. The messages of one that is not here may mean anything.
pub(crate) const KNOWN: &[Engines] = &[
    Engines {
        first: (8, 0),
        last: (10, 0),
        origin: Origin::new(
            "hw/vfio/migration.c and migration/savevm.c of each; the lab's faults on 10.0.2",
            "QEMU 8.0 to 10.0, 2026-11-23",
        ),
    },
    Engines {
        first: (11, 1),
        last: (11, 1),
        origin: Origin::new(
            "the lab's faults on 11.1.3, with and without iommufd; the texts in its binary",
            "QEMU 11.1.3, 2026-11-28",
        ),
    },
];

/// Lines that name a device and say nothing about its state.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Harmless {
    /// What they have in common.
    pub fragment: &'static str,
    /// Who was seen to write it.
    #[cfg_attr(not(test), allow(dead_code, reason = "see Origin"))]
    pub origin: Origin,
}

/// Every such line; QEMU writes them when it starts with the device.
pub(crate) const HARMLESS: &[Harmless] = &[
    Harmless {
        fragment: "Could not enable error recovery for the device",
        origin: Origin::new("hw/vfio/pci.c, vfio_realize: AER is not used then", "QEMU 10.0, 2026-11-23"),
    },
    Harmless {
        fragment: "VFIO dma-buf not supported in kernel, using mmap fallback, P2P DMA will not work",
        origin: Origin::new(
            "the lab, 11.1.3 at every start on a kernel without VFIO_PCI_DMABUF",
            "QEMU 11.1.3, 2026-11-28",
        ),
    },
    Harmless {
        fragment: "dma-buf unavailable, using mmap fallback, P2P DMA will not work",
        origin: Origin::new(
            "the binary of 11.1.3, beside the text for a kernel without VFIO_PCI_DMABUF",
            "QEMU 11.1.3, 2026-11-28",
        ),
    },
    Harmless {
        fragment: "PCI peer-to-peer transactions on BARs are not supported",
        origin: Origin::new(
            "hw/vfio/common.c, vfio_device_error_append; the lab, 11.1.3 with iommufd at every start",
            "QEMU 11.1.3, 2026-11-28",
        ),
    },
];

/// What a line of QEMU's log says about these devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Says {
    /// Nothing.
    Nothing,
    /// A loss; what it means.
    Loss(&'static str),
    /// Something pvm does not know.
    Unknown,
}

/// What `line` says about `devices`.
pub(crate) fn read(line: &str, devices: &[Device]) -> Says {
    let named = named(line, devices);
    for family in LOSSES {
        // `'0000:00:05.0/vfio'` has a guest address, which is nobody's here. A loss that names no device may be anybody's.
        if line.contains(family.fragment) && (named != Named::Another || !family.names_device) {
            return Says::Loss(family.meaning);
        }
    }
    let concerns = match named {
        Named::Ours => true,
        // `vfio: failed to enable vectors`, of a device that QEMU does not name: it may be any of them.
        Named::Nobody => line.contains("vfio: "),
        Named::Another => false,
    };
    let harmless = || HARMLESS.iter().any(|row| line.contains(row.fragment));
    if concerns && !harmless() { Says::Unknown } else { Says::Nothing }
}

/// Major and minor version out of `10.0.2Debian 1:10.0.2+ds-2`.
pub(crate) fn version(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.split('.').map(|part| {
        let digits: String = part.chars().take_while(char::is_ascii_digit).collect();
        digits.parse().ok()
    });
    Some((numbers.next()??, numbers.next()??))
}

/// Whether the messages of this QEMU are known.
pub(crate) fn is_known(version: (u32, u32)) -> bool {
    KNOWN.iter().any(|engines| (engines.first..=engines.last).contains(&version))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(alias: &str) -> [Device; 1] {
        [Device { address: "0000:02:10.2".parse().unwrap(), alias: Some(alias.to_owned()) }]
    }

    /// Lines as QEMU wrote them, 10.0.2 and 11.1.3 in the lab and the wording of 8.0 to 9.2.
    #[test]
    fn what_was_seen_is_recognised() {
        for line in [
            "0000:02:10.2: Failed setting device state to RUNNING_P2P. Recover state is ERROR. Resetting device: Input/output error",
            "2026-11-23T06:24:00Z qemu-system-x86_64: 0000:02:10.2: Failed setting device state to RUNNING, err: Input/output error. Recover state is ERROR. Resetting device",
            "0000:02:10.2: Failed setting device in recover state, err: Input/output error. Resetting device",
            "0000:02:10.2: Received INIT_DATA_SENT but switchover ack is not used",
            "Unknown savevm section or instance '0000:00:05.0/vfio' 0. Make sure that your current VM setup matches your saved VM setup",
            "qemu-system-x86_64: load of migration failed: Invalid argument",
            "qemu-system-x86_64: error while loading state for instance 0x0 of device '0000:00:05.0/vfio'",
            "2026-11-28T02:22:38.337919Z qemu-system-x86_64: ua-vf5: Failed setting device state to RUNNING_P2P. Recover state is ERROR. Resetting device: Input/output error",
            "2026-11-28T02:23:00.686300Z qemu-system-x86_64: Failed to save iterable device state: ua-vf5: Failed setting device state to STOP_COPY. Recover state is ERROR. Resetting device: Input/output error",
            "qemu-system-x86_64: Failed setting device state to RUNNING. Recover state is ERROR. Resetting device: x",
            "qemu-system-x86_64: ua-vf5: vfio_load_device_config_state() failed: -22",
        ] {
            assert!(matches!(read(line, &device("ua-vf5")), Says::Loss(_)), "{line}");
        }
    }

    #[test]
    fn another_device_is_another_matter_and_an_unknown_line_is_not_overlooked() {
        let ours = device("ua-vf5");
        for other in ["0000:02:10.4", "ua-vf6", "hostdev0"] {
            let line =
                format!("{other}: Failed setting device state to RUNNING. Recover state is ERROR. Resetting device: x");
            assert_eq!(read(&line, &ours), Says::Nothing, "{line}");
        }
        for name in ["0000:02:10.2", "ua-vf5", r#"-device {"driver":"vfio-pci","fd":"19","id":"ua-vf5"}"#] {
            assert_eq!(read(&format!("{name}: something new"), &ours), Says::Unknown, "{name}");
            let recovered =
                format!("{name}: Failed setting device state to PRE_COPY. Setting device in recover state RUNNING: x");
            assert_eq!(read(&recovered, &ours), Says::Unknown, "{name}");
        }
        for nobody in ["vfio: failed to enable vectors, Invalid argument", "vfio: Error: Failed to setup MSI fds: x"] {
            assert_eq!(read(&format!("qemu-system-x86_64: {nobody}"), &ours), Says::Unknown, "{nobody}");
        }
        assert_eq!(read("char device redirected to /dev/pts/0", &ours), Says::Nothing);
    }

    #[test]
    fn what_every_start_writes_is_harmless_by_whatever_name() {
        for line in [
            "qemu-system-x86_64: warning: vfio 0000:02:10.2: Could not enable error recovery for the device",
            r#"2026-11-28T02:09:00.393866Z qemu-system-x86_64: -device {"driver":"vfio-pci","host":"0000:02:10.2","id":"ua-vf5","bus":"pci.0","addr":"0x5"}: warning: VFIO dma-buf not supported in kernel, using mmap fallback, P2P DMA will not work"#,
            r#"qemu-system-x86_64: -device {"driver":"vfio-pci","iommufd":"iommufd0","fd":"19","id":"ua-vf5"}: warning: dma-buf unavailable, using mmap fallback, P2P DMA will not work"#,
            "qemu-system-x86_64: warning: ua-vf5: PCI peer-to-peer transactions on BARs are not supported.",
            "qemu-system-x86_64: warning: IOMMU_IOAS_MAP failed: Bad address, PCI BAR?",
        ] {
            assert_eq!(read(line, &device("ua-vf5")), Says::Nothing, "{line}");
        }
    }

    #[test]
    fn versions_are_read_as_libvirt_writes_them() {
        assert_eq!(version("10.0.2Debian 1:10.0.2+ds-2"), Some((10, 0)));
        assert_eq!(version("8.2.1"), Some((8, 2)));
        assert_eq!(version("x"), None);
        assert!(is_known((8, 0)) && is_known((9, 2)) && is_known((10, 0)) && is_known((11, 1)));
        assert!(!is_known((7, 2)) && !is_known((10, 1)) && !is_known((11, 0)) && !is_known((11, 2)));
    }

    #[test]
    fn every_row_has_a_source_and_a_day() {
        let origins = KNOWN.iter().map(|row| row.origin).chain(HARMLESS.iter().map(|row| row.origin));
        for origin in origins {
            assert!(origin.is_complete(), "{}", origin.source);
        }
    }
}
