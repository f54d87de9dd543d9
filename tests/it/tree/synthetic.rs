//! A host with any number of PFs and VFs, in the shape of a real kernel's sysfs. VFs differ from their PF and from each other
//! in what a reader could be tempted to copy: subsystem, revision, BARs, NUMA node, MSI-X.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    dead_code,
    unreachable_pub,
    reason = "shared by tests and the benchmark"
)]

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

/// What to build.
#[derive(Debug, Clone)]
pub struct Synthetic {
    /// Physical functions.
    pub pfs: u32,
    /// VFs on each, at most 254.
    pub vfs: u32,
    /// Vendor, PF device, VF device.
    pub ids: (u16, u16, u16),
    /// Class of all of them.
    pub class: u32,
    /// Driver of PFs, none for unbound ones.
    pub pf_driver: Option<&'static str>,
    /// Driver of VFs, none for unbound ones.
    pub vf_driver: Option<&'static str>,
    /// What debugfs says of the VFs: that they migrate, that they do not, or nothing where it is not there.
    pub debugfs: Option<bool>,
}

impl Default for Synthetic {
    fn default() -> Self {
        Self {
            pfs: 1,
            vfs: 4,
            ids: (0x15b3, 0x1021, 0x101e),
            class: 0x02_0000,
            pf_driver: Some("mlx5_core"),
            vf_driver: Some("mlx5_vfio_pci"),
            debugfs: None,
        }
    }
}

struct Function<'a> {
    address: String,
    bridge: String,
    number: u32,
    device: u16,
    numa: i32,
    driver: Option<&'a str>,
}

impl Synthetic {
    /// Builds the tree below `root`.
    pub fn build(&self, root: &Path) {
        let sys = root.join("sys");
        for folder in ["bus/pci/devices", "bus/pci/drivers", "class/vfio-dev", "kernel/iommu_groups"] {
            fs::create_dir_all(sys.join(folder)).unwrap();
        }
        let mut number = 0;
        for pf in 0..self.pfs {
            let (domain, bus) = (pf / 120, 2 * (pf % 120) + 4);
            let at = |n: u32| format!("{domain:04x}:{:02x}:{:02x}.{:x}", bus + (n >> 8), (n >> 3) & 31, n & 7);
            let bridge = format!("{domain:04x}:00:{:02x}.0", 1 + pf % 30);
            let function = |n: u32, number: u32| Function {
                address: at(n),
                bridge: bridge.clone(),
                number,
                device: if n == 0 { self.ids.1 } else { self.ids.2 },
                numa: i32::try_from((pf + n) % 2).unwrap(),
                driver: if n == 0 { self.pf_driver } else { self.vf_driver },
            };
            let pf_folder = self.function(&sys, &function(0, number));
            for (name, value) in [
                ("sriov_totalvfs", self.vfs.max(1).to_string()),
                ("sriov_numvfs", self.vfs.to_string()),
                ("sriov_offset", "1".to_owned()),
                ("sriov_stride", "1".to_owned()),
                ("sriov_drivers_autoprobe", "0".to_owned()),
            ] {
                fs::write(pf_folder.join(name), value + "\n").unwrap();
            }
            for n in 1..=self.vfs {
                let vf = self.function(&sys, &function(n, number + n));
                symlink(format!("../{}", at(0)), vf.join("physfn")).unwrap();
                symlink(format!("../{}", at(n)), pf_folder.join(format!("virtfn{}", n - 1))).unwrap();
                self.vfio(&sys, &vf, &at(n), number + n);
            }
            number += self.vfs + 1;
        }
    }

