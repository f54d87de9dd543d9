//! VFIO drivers of the kernel and their devices, and the distributions whose kernels have none: tables whose rows say where they
//! come from. A name proves nothing: the tables say what a driver can do at best.

use super::known::Origin;

/// The newest kernel whose drivers were read.
pub(crate) const READ_TO: &str = "7.3";

/// What is known of one in-tree VFIO driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct KnownDriver {
    /// Its name with underscores, which is its module's.
    pub name: &'static str,
    /// Whether it implements migration at all.
    pub migrates: bool,
    /// The kernel's build option.
    pub option: &'static str,
    /// Its devices, by vendor.
    pub vendor: u16,
    /// Its devices, as far as they are few.
    pub families: &'static [Family],
    /// How many migrations a PF of its vendor takes at once, where that is known.
    pub per_pf: Option<PerPf>,
    /// Where the row comes from.
    pub origin: Origin,
}

/// How many migrations a PF takes at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PerPf {
    /// The number.
    pub most: usize,
    /// Where it comes from.
    pub origin: Origin,
}

/// Devices of a driver that need the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Family {
    /// Product ids.
    pub devices: &'static [u16],
    /// Drivers that their PF must be bound to, one of them.
    pub pf_drivers: &'static [&'static str],
    /// The first kernel in which the driver migrates them.
    pub first: (u64, u64, u64),
}

const fn read(source: &'static str) -> Origin {
    Origin::new(source, "Linux 7.3.4, 2026-11-28")
}

/// In-tree VFIO drivers, from the kernel's `drivers/vfio/pci/`.
pub(crate) const KNOWN: &[KnownDriver] = &[
    KnownDriver {
        name: "mlx5_vfio_pci",
        migrates: true,
        option: "CONFIG_MLX5_VFIO_PCI",
        vendor: 0x15b3,
        families: &[Family { devices: &[0x101e], pf_drivers: &["mlx5_core"], first: (5, 18, 0) }],
        per_pf: Some(PerPf {
            most: 4,
            origin: Origin::new("Red Hat, Configuring and managing Linux virtual machines", "RHEL 10, 2026-11-28"),
        }),
        origin: read("drivers/vfio/pci/mlx5/main.c"),
    },
    KnownDriver {
        name: "hisi_acc_vfio_pci",
        migrates: true,
        option: "CONFIG_HISI_ACC_VFIO_PCI",
        vendor: 0x19e5,
        families: &[
            Family { devices: &[0xa251], pf_drivers: &["hisi_zip"], first: (5, 18, 0) },
            Family { devices: &[0xa256], pf_drivers: &["hisi_sec2"], first: (5, 18, 0) },
            Family { devices: &[0xa259], pf_drivers: &["hisi_hpre"], first: (5, 18, 0) },
        ],
        per_pf: None,
        origin: read("drivers/vfio/pci/hisilicon/hisi_acc_vfio_pci.c"),
    },
    KnownDriver {
        name: "pds_vfio_pci",
        migrates: true,
        option: "CONFIG_PDS_VFIO_PCI",
        vendor: 0x1dd8,
        families: &[Family { devices: &[0x1003], pf_drivers: &["pds_core"], first: (6, 6, 0) }],
        per_pf: None,
        origin: read("drivers/vfio/pci/pds/pci_drv.c"),
    },
    KnownDriver {
        name: "virtio_vfio_pci",
        migrates: true,
        option: "CONFIG_VIRTIO_VFIO_PCI",
        vendor: 0x1af4,
        families: &[Family { devices: &[0x1041, 0x1042], pf_drivers: &["virtio-pci"], first: (6, 13, 0) }],
        per_pf: None,
        origin: read("drivers/vfio/pci/virtio/main.c"),
    },
    KnownDriver {
        name: "qat_vfio_pci",
        migrates: true,
        option: "CONFIG_QAT_VFIO_PCI",
        vendor: 0x8086,
        families: &[
            Family { devices: &[0x4941, 0x4943, 0x4945], pf_drivers: &["4xxx"], first: (6, 10, 0) },
            Family { devices: &[0x4947], pf_drivers: &["420xx"], first: (7, 1, 0) },
            // Generation 6.
            Family { devices: &[0x4949], pf_drivers: &["6xxx"], first: (6, 17, 0) },
        ],
        per_pf: None,
        origin: read("drivers/vfio/pci/qat/main.c, drivers/crypto/intel/qat/qat_common/adf_accel_devices.h"),
    },
    KnownDriver {
        name: "xe_vfio_pci",
        migrates: true,
        option: "CONFIG_XE_VFIO_PCI",
        vendor: 0x8086,
        families: &[
            // Panther Lake, Wildcat Lake, Battlemage (Arc Pro).
            Family {
                devices: &[
                    0xb080, 0xb081, 0xb082, 0xb083, 0xb084, 0xb085, 0xb086, 0xb087, 0xb08f, 0xb090, 0xb0a0, 0xb0b0,
                    0xfd80, 0xfd81, 0xe202, 0xe209, 0xe20b, 0xe20c, 0xe20d, 0xe210, 0xe211, 0xe212, 0xe216, 0xe220,
                    0xe221, 0xe222, 0xe223,
                ],
                pf_drivers: &["xe"],
                first: (6, 19, 0),
            },
        ],
        per_pf: None,
        origin: read("drivers/vfio/pci/xe/main.c, include/drm/intel/pciids.h"),
    },
    KnownDriver {
        name: "nvgrace_gpu_vfio_pci",
        migrates: false,
        option: "CONFIG_NVGRACE_GPU_VFIO_PCI",
        vendor: 0x10de,
        families: &[Family { devices: &[0x2342, 0x2345, 0x2348, 0x2941, 0x31c2], pf_drivers: &[], first: (6, 9, 0) }],
        per_pf: None,
        origin: read("drivers/vfio/pci/nvgrace-gpu/main.c"),
    },
    KnownDriver {
        name: "ism_vfio_pci",
        migrates: false,
        option: "CONFIG_ISM_VFIO_PCI",
        vendor: 0x1014,
        families: &[Family { devices: &[0x04ed], pf_drivers: &[], first: (7, 1, 0) }],
        per_pf: None,
        origin: read("drivers/vfio/pci/ism/main.c"),
    },
    KnownDriver {
        name: "vfio_pci",
        migrates: false,
        option: "CONFIG_VFIO_PCI",
        vendor: 0,
        families: &[],
        per_pf: None,
        origin: read("drivers/vfio/pci/vfio_pci.c"),
    },
];

