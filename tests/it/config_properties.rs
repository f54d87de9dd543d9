//! Whatever a configuration holds, reading it ends, and every finding's place is the place of what it names.

use proptest::prelude::*;
use pvm::internals::model::finding::{Finding, Severity};
use pvm::internals::nova::config::{Input, Machine, Matcher, NoHost, ParsedConfig, fix, load};
use pvm::internals::nova::lints as lint;

/// Configurations with something of everything in them; the mutations start here.
const SEEDS: [(&str, &str); 3] = [
    (
        "nova.conf",
        "[DEFAULT]\nhost = a\npci_alias = {\"name\": \"a0\"}\n[pci]\n# comment\ndevice_spec = {\"vendor_id\": \"15b3\", \
         \"product_id\": \"101e\",\n  \"address\": {\"bus\": \"8[0-3]\", \"slot\": \"0A\"},\n  \"live-migratable\": \"yes\"}\n\
         device_spec = [{'devname': 'ens1f0', \"managed\": \"maybe\"}, {\"address\": \"0000:81:00.*\", \"traits\": \"a, b\"}]\n\
         alias = {\"name\": \"a1\", \"vendor_id\": \"15b\", \"live_migratable\": true, \"x\": \"$host\"} # end\n\
         alias: {\"name\": \"a1\", \"name\": \"ü\", \"product_id\": \"${pci.alias}\"}\ndev_spec = 1\n[libvirt]\n\
         live_migration_downtime = 5\n",
    ),
    (
        "pci.yaml",
        "pci:\n  device_spec:\n    - {vendor_id: 15b3, product_id: 1017, address: 0000:05:00.1}\n    - &x\n      vendor_id: \"xyz\"\n\
         \x20     live_migratable: maybe\n    - *x\n  alias:\n    - name: ü\n      live_migratable: yes\n      name: b\n",
    ),
    ("plain", "{\"device_spec\": [{\"vendor_id\": \"zz\", \"ü\": 1}], \"alias\": [{\"name\": 3}]}"),
];

/// One change to a text.
#[derive(Debug, Clone)]
enum Change {
    Cut(usize),
    Remove(usize, usize),
    Insert(usize, Vec<u8>),
    Double(usize, usize),
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let piece = prop_oneof![
        Just(b"\n".to_vec()),
        Just(b"\r".to_vec()),
        Just(b"\n\n  ".to_vec()),
        Just(b"[pci]".to_vec()),
        Just(b"'".to_vec()),
        Just(b"\"".to_vec()),
        Just(b"{".to_vec()),
        Just(b"}".to_vec()),
        Just(b"[".to_vec()),
        Just(b",".to_vec()),
        Just(b"$".to_vec()),
        Just(b"\\u00e9".to_vec()),
        Just("\u{a0}ü\u{1f600}".as_bytes().to_vec()),
        Just(b"\xff".to_vec()),
        Just(b"&a *a".to_vec()),
        Just(b"!!bool ".to_vec()),
        Just(b"$host".to_vec()),
        Just(b"true".to_vec()),
        proptest::collection::vec(any::<u8>(), 1..6),
    ];
    let change = prop_oneof![
        1 => any::<usize>().prop_map(Change::Cut),
        3 => (any::<usize>(), 1usize..30).prop_map(|(at, len)| Change::Remove(at, len)),
        6 => (any::<usize>(), piece).prop_map(|(at, bytes)| Change::Insert(at, bytes)),
        2 => (any::<usize>(), 1usize..60).prop_map(|(at, len)| Change::Double(at, len)),
    ];
    proptest::collection::vec(change, 0..6)
}

fn apply(text: &str, changes: &[Change]) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    for change in changes {
        let len = bytes.len();
        let range = |at: usize, size: usize| {
            let at = at % (len + 1);
            at..(at + size).min(len)
        };
        match change {
            Change::Cut(at) => bytes.truncate(at % (len + 1)),
            Change::Remove(at, size) => drop(bytes.drain(range(*at, *size))),
            Change::Insert(at, piece) => drop(bytes.splice(range(*at, 0), piece.iter().copied())),
            Change::Double(at, size) => {
                let piece = bytes[range(*at, *size)].to_vec();
                drop(bytes.splice(range(*at, 0), piece));
            }
        }
    }
    bytes
}

