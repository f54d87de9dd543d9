//! `pvm inventory` on captured, built and hostile trees.

use std::fs;
use std::path::Path;
use std::process::Output;

use serde_json::Value;

use crate::program;
use crate::tree::{self, synthetic::Synthetic};

fn pvm(args: &[&str], dir: &Path) -> Output {
    program::pvm(dir).args(args).output().unwrap()
}

fn snapshot(root: &Path) -> Value {
    let output = pvm(&["inventory", "--root", ".", "-o", "json"], root);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn device<'a>(snapshot: &'a Value, address: &str) -> &'a Value {
    snapshot["devices"].as_array().unwrap().iter().find(|d| d["address"] == address).unwrap()
}

fn codes(snapshot: &Value) -> Vec<&str> {
    snapshot["findings"].as_array().unwrap().iter().map(|f| f["code"].as_str().unwrap()).collect()
}

/// Every transcript in `tests/cmd/inventory`, run where the trees of `tests/fixtures/trees` are expanded.
#[test]
fn transcripts() {
    let place = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(tree::tests().join("fixtures/trees")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        tree::expand_fixture(name, &place.path().join(name));
    }
    let cases = tree::tests().join("cmd/inventory/*.trycmd");
    // Its own way to choose the directory would move this whole process, and other tests with it.
    let pvm = place.path().join("pvm");
    let start = format!("#!/bin/sh\ncd '{}' && exec '{}' \"$@\"\n", place.path().display(), program::PVM);
    program::executable(&pvm, &start);
    let transcripts = trycmd::TestCases::new();
    transcripts.env("STATE_DIRECTORY", place.path().join("state").to_string_lossy());
    transcripts.register_bin("pvm", pvm.as_path()).case(cases.to_str().unwrap());
}

#[test]
fn a_vf_is_read_and_not_copied_from_its_pf() {
    let place = tempfile::tempdir().unwrap();
    let built = Synthetic { pfs: 2, vfs: 70, ..Synthetic::default() };
    built.build(place.path());
    let snapshot = snapshot(place.path());
    assert_eq!(snapshot["devices"].as_array().unwrap().len(), 142);
    assert_eq!(codes(&snapshot), [] as [&str; 0]);
    for (address, number) in [("0000:04:00.0", 0u32), ("0000:04:00.1", 1), ("0000:04:08.6", 70), ("0000:06:00.2", 73)] {
        let found = device(&snapshot, address);
        let vf = !address.ends_with("00.0");
        assert_eq!(found["product_id"], if vf { "101e" } else { "1021" }, "{address}");
        assert_eq!(found["subsystem_device_id"], format!("{:04x}", 0x1000 + number), "{address}");
        assert_eq!(found["revision"], format!("{:02x}", number % 256), "{address}");
        assert_eq!(found["bars"][0]["size"], 0x1000u64 << (number % 5), "{address}");
        assert_eq!(found["msix"]["vectors"], number % 64 + 1, "{address}");
        assert_eq!(found["iommu_group"], number, "{address}");
        assert_eq!(found["iommu_group_type"], "DMA-FQ", "{address}");
        if vf {
            assert_eq!(found["vf_index"], number % 71 - 1, "{address}");
            assert_eq!(found["vfio_dev"], format!("vfio{number}"), "{address}");
            assert_eq!(found["cdev"], format!("/dev/vfio/devices/vfio{number}"), "{address}");
            assert_eq!(found["migration"]["variant_driver"], "mlx5_vfio_pci", "{address}");
        } else {
            assert_eq!(found["sriov"]["num"], 70);
        }
    }
}

