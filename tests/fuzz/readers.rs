//! The readers of what somebody else wrote, with a text that each takes: for the fuzzer, and for the tests that change these
//! texts a little.

use std::fs;
use std::path::Path;

use pvm::internals::domain;
use pvm::internals::facts::Settings;
use pvm::internals::facts::remote::file;
use pvm::internals::journal::Store;
use pvm::internals::nova::config::{Input, Machine, Matcher, NoHost, load};
use pvm::internals::nova::lints;
use pvm::internals::plan::document::Plan;
use pvm::internals::plan::stored;

/// A reader by its name, a text that it takes, and how it reads.
pub type Reader = (&'static str, Vec<u8>, Box<dyn Fn(&[u8])>);

/// Every reader of what somebody else wrote; `project` is where the fixtures are.
pub fn readers(project: &Path) -> Vec<Reader> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let nova = |name: &'static str| {
        move |bytes: &[u8]| {
            let config = load(vec![Input { name: name.into(), bytes: bytes.to_vec() }], &NoHost, &Machine::default());
            let matcher = Matcher::new(&config.device_specs);
            lints::run(&lints::Subject { config: &config, matcher: &matcher, host: None });
        }
    };
    let fixture = |name: &str| fs::read(project.join("tests/fixtures/pair").join(name)).unwrap();
    let snapshot = file::parse(&fixture("src.json"), false, "src.json").unwrap();
    let yaml = serde_yaml::to_string(&snapshot).unwrap().into_bytes();
    let xml = snapshot.domains[0].xml.clone().unwrap().into_bytes();
    let state = tempfile::tempdir().unwrap();
    let plan = pvm::internals::journal::Plan { id: "a-1".into(), ..pvm::internals::journal::Plan::default() };
    let journal = fs::read(Store::at(state.path()).create(plan).unwrap().path()).unwrap();
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
            Box::new(move |bytes| drop(Settings::parse(&text(bytes)))),
        ),
        (
            "pci-requests.json",
            b"[{\"count\": 2, \"spec\": [{\"vendor_id\": \"15b3\", \"product_id\": \"101e\", \"dev_type\": \"type-VF\"}], \"alias_name\": \"cx7\", \"is_new\": false}]".to_vec(),
            Box::new(move |bytes| drop(stored::read(&text(bytes)))),
        ),
        ("snapshot.json", fixture("src.json"), Box::new(|bytes| drop(file::parse(bytes, false, "x")))),
        ("snapshot.yaml", yaml, Box::new(|bytes| drop(file::parse(bytes, true, "x")))),
        (
            "domain.xml",
            xml,
            Box::new(move |bytes| {
                drop(domain::read::read(&text(bytes)));
                drop(domain::guest::read(&text(bytes)));
            }),
        ),
        ("plan.json", fixture("dst.json"), Box::new(move |bytes| drop(Plan::parse(&text(bytes))))),
        ("journal.ndjson", journal, Box::new(|bytes| drop(pvm::internals::journal::text::parse(bytes)))),
    ]
}