fn read(name: &str, bytes: Vec<u8>) -> (ParsedConfig, Vec<Finding>) {
    let machine = Machine { hostname: Some("h".to_owned()), address: None };
    let config = load(vec![Input { name: name.to_owned(), bytes }], &NoHost, &machine);
    let matcher = Matcher::new(&config.device_specs);
    let mut found = config.findings.clone();
    found.extend(lint::run(&lint::Subject { config: &config, matcher: &matcher, host: None }));
    drop(matcher);
    (config, found)
}

/// What a message puts in quotes and its place must show: names and values as they are written.
fn named(finding: &Finding) -> Option<&str> {
    let quotes_its_place = ["unknown-option", "unknown-tag", "duplicate-key", "spec-id", "alias-value", "ini-syntax"]
        .contains(&&*finding.code);
    let (_, rest) = finding.message.split_once('\'')?;
    let (name, _) = rest.split_once('\'')?;
    quotes_its_place.then_some(name)
}

fn check(name: &str, bytes: &[u8]) -> Result<(), TestCaseError> {
    let (config, found) = read(name, bytes.to_vec());
    for finding in &found {
        for label in finding.text.primary.iter().chain(&finding.text.related) {
            let text = &config.sources.file(label.span.file).text;
            prop_assert!(text.get(label.span.start..label.span.end).is_some(), "{finding:?}");
        }
        if let (Some(name), Some(label)) = (named(finding), &finding.text.primary) {
            let cut = config.sources.text(label.span);
            // Escapes, variables and YAML's line ends are written otherwise than they read.
            let plain = !cut.contains(['\\', '$', '\u{fffd}', '\r']) && !cut.contains('\n');
            prop_assert!(!plain || cut.contains(name), "{:?} does not show {name:?}: {}", cut, finding.message);
        }
        let placed = config.sources.located(finding.clone()).file;
        prop_assert!(
            placed.is_none_or(|place| place.line >= 1 && place.range.is_some_and(|r| r.end_line >= place.line))
        );
        let shown = pvm::internals::output::findings::render(finding, &config, 80);
        prop_assert!(shown.contains(&*finding.code));
    }
    let _ = config.document();
    let errors = |found: &[Finding]| found.iter().filter(|finding| finding.severity == Severity::Error).count();
    if let Some((id, file)) = config.sources.iter().next().filter(|(_, file)| file.text.as_bytes() == bytes) {
        let corrected = fix::corrected(id, file, &found);
        prop_assert!(corrected.lines().count() >= file.text.lines().count());
        let (config, after) = read(name, corrected.clone().into_bytes());
        prop_assert!(errors(&after) <= errors(&found), "{}\n{corrected}\n{after:?}", file.text);
        if corrected != file.text {
            let fixable = |found: &[Finding]| found.iter().filter(|finding| !finding.text.fixes.is_empty()).count();
            prop_assert!(fixable(&after) < fixable(&found), "{}\n{corrected}\n{after:?}", file.text);
        }
        prop_assert!(config.sources.iter().next().is_some());
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_read(bytes in proptest::collection::vec(any::<u8>(), 0..300), name in 0usize..3) {
        check(SEEDS[name].0, &bytes)?;
    }

    #[test]
    fn any_text_in_pci_is_read(text in r"(\[pci\]\n)?([ -~üé\n\t]{0,20}[=:][ -~üé\n\t]{0,40}\n){0,6}") {
        check("nova.conf", text.as_bytes())?;
    }

    #[test]
    fn mutated_configurations_are_read(seed in 0usize..3, changes in changes()) {
        let (name, text) = SEEDS[seed];
        check(name, &apply(text, &changes))?;
    }
}

#[test]
fn the_seeds_have_findings_of_every_kind() {
    for (name, text) in SEEDS {
        let (_, found) = read(name, text.as_bytes().to_vec());
        assert!(found.len() >= 3, "{name}: {found:?}");
        assert!(found.iter().any(|d| named(d).is_some()), "{name}");
    }
}
