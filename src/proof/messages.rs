//! What QEMU writes when a device's state was not loaded, or the device was reset (`hw/vfio/migration.c`, `migration/savevm.c`).
//!
//! QEMU puts the device's host address in front of each of its messages about a device, in every version here. So a line
//! that names a device and is not in the table is never overlooked: it makes the state not verified.

use crate::model::pci::PciAddress;

/// A family of messages.
#[derive(Debug, Clone, Copy)]
pub struct Family {
    /// What they have in common.
    pub fragment: &'static str,
    /// First QEMU that writes it: major and minor version.
    pub from: (u32, u32),
    /// Whether QEMU names the device in it.
    pub names_device: bool,
    /// What it means.
    pub meaning: &'static str,
}

/// The messages that mean a loss.
pub const LOSSES: &[Family] = &[
    Family {
        fragment: "Resetting device",
        from: (8, 0),
        names_device: true,
        meaning: "the device did not take a state and was reset",
    },
    Family {
        fragment: "Failed resetting device",
        from: (8, 0),
        names_device: true,
        meaning: "the device could not even be reset",
    },
    Family {
        fragment: "Failed to load device config space",
        from: (8, 0),
        names_device: true,
        meaning: "the device's configuration space was not loaded",
    },
    Family {
        fragment: "Failed loading device config space",
        from: (8, 0),
        names_device: true,
        meaning: "the device's configuration space was not loaded",
    },
    Family {
        fragment: "data_fd out of sync",
        from: (8, 0),
        names_device: true,
        meaning: "the device was reset during the transfer",
    },
    Family {
        fragment: "Received INIT_DATA_SENT but switchover ack is not used",
        from: (8, 1),
        names_device: true,
        meaning: "the two devices do not migrate the same way",
    },
    Family {
        fragment: "/vfio'",
        from: (8, 0),
        names_device: false,
        meaning: "QEMU refused the device's section of the stream",
    },
    Family {
        fragment: "load of migration failed",
        from: (8, 0),
        names_device: false,
        meaning: "QEMU refused the stream",
    },
];

/// The versions whose messages are known, first and last: read in QEMU's source, and seen in the lab with 10.0.
pub const KNOWN: ((u32, u32), (u32, u32)) = ((8, 0), (10, 0));

/// Lines that name a device and say nothing about its state: written when QEMU starts with it.
const HARMLESS: &[&str] = &["Could not enable error recovery for the device"];

/// What a line of QEMU's log says about these devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Says {
    /// Nothing.
    Nothing,
    /// A loss; what it means.
    Loss(&'static str),
    /// Something pvm does not know.
    Unknown,
}

/// What `line` says about `devices`.
pub fn read(line: &str, devices: &[PciAddress]) -> Says {
    let named = super::evidence::addresses(line);
    let ours = named.iter().any(|address| devices.contains(address));
    for family in LOSSES {
        // `'0000:00:05.0/vfio'` has a guest address, which is nobody's here.
        if line.contains(family.fragment) && (ours || !family.names_device) {
            return Says::Loss(family.meaning);
        }
    }
    if ours && !HARMLESS.iter().any(|text| line.contains(text)) { Says::Unknown } else { Says::Nothing }
}

/// Major and minor version out of `10.0.2Debian 1:10.0.2+ds-2`.
pub fn version(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.split('.').map(|part| {
        let digits: String = part.chars().take_while(char::is_ascii_digit).collect();
        digits.parse().ok()
    });
    Some((numbers.next()??, numbers.next()??))
}

/// Whether the messages of this QEMU are known.
pub fn is_known(version: (u32, u32)) -> bool {
    (KNOWN.0..=KNOWN.1).contains(&version)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lines as QEMU wrote them, 10.0.2 in the lab and the wording of 8.0 to 9.2.
    #[test]
    fn what_was_seen_is_recognised() {
        let device = ["0000:02:10.2".parse().unwrap()];
        for line in [
            "0000:02:10.2: Failed setting device state to RUNNING_P2P. Recover state is ERROR. Resetting device: Input/output error",
            "2026-11-23T06:24:00Z qemu-system-x86_64: 0000:02:10.2: Failed setting device state to RUNNING, err: Input/output error. Recover state is ERROR. Resetting device",
            "0000:02:10.2: Failed setting device in recover state, err: Input/output error. Resetting device",
            "0000:02:10.2: Received INIT_DATA_SENT but switchover ack is not used",
            "Unknown savevm section or instance '0000:00:05.0/vfio' 0. Make sure that your current VM setup matches your saved VM setup",
            "qemu-system-x86_64: load of migration failed: Invalid argument",
            "qemu-system-x86_64: error while loading state for instance 0x0 of device '0000:00:05.0/vfio'",
        ] {
            assert!(matches!(read(line, &device), Says::Loss(_)), "{line}");
        }
    }

    #[test]
    fn another_device_is_another_matter_and_an_unknown_line_is_not_overlooked() {
        let device = ["0000:02:10.2".parse().unwrap()];
        let other = "0000:02:10.4: Failed setting device state to RUNNING. Recover state is ERROR. Resetting device: x";
        assert_eq!(read(other, &device), Says::Nothing);
        assert_eq!(read("0000:02:10.2: something new", &device), Says::Unknown);
        let recovered =
            "0000:02:10.2: Failed setting device state to PRE_COPY. Setting device in recover state RUNNING: x";
        assert_eq!(read(recovered, &device), Says::Unknown);
        let start = "qemu-system-x86_64: warning: vfio 0000:02:10.2: Could not enable error recovery for the device";
        assert_eq!(read(start, &device), Says::Nothing);
        assert_eq!(read("char device redirected to /dev/pts/0", &device), Says::Nothing);
    }

    #[test]
    fn versions_are_read_as_libvirt_writes_them() {
        assert_eq!(version("10.0.2Debian 1:10.0.2+ds-2"), Some((10, 0)));
        assert_eq!(version("8.2.1"), Some((8, 2)));
        assert_eq!(version("x"), None);
        assert!(is_known((8, 0)) && is_known((9, 2)) && is_known((10, 0)));
        assert!(!is_known((7, 2)) && !is_known((10, 1)));
    }
}