    fn function(&self, sys: &Path, f: &Function<'_>) -> PathBuf {
        let inside = format!("devices/pci{}:00/{}/{}", &f.address[..4], f.bridge, f.address);
        let folder = sys.join(&inside);
        fs::create_dir_all(&folder).unwrap();
        let (vendor, class, subsystem) = (self.ids.0, self.class, 0x1000 + f.number % 0xe000);
        let (major, middle, minor) = (class >> 16, (class >> 8) & 0xff, class & 0xff);
        let modalias = format!(
            "pci:v{vendor:08X}d{:08X}sv{vendor:08X}sd{subsystem:08X}bc{major:02X}sc{middle:02X}i{minor:02X}",
            f.device
        );
        let mut uevent = f.driver.map(|d| format!("DRIVER={d}\n")).unwrap_or_default();
        write!(uevent, "PCI_CLASS={class:04X}\nPCI_ID={vendor:04X}:{:04X}\n", f.device).unwrap();
        write!(uevent, "PCI_SUBSYS_ID={vendor:04X}:{subsystem:04X}\nPCI_SLOT_NAME={}\nMODALIAS={modalias}", f.address)
            .unwrap();
        let start = 0x38_0000_0000_u64 + (u64::from(f.number) << 24);
        let size = 0x1000_u64 << (f.number % 5);
        let none = "0x0000000000000000 0x0000000000000000 0x0000000000000000\n";
        let resource = format!("{start:#018x} {:#018x} 0x000000000014220c\n{}", start + size - 1, none.repeat(12));
        for (name, text) in [
            ("uevent", uevent),
            ("modalias", modalias),
            ("vendor", format!("{vendor:#06x}")),
            ("device", format!("{:#06x}", f.device)),
            ("subsystem_vendor", format!("{vendor:#06x}")),
            ("subsystem_device", format!("{subsystem:#06x}")),
            ("class", format!("{class:#08x}")),
            ("revision", format!("{:#04x}", f.number % 256)),
            ("numa_node", f.numa.to_string()),
            (
                "driver_override",
                if f.driver == self.vf_driver { f.driver.unwrap_or("(null)") } else { "(null)" }.to_owned(),
            ),
            ("reset_method", "flr".to_owned()),
            ("irq", "0".to_owned()),
            ("enable", "1".to_owned()),
            ("power_state", "D0".to_owned()),
            ("local_cpulist", "0-15".to_owned()),
        ] {
            fs::write(folder.join(name), text + "\n").unwrap();
        }
        fs::write(folder.join("resource"), resource).unwrap();
        fs::write(folder.join("config"), self.config(f)).unwrap();
        symlink(format!("../../../{inside}"), sys.join("bus/pci/devices").join(&f.address)).unwrap();
        let group = sys.join(format!("kernel/iommu_groups/{}", f.number));
        fs::create_dir_all(group.join("devices")).unwrap();
        fs::write(group.join("type"), "DMA-FQ\n").unwrap();
        symlink(format!("../../../../kernel/iommu_groups/{}", f.number), folder.join("iommu_group")).unwrap();
        if let Some(driver) = f.driver {
            let module = sys.join("module").join(driver.replace('-', "_"));
            fs::create_dir_all(&module).unwrap();
            let drivers = sys.join("bus/pci/drivers").join(driver);
            fs::create_dir_all(&drivers).unwrap();
            if fs::symlink_metadata(drivers.join("module")).is_err() {
                symlink(format!("../../../../module/{}", driver.replace('-', "_")), drivers.join("module")).unwrap();
            }
            symlink(format!("../../../../bus/pci/drivers/{driver}"), folder.join("driver")).unwrap();
        }
        folder
    }

    /// Configuration space: PCI Express at 0x60, MSI-X at 0x9c.
    fn config(&self, f: &Function<'_>) -> Vec<u8> {
        let mut bytes = vec![0u8; 256];
        // A real VF reads all ones here.
        let (vendor, device) = if f.device == self.ids.2 { (0xffff, 0xffff) } else { (self.ids.0, f.device) };
        bytes[0..2].copy_from_slice(&vendor.to_le_bytes());
        bytes[2..4].copy_from_slice(&device.to_le_bytes());
        bytes[6] = 0x10;
        bytes[8] = u8::try_from(f.number % 256).unwrap();
        bytes[0x34] = 0x60;
        bytes[0x60..0x62].copy_from_slice(&[0x10, 0x9c]);
        let vectors = u16::try_from(f.number % 64).unwrap();
        bytes[0x9c] = 0x11;
        bytes[0x9e..0xa0].copy_from_slice(&vectors.to_le_bytes());
        bytes[0xa4..0xa8].copy_from_slice(&0x2000u32.to_le_bytes());
        bytes
    }

    fn vfio(&self, sys: &Path, vf: &Path, address: &str, number: u32) {
        if !self.vf_driver.is_some_and(|d| d.ends_with("vfio_pci") || d.ends_with("vfio-pci")) {
            return;
        }
        let name = format!("vfio{number}");
        let inside = vf.join("vfio-dev").join(&name);
        fs::create_dir_all(&inside).unwrap();
        fs::write(inside.join("dev"), format!("511:{number}\n")).unwrap();
        let below = inside.strip_prefix(sys).unwrap();
        symlink(Path::new("../..").join(below), sys.join("class/vfio-dev").join(&name)).unwrap();
        if let Some(migrates) = self.debugfs {
            let debug = sys.join("kernel/debug/vfio").join(address);
            fs::create_dir_all(&debug).unwrap();
            if migrates {
                fs::create_dir_all(debug.join("migration")).unwrap();
                fs::write(debug.join("migration/state"), "RUNNING\n").unwrap();
            }
        }
    }
}
