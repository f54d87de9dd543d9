//! For every VFIO driver of the kernel: one tree where all is well, and one for each link that can be broken.

use serde_json::Value;

use crate::program;
use crate::tree::{self, synthetic::Synthetic};

struct Driver {
    name: &'static str,
    module: &'static str,
    parent: &'static str,
    ids: (u16, u16, u16),
    class: u32,
    migrates: bool,
}

const fn driver(
    name: &'static str,
    module: &'static str,
    parent: &'static str,
    ids: (u16, u16, u16),
    class: u32,
    migrates: bool,
) -> Driver {
    Driver { name, module, parent, ids, class, migrates }
}

const DRIVERS: &[Driver] = &[
    driver("mlx5_vfio_pci", "mlx5_vfio_pci", "mlx5_core", (0x15b3, 0x1021, 0x101e), 0x02_0000, true),
    driver("hisi_acc_vfio_pci", "hisi_acc_vfio_pci", "hisi_zip", (0x19e5, 0xa250, 0xa251), 0x12_0000, true),
    driver("pds_vfio_pci", "pds_vfio_pci", "pds_core", (0x1dd8, 0x100c, 0x1003), 0x02_0000, true),
    driver("virtio_vfio_pci", "virtio_vfio_pci", "virtio-pci", (0x1af4, 0x1041, 0x1041), 0x02_0000, true),
    driver("qat_vfio_pci", "qat_vfio_pci", "4xxx", (0x8086, 0x4940, 0x4941), 0x0b_4000, true),
    driver("xe-vfio-pci", "xe_vfio_pci", "xe", (0x8086, 0xe20b, 0xe20b), 0x03_0000, true),
    driver("nvgrace_gpu_vfio_pci", "nvgrace_gpu_vfio_pci", "nvidia", (0x10de, 0x2342, 0x2342), 0x03_0200, false),
    driver("ism_vfio_pci", "ism_vfio_pci", "ism", (0x1014, 0x04ed, 0x04ed), 0x12_0000, false),
];

/// One VF of `driver`, bound to `bound`; what debugfs says of it; whether the kernel has the module.
fn inventory(
    driver: &Driver,
    bound: Option<&'static str>,
    pf: Option<&'static str>,
    says: Option<bool>,
    has: bool,
) -> Value {
    inventory_with(driver, bound, pf, says, has, "", "")
}

