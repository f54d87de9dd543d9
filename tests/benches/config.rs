//! Reading and matching configurations, beside Nova's own matcher.
//!
//! `cargo bench --bench config` measures pvm. The peer is Nova itself: `PVM_BENCH_PYTHON=VENV/bin/python cargo bench --bench
//! config` with a Python in which `pip install nova==34.0.0` was run; it matches the same specs and devices in the same run.

#![allow(clippy::print_stdout, reason = "a benchmark prints its result")]
#![allow(clippy::disallowed_methods, reason = "it takes the time, and starts the peer")]
#![allow(clippy::unwrap_used, reason = "it stops at the first surprise")]

use std::fmt::Write as _;
use std::hint::black_box;
use std::process::Command;
use std::time::{Duration, Instant};

use pvm::internals::model::pci::{PciAddress, PciId};
use pvm::internals::nova::config::{Input, Machine, Matcher, NoHost, View, load};
use pvm::internals::nova::lints as lint;

#[path = "budget.rs"]
mod budget;

use budget::budget;

/// The fastest of several runs.
fn best(runs: u32, mut work: impl FnMut()) -> Duration {
    (0..runs)
        .map(|_| {
            let start = Instant::now();
            work();
            start.elapsed()
        })
        .min()
        .unwrap_or_default()
}

fn devices(count: u32) -> Vec<View> {
    let id = |text: &str| text.parse::<PciId>().ok();
    (0..count)
        .map(|i| {
            let (bus, rest) = (i / 256, i % 256);
            let byte = |n: u32| u8::try_from(n).unwrap();
            View {
                vendor_id: id("15b3"),
                product_id: id("101e"),
                address: PciAddress::new(0, byte(0x10 + bus), byte(rest / 8), byte(rest % 8)).unwrap(),
                parent: PciAddress::new(0, byte(0x10 + bus), 0, 0),
                card_serial: false,
            }
        })
        .collect()
}

/// Specs of every style that do not match, so that every device is compared with all of them, and one that does.
fn specs(count: usize) -> String {
    let mut text = String::from("[pci]\n");
    for i in 0..count - 1 {
        let _ = match i % 4 {
            0 => writeln!(text, "device_spec = {{\"vendor_id\": \"8086\", \"product_id\": \"{:04x}\"}}", 0x1000 + i),
            1 => writeln!(
                text,
                "device_spec = {{\"vendor_id\": \"15b3\", \"address\": \"0000:{:02x}:*.*\"}}",
                0x80 + i % 64
            ),
            2 => writeln!(
                text,
                "device_spec = {{\"address\": {{\"bus\": \"e[{}-9]$\", \"function\": \"[0-3]\"}}}}",
                i % 9
            ),
            _ => writeln!(
                text,
                "device_spec = {{\"address\": \"0000:{:02x}:00.1\", \"live_migratable\": \"yes\"}}",
                0x80 + i % 64
            ),
        };
    }
    text.push_str("device_spec = {\"vendor_id\": \"15b3\", \"product_id\": \"101e\", \"live_migratable\": \"yes\", \"managed\": \"no\"}\n");
    text
}

fn input(text: &str) -> Vec<Input> {
    vec![Input { name: "nova.conf".to_owned(), bytes: text.as_bytes().to_vec() }]
}

fn main() {
    let (views, text) = (devices(4096), specs(64));
    let config = load(input(&text), &NoHost, &Machine::default());
    assert_eq!((config.device_specs.len(), config.findings.len()), (64, 0));
    let ours = best(20, || {
        let matcher = Matcher::new(&config.device_specs);
        let found = views.iter().filter(|view| matcher.first_match(black_box(view)) == Some(63)).count();
        assert_eq!(found, views.len());
    });
    println!("4,096 VFs × 64 specs, compiled and matched     {ours:>12.1?}");
    match std::env::var("PVM_BENCH_PYTHON") {
        Ok(python) => peer(&python, &text, &views, ours),
        Err(_) => println!("the same by Nova                               not run: set PVM_BENCH_PYTHON"),
    }

    let mut long = specs(200);
    while long.lines().count() < 10_000 {
        long.push_str("# a comment\n\n[libvirt]\nvirt_type = kvm\n[database]\nconnection = mysql://nova@db/nova\n");
    }
    let views = devices(2032);
    let all = best(10, || {
        let config = load(input(&long), &NoHost, &Machine::default());
        let matcher = Matcher::new(&config.device_specs);
        let found = lint::run(&lint::Subject { config: &config, matcher: &matcher, host: None });
        black_box(&found);
        assert_eq!(views.iter().filter(|view| matcher.first_match(view).is_some()).count(), views.len());
    });
    budget("check-config of 10,000 lines, 200 specs, 2,032 VFs", [all.as_secs_f64() * 1e3; 3], 100.0, "ms");
}

/// Nova's `Whitelist.device_assignable` on the same specs and devices.
fn peer(python: &str, text: &str, views: &[View], ours: Duration) {
    let specs: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("device_spec = ")).collect();
    let devices: Vec<_> = views
        .iter()
        .map(|v| {
            serde_json::json!({"vendor_id": v.vendor_id, "product_id": v.product_id, "address": v.address,
                "parent_addr": v.parent})
        })
        .collect();
    let script = "import json, sys, time\nfrom nova.pci import whitelist\ncase = json.load(open(sys.argv[1]))\n\
         best = 1e9\nfor _ in range(3):\n    start = time.perf_counter()\n    w = whitelist.Whitelist(case['specs'])\n    \
         n = sum(w.device_assignable(d) is not None for d in case['devices'])\n    best = min(best, time.perf_counter() - start)\n\
         assert n == len(case['devices'])\nprint(best)\n";
    let file = tempfile::NamedTempFile::new().unwrap();
    serde_json::to_writer(&file, &serde_json::json!({"specs": specs, "devices": devices})).unwrap();
    let output = Command::new(python).args(["-c", script]).arg(file.path()).output().unwrap();
    let seconds: f64 = String::from_utf8_lossy(&output.stdout).trim().parse().unwrap_or_else(|_| {
        panic!("the peer failed: {}", String::from_utf8_lossy(&output.stderr));
    });
    println!("the same by Nova                               {:>12.1?}", Duration::from_secs_f64(seconds));
    budget("matching 4,096 VFs with 64 specs, of Nova's time", [ours.as_secs_f64() / seconds; 3], 0.01, "x");
}