impl KnownDriver {
    /// The family of a device of this driver.
    pub(crate) fn family(&self, device: u16) -> Option<&'static Family> {
        self.families.iter().find(|family| family.devices.contains(&device))
    }

    /// Drivers that the PF of this device must be bound to, one of them; for a device that the table lacks, those of all.
    pub(crate) fn pf_drivers(&self, device: Option<u16>) -> Vec<&'static str> {
        match device.and_then(|device| self.family(device)) {
            Some(family) => family.pf_drivers.to_vec(),
            None => self.families.iter().flat_map(|family| family.pf_drivers).copied().collect(),
        }
    }

    /// The first kernel in which it migrates this device; for a device that the table lacks, any of its devices.
    pub(crate) fn first_kernel(&self, device: Option<u16>) -> Option<(u64, u64, u64)> {
        let of_device = device.and_then(|device| self.family(device)).map(|family| family.first);
        of_device.or_else(|| self.families.iter().map(|family| family.first).min())
    }
}

/// The driver that the kernel has for a device with these ids, if it was built.
pub(crate) fn for_ids(vendor: u16, device: u16) -> Option<&'static KnownDriver> {
    KNOWN.iter().find(|known| known.vendor == vendor && known.family(device).is_some())
}

/// How many migrations a PF of this vendor takes at once, where that is known.
pub(crate) fn per_pf(vendor: u16) -> Option<usize> {
    KNOWN.iter().filter(|known| known.vendor == vendor).find_map(|known| known.per_pf).map(|per_pf| per_pf.most)
}

/// The table's entry for a driver; `-` and `_` are the same (`xe-vfio-pci` is module `xe_vfio_pci`).
pub(crate) fn known(driver: &str) -> Option<&'static KnownDriver> {
    let name = driver.replace('-', "_");
    KNOWN.iter().find(|known| known.name == name)
}

/// The name under which a module registers its driver: the same, but for those that are read otherwise.
pub(crate) fn driver_of(module: &str) -> &str {
    match module {
        "xe_vfio_pci" => "xe-vfio-pci",
        "vfio_pci" => "vfio-pci",
        _ => module,
    }
}

/// Why a device of these ids has no variant driver, whatever the kernel's configuration.
pub(crate) fn why_none(vendor: u16, device: u16) -> String {
    let note = OUT_OF_TREE.iter().find(|other| other.vendor == vendor && other.devices.contains(&device));
    let note = note.map_or(String::new(), |other| format!("; {}", other.text));
    format!("no Linux kernel up to {READ_TO} has a variant driver for it{note}")
}

/// A driver outside of the kernel.
struct OutOfTree {
    vendor: u16,
    devices: &'static [u16],
    text: &'static str,
    #[cfg_attr(not(test), expect(dead_code, reason = "for who reads the table, and for its test"))]
    origin: Origin,
}

const OUT_OF_TREE: &[OutOfTree] = &[OutOfTree {
    vendor: 0x8086,
    devices: &[0x1889],
    text: "Intel's own ice-vfio-pci speaks protocol v1 only, which the kernel has removed",
    origin: Origin::new("ice out-of-tree driver, ice_vfio_pci_table, HAVE_LMV1_SUPPORT", "ice 1.x, 2026-11-28"),
}];