#[test]
fn the_captured_host_gives_the_facts_that_were_captured_with_it() {
    let place = tempfile::tempdir().unwrap();
    tree::expand_fixture("lab-a", place.path());
    let snapshot = snapshot(place.path());
    assert_eq!(snapshot["devices"].as_array().unwrap().len(), 18);
    assert_eq!(codes(&snapshot), ["declared-cannot"], "01:10.4 is on plain vfio-pci");
    let vf = device(&snapshot, "0000:01:10.0");
    // What lspci -vv said of it on the same machine.
    let expected = serde_json::json!({
        "vendor_id": "8086", "product_id": "10ca", "subsystem_vendor_id": "1af4", "subsystem_device_id": "1100",
        "class": "020000", "revision": "01", "dev_type": "type-VF", "parent_addr": "0000:01:00.0", "vf_index": 0,
        "iommu_group": 10, "driver": "igbvf_vfio_pci", "driver_override": "igbvf_vfio_pci", "vfio_dev": "vfio0",
        "numa_node": null, "reset_methods": ["flr"], "rom": null,
        "bars": [
            {"index": 0, "kind": "memory", "size": 16384, "prefetchable": true, "is_64bit": true},
            {"index": 3, "kind": "memory", "size": 16384, "prefetchable": true, "is_64bit": true},
        ],
        "msix": {"vectors": 3, "table_bar": 3, "table_offset": 0, "pba_bar": 3, "pba_offset": 8192},
        "capabilities": [{"id": 16, "offset": 160}, {"id": 17, "offset": 112}],
    });
    for (fact, value) in expected.as_object().unwrap() {
        assert_eq!(&vf[fact], value, "{fact}");
    }
    assert_eq!(vf["declared"], "yes");
    assert_eq!(vf["candidate_driver"], "igbvf_vfio_pci");
    let answer = |address: &str| device(&snapshot, address)["migration"]["supported"].clone();
    assert_eq!(answer("0000:01:10.2"), "yes", "debugfs has a migration folder");
    assert_eq!(answer("0000:01:10.4"), "no", "debugfs has a folder without migration");
    assert_eq!(answer("0000:02:10.0"), Value::Null, "not bound to VFIO, so nobody could be asked");
    // 01:10.2 was never opened: its state reads ERROR, which is then no fact.
    assert_eq!(device(&snapshot, "0000:01:10.2")["migration"]["state"], Value::Null);
    assert_eq!(device(&snapshot, "0000:01:10.0")["migration"]["state"], "RUNNING");
    for word in ["nova:secret", "secret@controller", "rabbit"] {
        assert!(!snapshot.to_string().contains(word), "nothing else of nova.conf is in the snapshot");
    }
    assert_eq!(device(&snapshot, "0000:02:10.2")["driver"], Value::Null);
    assert_eq!(device(&snapshot, "0000:01:10.4")["migration"]["variant_driver"], Value::Null);
    assert_eq!(device(&snapshot, "0000:01:10.4")["vf_index"], 2);
    assert_eq!(snapshot["host"]["kernel"], "6.12.95-pvmlab");
    assert_eq!(snapshot["host"]["iommu"]["kind"], "intel");
    assert_eq!(snapshot["taken_at"], "", "a fixture gives the same bytes every time");
}