/// The same with further tags of its device_spec, and further lines of the tree's manifest.
fn inventory_with(
    driver: &Driver,
    bound: Option<&'static str>,
    pf: Option<&'static str>,
    says: Option<bool>,
    has: bool,
    tags: &str,
    more: &str,
) -> Value {
    let place = tempfile::tempdir().unwrap();
    let (vendor, _, vf) = driver.ids;
    Synthetic { vfs: 1, ids: driver.ids, class: driver.class, pf_driver: pf, vf_driver: bound, debugfs: says, pfs: 1 }
        .build(place.path());
    let own = format!("\\nalias vfio_pci:v{vendor:08X}d{vf:08X}sv*sd*bc*sc*i* {}", driver.module);
    let manifest = format!(
        "proc/sys/kernel/osrelease = 6.19.0\n\
         lib/modules/6.19.0/modules.alias = alias vfio_pci:v*d*sv*sd*bc*sc*i* vfio_pci{}\n\
         etc/nova/nova.conf = [pci]\\ndevice_spec = {{\"address\": \"0000:04:00.1\", \"live_migratable\": \"yes\"{tags}}}\n",
        if has { own.as_str() } else { "" }
    );
    tree::expand(&manifest, place.path());
    tree::expand(more, place.path());
    let output = program::pvm(place.path()).args(["inventory", "--root", ".", "-o", "json"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The first broken link and the finding's code and remedy.
fn verdict(snapshot: &Value) -> (Option<String>, Option<String>, String) {
    let vf = &snapshot["devices"][1];
    let chain = vf["migration"]["chain"].as_array().unwrap();
    let broken = chain.iter().find(|link| link["holds"] == false).map(|link| link["link"].as_str().unwrap().to_owned());
    let findings = snapshot["findings"].as_array().unwrap();
    assert!(findings.len() <= 1, "{findings:#?}");
    let finding = findings.first();
    let code = finding.map(|f| f["code"].as_str().unwrap().to_owned());
    (broken, code, finding.map(|f| f["remedy"].as_str().unwrap().to_owned()).unwrap_or_default())
}

#[test]
fn all_is_well() {
    for driver in DRIVERS.iter().filter(|d| d.migrates) {
        let snapshot = inventory(driver, Some(driver.name), Some(driver.parent), Some(true), true);
        assert_eq!(verdict(&snapshot), (None, None, String::new()), "{}", driver.name);
        let migration = &snapshot["devices"][1]["migration"];
        assert_eq!(migration["supported"], "yes");
        assert_eq!(migration["asked"]["supported"], "debugfs");
        assert!(migration["chain"].as_array().unwrap().iter().all(|link| link["holds"] == true), "{migration:#}");
    }
}

#[test]
fn a_name_without_an_answer_is_unknown() {
    for driver in DRIVERS {
        let snapshot = inventory(driver, Some(driver.name), Some(driver.parent), None, true);
        let migration = &snapshot["devices"][1]["migration"];
        if driver.migrates {
            assert_eq!(migration["supported"], Value::Null, "{}", driver.name);
            assert_eq!(verdict(&snapshot), (None, None, String::new()), "{}", driver.name);
        } else {
            assert_eq!(migration["asked"]["supported"], "driver-table", "{}", driver.name);
        }
    }
}

#[test]
fn a_driver_that_never_migrates_is_named() {
    for driver in DRIVERS.iter().filter(|d| !d.migrates) {
        let snapshot = inventory(driver, Some(driver.name), Some(driver.parent), Some(false), true);
        let (broken, code, remedy) = verdict(&snapshot);
        assert_eq!((broken.as_deref(), code.as_deref()), (Some("driver"), Some("declared-cannot")), "{}", driver.name);
        assert!(remedy.contains("remove live_migratable"), "{remedy}");
    }
}

#[test]
fn the_first_broken_link_is_the_one_to_fix() {
    for driver in DRIVERS.iter().filter(|d| d.migrates) {
        let name = driver.name;
        let expect = |snapshot: &Value, link: &str, commands: &[&str]| {
            let (broken, code, remedy) = verdict(snapshot);
            assert_eq!((broken.as_deref(), code.as_deref()), (Some(link), Some("declared-cannot")), "{name}");
            for command in commands {
                assert!(remedy.contains(command), "{name} {link}: {remedy}");
            }
        };
        // The kernel has no such module, so libvirt bound plain vfio-pci.
        expect(&inventory(driver, Some("vfio-pci"), Some(driver.parent), Some(false), false), "module", &[]);
        // The PF is in other hands.
        let other = inventory(driver, Some(name), Some("vfio-pci"), Some(false), true);
        expect(&other, "pf", &["modprobe", "VFs", "0000:04:00.0/driver/unbind", "drivers_probe"]);
        expect(&inventory(driver, Some(name), None, Some(false), true), "pf", &["bind"]);
        // The module is there and plain vfio-pci is bound.
        let plain = inventory(driver, Some("vfio-pci"), Some(driver.parent), Some(false), true);
        let bind = format!("echo {name} > /sys/bus/pci/devices/0000:04:00.1/driver_override");
        expect(&plain, "driver", &[&bind, &format!("modprobe {}", driver.module), "drivers_probe"]);
        // All is bound as it should be, and the device says no.
        expect(&inventory(driver, Some(name), Some(driver.parent), Some(false), true), "probe", &[]);
    }
}

#[test]
fn a_device_that_is_not_bound_yet_is_no_mismatch() {
    // Without the tag managed, libvirt binds the variant driver when the guest starts.
    for driver in DRIVERS.iter().filter(|d| d.migrates) {
        let snapshot = inventory(driver, None, Some(driver.parent), None, true);
        assert_eq!(verdict(&snapshot), (None, None, String::new()), "{}", driver.name);
        assert_eq!(snapshot["devices"][1]["candidate_driver"], driver.module);
    }
}

const PF: &str = "sys/devices/pci0000:00/0000:00:01.0/0000:04:00.0";
const VF: &str = "sys/devices/pci0000:00/0000:00:01.0/0000:04:00.1";

#[test]
fn firmware_older_than_its_vendor_asks_for_is_the_first_link() {
    let mlx5 = DRIVERS.iter().find(|d| d.name == "mlx5_vfio_pci").unwrap();
    let with = |version: &str, says| {
        let card = format!("{PF}/infiniband/mlx5_0");
        let more = format!("{card}/fw_ver = {version}\n{card}/board_id = MT_0000000838\n");
        inventory_with(mlx5, Some(mlx5.name), Some(mlx5.parent), Some(says), true, "", &more)
    };
    let old = with("28.39.2048", false);
    let (broken, code, remedy) = verdict(&old);
    assert_eq!((broken.as_deref(), code.as_deref()), (Some("firmware"), Some("declared-cannot")));
    assert!(remedy.contains("update the card's firmware"), "{remedy}");
    assert_eq!(old["devices"][0]["firmware"]["psid"], "MT_0000000838");
    assert_eq!(old["devices"][1]["firmware"], Value::Null, "nothing is copied from the PF");
    assert_eq!(verdict(&with("28.39.2048", true)), (None, None, String::new()), "the device itself says yes");
    assert_eq!(verdict(&with("28.41.1000", false)).0.as_deref(), Some("probe"));
}

#[test]
fn a_vgpu_needs_a_type() {
    let gpu = driver("nvidia", "nvidia_vgpu_vfio", "nvidia", (0x10de, 0x2235, 0x2235), 0x03_0200, true);
    let with = |kind: &str, tags: &str, more: &str| {
        let more = format!("{VF}/nvidia/current_vgpu_type = {kind}\nsys/module/nvidia/version = 550.90.05\n{more}");
        inventory_with(&gpu, Some("nvidia"), Some("nvidia"), None, false, tags, &more)
    };
    let none = with("0", "", "");
    let (broken, code, remedy) = verdict(&none);
    assert_eq!((broken.as_deref(), code.as_deref()), (Some("driver"), Some("declared-cannot")));
    assert!(remedy.contains("0000:04:00.1/nvidia/current_vgpu_type"), "{remedy}");
    assert_eq!(none["devices"][1]["vendor"], serde_json::json!({"vgpu_manager": "550.90.05", "vgpu_type": 0}));
    // Nova's guide says managed: no for them: what is missing is the type, not another driver.
    let (_, code, remedy) = verdict(&with("0", ", \"managed\": \"no\"", ""));
    assert_eq!(code.as_deref(), Some("unmanaged-not-bound"));
    assert!(remedy.contains("creatable_vgpu_types") && !remedy.contains("driver_override"), "{remedy}");
    let vfio = format!("{VF}/vfio-dev/vfio1/dev = 511:1\n");
    let set = with("558", ", \"managed\": \"no\"", &vfio);
    assert_eq!(verdict(&set), (None, None, String::new()));
    assert_eq!(set["devices"][1]["vendor"]["vgpu_type"], 558);
    assert_eq!(set["devices"][1]["migration"]["variant_driver"], "nvidia");
    // An attribute that cannot be read is unknown, not none.
    let odd = with("\u{1b}[2J", "", "");
    assert_eq!(odd["devices"][1]["vendor"]["vgpu_type"], Value::Null);
    let unknown = odd["devices"][1]["unknown"].as_array().unwrap();
    assert!(unknown.iter().any(|u| u["fact"] == "vendor.vgpu_type"), "{unknown:#?}");
}

#[test]
fn quick_assist_must_be_up_and_tells_its_services() {
    let qat = DRIVERS.iter().find(|d| d.name == "qat_vfio_pci").unwrap();
    let with = |state: &str| {
        let more = format!("{PF}/qat/cfg_services = sym;asym\n{PF}/qat/state = {state}\n");
        inventory_with(
            qat,
            Some(qat.name),
            Some(qat.parent),
            if state == "up" { Some(true) } else { None },
            true,
            "",
            &more,
        )
    };
    let up = with("up");
    assert_eq!(verdict(&up), (None, None, String::new()));
    assert_eq!(up["devices"][0]["vendor"], serde_json::json!({"cfg_services": "sym;asym", "qat_state": "up"}));
    assert_eq!(up["devices"][1]["vendor"], serde_json::json!({}), "nothing is copied from the PF");
    let (broken, code, remedy) = verdict(&with("down"));
    assert_eq!((broken.as_deref(), code.as_deref()), (Some("pf"), Some("declared-cannot")));
    assert_eq!(remedy, "echo up > /sys/bus/pci/devices/0000:04:00.0/qat/state");
}

#[test]
fn hisilicon_tells_what_its_vfs_share() {
    let zip = DRIVERS.iter().find(|d| d.name == "hisi_acc_vfio_pci").unwrap();
    let more = format!("sys/module/hisi_zip/parameters/pf_q_num = 256\n{PF}/uacce/hisi_zip-3/isolate = 0\n");
    let snapshot = inventory_with(zip, Some(zip.name), Some(zip.parent), Some(true), true, "", &more);
    assert_eq!(snapshot["devices"][0]["vendor"], serde_json::json!({"isolate": 0, "pf_q_num": 256, "vfs": 1}));
}

/// The remedy of the one finding with a code, of one VF and what the manifest adds.
fn remedy_of(code: &str, pf: &'static str, more: &str) -> String {
    let driver = &DRIVERS[0];
    let snapshot = inventory_with(driver, Some(driver.name), Some(pf), Some(true), true, "", more);
    let found: Vec<&Value> =
        snapshot["findings"].as_array().unwrap().iter().filter(|finding| finding["code"] == code).collect();
    assert_eq!(found.len(), 1, "{code}: {found:#?}");
    found[0]["remedy"].as_str().unwrap().to_owned()
}

/// A function of the VF's IOMMU group that the host drives.
fn neighbour(class: &str, driver: &str) -> String {
    let group = "sys/kernel/iommu_groups/1/devices";
    let at = "sys/devices/pci0000:00/0000:00:17.0";
    format!(
        "{at}/vendor = 0x8086\n{at}/device = 0xa282\n{at}/uevent = DRIVER={driver}\\nPCI_CLASS={class}\\nPCI_ID=8086:A282\\nPCI_SLOT_NAME=0000:00:17.0\n\
         {at}/driver -> ../../../bus/pci/drivers/{driver}\n{at}/iommu_group -> ../../../kernel/iommu_groups/1\n\
         sys/bus/pci/drivers/{driver}/0000:00:17.0 -> ../../../../devices/pci0000:00/0000:00:17.0\n\
         sys/bus/pci/devices/0000:00:17.0 -> ../../../devices/pci0000:00/0000:00:17.0\n\
         {group}/0000:00:17.0 -> ../../../../devices/pci0000:00/0000:00:17.0\n"
    )
}

#[test]
fn a_split_group_never_costs_the_host_a_device_it_needs() {
    for (class, driver, why) in
        [("10601", "ahci", "storage controller"), ("30000", "i915", "display"), ("C0330", "xhci_hcd", "may be in use")]
    {
        let remedy = remedy_of("iommu-group-split", "mlx5_core", &neighbour(class, driver));
        assert!(remedy.contains(why) && remedy.contains("ACS") && !remedy.contains("unbind"), "{driver}: {remedy}");
    }
    let remedy = remedy_of("iommu-group-split", "mlx5_core", &neighbour("40300", "snd_hda_intel"));
    assert_eq!(remedy, "echo 0000:00:17.0 > /sys/bus/pci/devices/0000:00:17.0/driver/unbind");
}

/// Proxmox binds plain vfio-pci when a guest starts, unless the guest's configuration says otherwise.
#[test]
fn on_proxmox_the_guest_has_to_keep_the_driver() {
    let kernel = "6.19.2-1-pve";
    let tree = format!(
        "proc/sys/kernel/osrelease = {kernel}\n\
         lib/modules/{kernel}/modules.alias = alias vfio_pci:v000015B3d0000101Esv*sd*bc*sc*i* mlx5_vfio_pci\n"
    );
    let plain = inventory_with(&DRIVERS[0], Some("vfio-pci"), Some("mlx5_core"), Some(false), true, "", &tree);
    let (_, _, remedy) = verdict(&plain);
    assert!(remedy.contains("# a guest of Proxmox keeps it with hostpciN: 0000:04:00.1,driver=keep"), "{remedy}");
}
