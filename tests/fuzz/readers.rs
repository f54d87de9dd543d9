//! The readers of what somebody else wrote, with a text that each takes: for the fuzzer, and for the tests that change these
//! texts a little.

use std::fs;
use std::path::Path;

use pvm::internals::domain;
use pvm::internals::facts::Settings;
use pvm::internals::facts::compact::Compact;
use pvm::internals::facts::remote::file;
use pvm::internals::journal::{self, Action, DeviceMove, Store};
use pvm::internals::nova::config::{Input, Machine, Matcher, NoHost, load};
use pvm::internals::nova::lints;
use pvm::internals::plan::document::Plan;
use pvm::internals::plan::stored;

/// A reader by its name, a text that it takes, and how it reads: whether it takes it.
pub type Reader = (&'static str, Vec<u8>, Box<dyn Fn(&[u8]) -> bool>);

/// Every reader of what somebody else wrote; `project` is where the fixtures are.
pub fn readers(project: &Path) -> Vec<Reader> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let nova = |name: &'static str| {
        move |bytes: &[u8]| {
            let config = load(vec![Input { name: name.into(), bytes: bytes.to_vec() }], &NoHost, &Machine::default());
            let matcher = Matcher::new(&config.device_specs);
            lints::run(&lints::Subject { config: &config, matcher: &matcher, host: None });
            !config.device_specs.is_empty()
        }
    };
    let fixture = |name: &str| fs::read(project.join("tests/fixtures/pair").join(name)).unwrap();
    let snapshot = file::parse(&fixture("src.json"), false, "src.json").unwrap();
    let yaml = serde_yaml::to_string(&snapshot).unwrap().into_bytes();
    let xml = snapshot.domains[0].xml.clone().unwrap().into_bytes();
    let compact = serde_json::to_vec(&Compact::of(&snapshot).unwrap()).unwrap();
    let domain = &snapshot.domains[0];
    let addresses = domain.hostdevs.iter().filter_map(|hostdev| hostdev.source);
    let map: Vec<_> = addresses.map(|address| DeviceMove::new(address, address, Action::Migrate)).collect();
    let plan = Plan::of(&snapshot, &snapshot, domain, &map).unwrap().sealed();
    let plan = serde_json::to_vec(&plan).unwrap();
    let state = tempfile::tempdir().unwrap();
    let begun = journal::Plan { id: "a-1".into(), ..journal::Plan::default() };
    let journal = fs::read(Store::at(state.path()).create(begun).unwrap().path()).unwrap();
    vec![
        (
            "nova.conf",
            b"[pci]\ndevice_spec = {\"vendor_id\": \"15b3\", \"product_id\": \"101e\", \"address\": \"*:0a:00.*\"}\ndevice_spec = [{\"address\": {\"domain\": \".*\", \"bus\": \"0[1-9a]\", \"slot\": \"(0|1)+\", \"function\": \"[0-7]\"}}]\nalias = {\"name\": \"a1\", \"vendor_id\": \"15b3\", \"product_id\":\"101e\", \"live_migratable\": \"yes\"}\n[DEFAULT]\nx = ${y}$z\ny=$x\n".to_vec(),
            Box::new(nova("nova.conf")),
        ),
        (
            "nova.yaml",
            b"device_spec:\n  - &x {vendor_id: \"15b3\", product_id: \"101e\"}\n  - *x\nalias:\n  - {name: a, vendor_id: \"15b3\", product_id: \"101e\"}\n".to_vec(),
            Box::new(nova("nova.yaml")),
        ),
        (
            "pvm.yaml",
            b"hosts:\n  a: {libvirt: \"qemu+tcp://a/system\", facts: libvirt}\n  b: {facts: {command: [ssh, b, pvm]}}\ndefaults: {max_downtime: 300ms, bandwidth: 100MiB}\n".to_vec(),
            Box::new(move |bytes| Settings::parse(&text(bytes)).is_ok()),
        ),
        (
            "pci-requests.json",
            b"[{\"count\": 2, \"spec\": [{\"vendor_id\": \"15b3\", \"product_id\": \"101e\", \"dev_type\": \"type-VF\"}], \"alias_name\": \"cx7\", \"is_new\": false}]".to_vec(),
            Box::new(move |bytes| stored::read(&text(bytes)).is_ok()),
        ),
        ("snapshot.json", fixture("src.json"), Box::new(|bytes| file::parse(bytes, false, "x").is_ok())),
        ("snapshot.yaml", yaml, Box::new(|bytes| file::parse(bytes, true, "x").is_ok())),
        ("compact.json", compact, Box::new(|bytes| file::parse(bytes, false, "x").is_ok())),
        (
            "domain.xml",
            xml,
            Box::new(move |bytes| {
                domain::read::read(&text(bytes)).is_ok() & domain::guest::read(&text(bytes)).is_ok()
            }),
        ),
        ("plan.json", plan, Box::new(move |bytes| Plan::parse(&text(bytes)).is_ok())),
        ("journal.ndjson", journal, Box::new(|bytes| journal::text::parse(bytes).trouble.is_none())),
        (
            "nova-answer.json",
            br#"{"id": "0a3f5ad4-26d4-4b8e-a0f1-6c0e16f5a8d2", "name": "db-1", "status": "ACTIVE", "OS-EXT-STS:task_state": null, "OS-EXT-SRV-ATTR:host": "cmp-a1", "OS-EXT-SRV-ATTR:instance_name": "instance-00000007"}"#.to_vec(),
            Box::new(pvm::internals::openstack::reads_server),
        ),
    ]
}