#[test]
fn a_hostile_tree_ends_in_findings() {
    let place = tempfile::tempdir().unwrap();
    Synthetic { vfs: 12, ..Synthetic::default() }.build(place.path());
    let long = "x".repeat(5000);
    let at = |n: u32| format!("sys/devices/pci0000:00/0000:00:01.0/0000:04:{:02x}.{:x}", n >> 3, n & 7);
    let secret = tempfile::tempdir().unwrap();
    fs::write(secret.path().join("numa_node"), "7\n").unwrap();
    let outside = secret.path().display().to_string();
    let manifest = format!(
        "{}/vendor !\n{}/uevent !\n{}/config !\n{}/numa_node = {long}\n{}/resource = \n{}/numa_node = nine\n\
         {}/iommu_group -> iommu_group\n{}/driver_override/\n{}/numa_node -> {outside}/numa_node\n\
         {}/physfn -> ../x\u{1b}[2J\nsys/bus/pci/devices/not\u{1b}[2Jone/\n\
         sys/bus/pci/devices/0000:05:00.0 -> 0000:05:00.1\nsys/bus/pci/devices/0000:05:00.1 -> 0000:05:00.0\n\
         sys/bus/pci/devices/0000:05:00.2 -> {outside}\nsys/bus/pci/devices/0000:05:00.3 -> nowhere\n",
        at(1),
        at(2),
        at(2),
        at(3),
        at(4),
        at(5),
        at(6),
        at(7),
        at(8),
        at(9),
    );
    // A folder cannot replace a file by a manifest line of its own.
    fs::remove_file(place.path().join(at(7)).join("driver_override")).unwrap();
    tree::expand(&manifest, place.path());
    let snapshot = snapshot(place.path());
    let said = |address: &str| -> String {
        let findings = snapshot["findings"].as_array().unwrap();
        let of = findings.iter().filter(|f| f["device"] == address);
        of.map(|f| f["message"].as_str().unwrap()).collect::<Vec<_>>().join("\n")
    };
    assert!(said("0000:04:00.1").contains("vendor is missing"), "{}", said("0000:04:00.1"));
    for (address, fact) in [
        ("0000:04:00.2", "vendor_id"),
        ("0000:04:00.3", "numa_node"),
        ("0000:04:00.4", "bars"),
        ("0000:04:00.5", "numa_node"),
        ("0000:04:00.7", "driver_override"),
        ("0000:04:01.0", "numa_node"),
        ("0000:04:01.1", "parent_addr"),
    ] {
        let found = device(&snapshot, address);
        assert_eq!(found[fact], Value::Null, "{address} {fact}");
        assert!(
            found["unknown"].as_array().unwrap().iter().any(|u| u["fact"] == fact),
            "{address}: {}",
            found["unknown"]
        );
        assert!(!said(address).is_empty(), "{address}");
    }
    for address in ["0000:05:00.0", "0000:05:00.2"] {
        assert!(said(address).contains("cannot be read"), "{address}: {}", said(address));
    }
    assert!(said("0000:05:00.3").contains("was gone"));
    assert!(codes(&snapshot).contains(&"not-a-pci-address"));
    let table = pvm(&["inventory", "--root", ".", "--color", "never"], place.path());
    for stream in [table.stdout, table.stderr] {
        assert!(!stream.contains(&0x1b), "a control character reached the terminal");
    }
}

#[test]
fn a_pipe_among_the_attributes_does_not_stop_the_reading() {
    let place = tempfile::tempdir().unwrap();
    Synthetic::default().build(place.path());
    let attribute = place.path().join("sys/devices/pci0000:00/0000:00:01.0/0000:04:00.1/numa_node");
    fs::remove_file(&attribute).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &attribute,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR,
        rustix::fs::makedev(0, 0),
    )
    .unwrap();
    let snapshot = snapshot(place.path());
    assert_eq!(device(&snapshot, "0000:04:00.1")["numa_node"], Value::Null);
}

#[test]
fn another_host_is_asked_as_far_as_the_user_asked() {
    let place = tempfile::tempdir().unwrap();
    let ssh = place.path().join("ssh");
    let answer = r#"{"schema": "pvm.inventory/1", "host": {"name": "far"}}"#;
    program::executable(&ssh, &format!("#!/bin/sh\nprintf '%s ' \"$@\" >asked\necho '{answer}'\n"));
    let asked = |args: &[&str]| {
        let output = program::pvm(place.path()).args(args).env("PATH", place.path()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        fs::read_to_string(place.path().join("asked")).unwrap()
    };
    let always = "-o BatchMode=yes -o ConnectTimeout=10 -- far pvm inventory -o json ";
    assert_eq!(asked(&["inventory", "far", "-o", "json"]), always);
    assert_eq!(asked(&["inventory", "far", "--probe", "none", "-o", "json"]), format!("{always}--probe none "));
    let active = ["inventory", "far", "--probe", "active", "--all", "-o", "json"];
    assert_eq!(asked(&active), format!("{always}--probe active "));
}