/// A distribution whose own kernels have no variant driver.
#[derive(Debug)]
pub(crate) struct Distribution {
    /// Its name.
    pub name: &'static str,
    /// How a release of its kernels (`uname -r`) is told from others.
    is: fn(&str) -> bool,
    #[cfg_attr(not(test), expect(dead_code, reason = "for who reads the table, and for its test"))]
    origin: Origin,
}

const WITHOUT: &[Distribution] = &[Distribution {
    name: "Debian",
    // 6.1.0-28-amd64, 6.12.57+deb13-amd64, 6.12.9+bpo-cloud-arm64.
    is: |release| {
        release.contains("+deb")
            || release.contains("+bpo")
            || ["-amd64", "-arm64"].iter().any(|arch| release.ends_with(arch))
    },
    origin: Origin::new("configuration and module lists of the linux-image packages", "6.12.117 and 7.3.4, 2026-11-28"),
}];

/// The distribution of a kernel whose packages have no variant driver at all.
pub(crate) fn distribution_without(release: &str) -> Option<&'static Distribution> {
    WITHOUT.iter().find(|distribution| (distribution.is)(release))
}

impl Distribution {
    /// The sentence for findings.
    pub(crate) fn sentence(&self) -> String {
        format!(
            "{}'s kernel packages have no variant driver; Ubuntu's and RHEL's have, or a kernel built with it",
            self.name
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_has_its_origin() {
        for known in KNOWN {
            let per_pf = known.per_pf.is_none_or(|per_pf| per_pf.origin.is_complete());
            assert!(known.origin.is_complete() && per_pf, "{}", known.name);
        }
        assert!(OUT_OF_TREE.iter().all(|other| other.origin.is_complete()));
        assert!(WITHOUT.iter().all(|distribution| distribution.origin.is_complete()));
    }

    #[test]
    fn no_device_is_in_two_rows() {
        let mut seen = std::collections::BTreeSet::new();
        for known in KNOWN {
            for device in known.families.iter().flat_map(|family| family.devices) {
                assert!(seen.insert((known.vendor, *device)), "{:04x}:{device:04x}", known.vendor);
            }
        }
    }

    #[test]
    fn each_generation_of_qat_has_its_own_pf_driver_and_kernel() {
        for (device, pf, first) in [
            (0x4941, "4xxx", (6, 10, 0)),
            (0x4943, "4xxx", (6, 10, 0)),
            (0x4945, "4xxx", (6, 10, 0)),
            (0x4947, "420xx", (7, 1, 0)),
            (0x4949, "6xxx", (6, 17, 0)),
        ] {
            let known = for_ids(0x8086, device).unwrap();
            assert_eq!(known.name, "qat_vfio_pci");
            assert_eq!(known.pf_drivers(Some(device)), [pf], "{device:04x}");
            assert_eq!(known.first_kernel(Some(device)), Some(first), "{device:04x}");
        }
        assert_eq!(known("qat_vfio_pci").unwrap().pf_drivers(None), ["4xxx", "420xx", "6xxx"]);
    }

    #[test]
    fn graphics_of_xe_are_known() {
        let cards = (0xb080..=0xb087).chain([0xb08f, 0xb090, 0xb0a0, 0xb0b0, 0xfd80, 0xfd81, 0xe202, 0xe209]);
        for device in cards.chain(0xe20b..=0xe20d).chain(0xe210..=0xe212).chain([0xe216]).chain(0xe220..=0xe223) {
            assert_eq!(for_ids(0x8086, device).map(|known| known.name), Some("xe_vfio_pci"), "{device:04x}");
        }
    }

    #[test]
    fn cards_that_no_kernel_can_migrate_are_told_with_the_kernel_that_was_read() {
        for (vendor, device) in
            [(0x8086, 0x1889), (0x8086, 0x154c), (0x8086, 0x10ed), (0x144d, 0xa808), (0x14e4, 0x16dc)]
        {
            assert_eq!(for_ids(vendor, device), None, "{vendor:04x}:{device:04x}");
            assert!(why_none(vendor, device).starts_with("no Linux kernel up to 7.3 has"));
        }
        assert!(why_none(0x8086, 0x1889).contains("protocol v1"));
        assert!(!why_none(0x8086, 0x154c).contains("protocol v1"));
    }

    #[test]
    fn stock_kernels_of_debian_have_no_variant_driver() {
        for (release, name) in [
            ("6.12.117+deb13-amd64", Some("Debian")),
            ("6.1.0-28-amd64", Some("Debian")),
            ("7.3.4+deb13-cloud-arm64", Some("Debian")),
            ("6.12.9+bpo-amd64", Some("Debian")),
            ("6.8.0-45-generic", None),
            ("5.14.0-503.el9.x86_64", None),
            ("6.8.12-4-pve", None),
            ("6.18.3", None),
        ] {
            assert_eq!(distribution_without(release).map(|found| found.name), name, "{release}");
        }
    }
}
