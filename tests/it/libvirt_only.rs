//! Hosts of which only libvirt is known, asked through libvirt itself: its `test` driver serves node devices and a guest from
//! a file. Needs libvirt.so.0; a missing part is a failure.

use std::fs;
use std::path::Path;
use std::process::Output;

use serde_json::Value;

use crate::program;
use crate::tree;

fn pvm(dir: &Path, args: &[&str]) -> Output {
    program::pvm(dir).args(args).output().unwrap()
}

/// Settings under which `far` is the host of the captured node devices, of which nothing but libvirt is reached.
fn settings(dir: &Path) {
    let uri = format!("test://{}", tree::tests().join("fixtures/nodedev/lab-a.xml").display());
    settings_for(dir, &uri);
}

fn settings_for(dir: &Path, uri: &str) {
    let text = format!("hosts:\n  far: {{libvirt: '{uri}', facts: libvirt}}\n");
    fs::write(dir.join("pvm.yaml"), text).unwrap();
}

fn snapshot(output: &Output) -> Value {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn device<'a>(snapshot: &'a Value, address: &str) -> &'a Value {
    snapshot["devices"].as_array().unwrap().iter().find(|d| d["address"] == address).unwrap()
}

fn why(object: &Value, fact: &str) -> Option<String> {
    let unknown = object["unknown"].as_array().unwrap();
    unknown.iter().find(|u| u["fact"] == fact).map(|u| u["why"].as_str().unwrap().to_owned())
}

#[test]
fn libvirt_alone_says_what_the_host_itself_says_as_far_as_it_knows() {
    let place = tempfile::tempdir().unwrap();
    settings(place.path());
    let far = snapshot(&pvm(place.path(), &["--config", "pvm.yaml", "inventory", "far", "-o", "json"]));
    tree::expand_fixture("lab-a", &place.path().join("lab-a"));
    let own = snapshot(&pvm(place.path(), &["inventory", "--root", "lab-a", "-o", "json"]));
    assert_eq!(far["via"], "libvirt");
    assert_eq!(far["devices"].as_array().unwrap().len(), 6);
    let told = [
        "vendor_id",
        "product_id",
        "class",
        "dev_type",
        "parent_addr",
        "vf_index",
        "numa_node",
        "iommu_group",
        "iommu_group_members",
        "netdev",
    ];
    for found in far["devices"].as_array().unwrap() {
        let address = found["address"].as_str().unwrap();
        let same = device(&own, address);
        for fact in told {
            // The second PF is not among the captured descriptions, and numbers its VFs; interfaces were added by hand.
            if fact == "vf_index" && address.starts_with("0000:02") || fact == "netdev" && address != "0000:01:00.0" {
                continue;
            }
            assert_eq!(found[fact], same[fact], "{fact} of {address}");
        }
        for fact in ["bars", "msix", "capabilities", "subsystem_device_id", "firmware", "devlink", "vf_admin"] {
            assert_eq!(found[fact], Value::Null, "{fact} of {address}");
            assert!(why(found, fact).unwrap().contains("install pvm on that host"), "{fact} of {address}");
        }
        // Nobody was asked, so nothing is known of migration.
        assert_eq!(found["migration"]["supported"], Value::Null, "{address}");
    }
    assert_eq!(device(&far, "0000:01:00.0")["sriov"]["total"], 7);
    assert_eq!(device(&far, "0000:01:00.0")["sriov"]["num"], 3);
    assert_eq!(device(&far, "0000:01:10.0")["used_by"][0]["name"], "l2");
    assert_eq!(device(&far, "0000:01:10.2")["used_by"], serde_json::json!([]));
    for fact in ["kernel", "vfio_aliases", "memory", "iommu.enabled"] {
        assert!(why(&far["host"], fact).is_some(), "{fact}");
    }
    let domain = &far["domains"][0];
    assert_eq!((&domain["name"], &domain["state"]), (&"l2".into(), &"running".into()));
    assert_eq!(domain["blocked_reasons"], Value::Null, "the test driver has no QEMU");
    assert!(why(domain, "blocked_reasons").is_some());
}

#[test]
fn the_table_says_what_is_missing_and_how_to_get_it() {
    let place = tempfile::tempdir().unwrap();
    settings(place.path());
    let output = pvm(place.path(), &["--config", "pvm.yaml", "inventory", "far", "--all"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(text.contains("0000:01:10.0 8086:10ca") && text.contains("l2"), "{text}");
    assert!(
        text.contains("These facts come from libvirt alone") && text.contains("Install pvm on that host"),
        "{text}"
    );
    assert!(text.lines().all(|line| !line.starts_with("DEVICE") || line.chars().count() <= 80), "{text}");
}

#[test]
fn a_daemon_that_is_not_there_is_unreachable() {
    let place = tempfile::tempdir().unwrap();
    settings_for(place.path(), "qemu+tcp://127.0.0.1:1/system");
    let output = pvm(place.path(), &["--config", "pvm.yaml", "inventory", "far"]);
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3), "{text}");
    assert!(text.starts_with("pvm: cannot ask far: ") && text.trim_end().lines().count() == 1, "{text}");
}

#[test]
fn verbose_tells_the_calls_and_their_times() {
    let place = tempfile::tempdir().unwrap();
    settings(place.path());
    let told = |flags: &[&str]| {
        let output = pvm(place.path(), &[&["--config", "pvm.yaml", "inventory", "far", "-o", "json"], flags].concat());
        snapshot(&output);
        String::from_utf8(output.stderr).unwrap()
    };
    assert_eq!(told(&[]), "");
    let calls = told(&["-v"]);
    let is_call = |line: &str| {
        let (time, rest) = line.split_once(" ms  test:///").unwrap_or_else(|| panic!("{line}"));
        time.parse::<u64>().is_ok() && rest.contains("  vir")
    };
    assert!(calls.lines().count() > 3 && calls.lines().all(is_call), "{calls}");
    fs::write(place.path().join("pvm.yaml"), "hosts:\n  far: {facts: {command: [sh, -c, 'cat far.json', 'a b']}}\n")
        .unwrap();
    tree::expand_fixture("lab-a", &place.path().join("lab-a"));
    let saved = pvm(place.path(), &["inventory", "--root", "lab-a", "-o", "json"]).stdout;
    fs::write(place.path().join("far.json"), saved).unwrap();
    assert!(!told(&["-v"]).contains("'a b'"));
    assert!(told(&["-vv"]).lines().any(|line| line == "sh -c 'cat far.json' 'a b'"));
}
