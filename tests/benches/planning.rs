//! Times of planning, rewriting and preflight, medians of several runs; nothing is asserted but that the work was done.
//!
//! `cargo bench --bench planning` measures pvm. The peer is Nova's own claim: `PVM_BENCH_PYTHON=VENV/bin/python cargo bench
//! --bench planning` with a Python in which `pip install nova==34.0.0` was run; it claims two devices from the same pools,
//! in turns with pvm.

#![allow(clippy::print_stdout, clippy::disallowed_methods, reason = "a benchmark reads the clock and prints")]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::hint::black_box;
use std::process::Command;
use std::time::{Duration, Instant};

use pvm::internals::domain::rewrite::{Interfaces, rewrite};
use pvm::internals::model::device_move::{Action, DeviceMove};
use pvm::internals::model::pci::PciAddress;
use pvm::internals::model::snapshot::{DevType, Snapshot};
use pvm::internals::nova::scheduler::{Cells, Request, Tracked, Tracker};
use pvm::internals::plan::{Known, Planner, Wishes};
use pvm::internals::preflight::{self, Question};

#[path = "budget.rs"]
mod budget;
#[path = "../it/program.rs"]
mod program;

use budget::{budget, quartiles};

const RUNS: usize = 15;

fn main() {
    println!("{:<52} {:>12}", "what", "median");
    for pools in [1_000, 10_000, 100_000] {
        let host = with_pools(pools);
        let tracker = Tracker::new(Tracked::all(&host));
        let requests = [request(&host)];
        report(&format!("Nova's claim of 2 VFs from {pools} pools"), || {
            black_box(tracker.choose(&requests, &Cells::default())).is_ok()
        });
    }
    for pools in [1_000, 10_000, 100_000] {
        let (source, destination) = (fixture(0), with_pools(pools));
        let planner = Planner::new(&source, &destination, &BTreeSet::new());
        let mut known = Known::default();
        report(&format!("plan of one guest on {pools} pools"), || {
            black_box(planner.plan(&source.domains[0], &Wishes::default(), &mut known)).map.is_some()
        });
        report("  the same with nothing remembered of others", || {
            black_box(planner.plan(&source.domains[0], &Wishes::default(), &mut Known::default())).map.is_some()
        });
    }
    if let Ok(python) = std::env::var("PVM_BENCH_PYTHON") {
        beside_nova(&python);
    }
    let (xml, map) = hostdevs(64);
    report("rewriting 64 hostdevs", || black_box(rewrite(&xml, &map, Interfaces::MustBeMapped)).is_ok());
    let (source, destination) = (full(true), full(false));
    report("preflight, 2,032 VFs on each host, 256 guests", || {
        black_box(preflight::run(&source, &destination, &Question::default())).instances.len() == 256
    });
    whole_process(&source, &destination);
}

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    times[times.len() / 2].as_secs_f64() * 1000.0
}

fn timed(run: impl FnOnce() -> bool, what: &str) -> Duration {
    let start = Instant::now();
    assert!(run(), "{what}");
    start.elapsed()
}

fn report(what: &str, mut run: impl FnMut() -> bool) {
    let times = (0..RUNS).map(|_| timed(&mut run, what)).collect();
    println!("{what:<52} {:>9.3} ms", median(times));
}

/// Nova's claim and pvm's whole plan of one guest on 1,000 pools, in turns.
fn beside_nova(python: &str) {
    let (source, destination) = (fixture(0), with_pools(1_000));
    let planner = Planner::new(&source, &destination, &BTreeSet::new());
    let requests = [request(&destination)];
    let devices: Vec<_> = destination
        .devices
        .iter()
        .map(|d| {
            serde_json::json!({"address": d.address, "parent_addr": d.parent_addr, "vendor_id": d.vendor_id,
                "product_id": d.product_id, "dev_type": "type-VF", "numa_node": d.numa_node, "compute_node_id": 1,
                "label": "x", "status": "available", "extra_info": {}})
        })
        .collect();
    let first = &destination.devices[0];
    let spec =
        serde_json::json!({"vendor_id": first.vendor_id, "product_id": first.product_id, "live_migratable": "yes"});
    let case = serde_json::json!({"spec": spec.to_string(), "devices": devices, "pools": 1_000, "count": requests[0].count,
        "alternatives": requests[0].spec});
    let script = "import json, sys, time, warnings\nwarnings.simplefilter('ignore')\nfrom nova import objects\n\
         from nova.pci import stats, whitelist\nobjects.register_all()\ncase = json.load(open(sys.argv[1]))\n\
         s = stats.PciDeviceStats(objects.NUMATopology(cells=[]), dev_filter=whitelist.Whitelist([case['spec']]))\n\
         for d in case['devices']:\n    s.add_device(objects.PciDevice.create(None, d))\n\
         assert len(s.pools) == case['pools'], len(s.pools)\n\
         r = [objects.InstancePCIRequest(count=case['count'], spec=case['alternatives'], alias_name='a')]\n\
         for _ in range(3):\n    start = time.perf_counter()\n    got = s.consume_requests(r)\n    \
         end = time.perf_counter()\n    assert len(got) == case['count']\n    [s.add_device(d) for d in got]\nprint(end - start)\n";
    let file = tempfile::NamedTempFile::new().expect("a file can be made");
    serde_json::to_writer(&file, &case).expect("it can be written");
    let (mut ours, mut novas) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        ours.push(timed(
            || {
                let mut known = Known::default();
                black_box(planner.plan(&source.domains[0], &Wishes::default(), &mut known)).map.is_some()
            },
            "plan",
        ));
        let output = Command::new(python).args(["-c", script]).arg(file.path()).output().expect("the peer starts");
        let seconds = String::from_utf8_lossy(&output.stdout).trim().parse().unwrap_or_else(|_| {
            panic!("the peer failed: {}", String::from_utf8_lossy(&output.stderr));
        });
        novas.push(Duration::from_secs_f64(seconds));
    }
    let ratios = ours.iter().zip(&novas).map(|(ours, nova)| ours.as_secs_f64() / nova.as_secs_f64());
    let ratios = quartiles(ratios);
    println!("{:<52} {:>9.3} ms", "Nova itself, claim of 2 VFs from 1,000 pools", median(novas));
    println!("{:<52} {:>9.3} ms", "  pvm's whole plan in turns with it", median(ours));
    budget("planning a guest on 1,000 pools, of Nova's time", ratios, 0.1, "x");
}

/// `pvm preflight` on two saved snapshots, from its start to its end.
fn whole_process(source: &Snapshot, destination: &Snapshot) {
    let dir = tempfile::tempdir().expect("a folder can be made");
    for (name, snapshot) in [("src.json", source), ("dst.json", destination)] {
        let file = std::fs::File::create(dir.path().join(name)).expect("a file can be made");
        serde_json::to_writer(std::io::BufWriter::new(file), snapshot).expect("it can be written");
    }
    report("  the whole process, reading both snapshots (200)", || {
        let mut pvm = program::pvm(dir.path());
        pvm.args(["preflight", "src.json", "dst.json"]).env("NO_COLOR", "1");
        let output = pvm.output().expect("pvm starts");
        String::from_utf8_lossy(&output.stdout).matches("\nguest-").count() == 256
    });
}

/// One of the pair of snapshots on which everything fits.
fn fixture(which: usize) -> Snapshot {
    let pair = [include_str!("../fixtures/pair/src.json"), include_str!("../fixtures/pair/dst.json")];
    serde_json::from_str(pair[which]).expect("the fixture is a snapshot")
}

/// A host with so many PFs of two free VFs each.
fn with_pools(pools: usize) -> Snapshot {
    let mut host = fixture(1);
    let vf = host.devices[1].clone();
    host.devices.clear();
    for pool in 0..pools {
        let domain = u32::try_from(pool / 256).expect("few domains");
        let bus = u8::try_from(pool % 256).expect("below 256");
        for function in 1..=2 {
            let at = |function| PciAddress { domain, bus, slot: 0, function };
            let mut vf = vf.clone();
            (vf.address, vf.parent_addr) = (at(function), Some(at(0)));
            host.devices.push(vf);
        }
    }
    host
}

fn request(host: &Snapshot) -> Request {
    let alias = &host.config.aliases[0];
    Request { count: 2, alias: alias.name.clone(), spec: alias.specs.clone(), numa_policy: alias.numa_policy.clone() }
}

fn hostdevs(count: u8) -> (String, Vec<DeviceMove>) {
    let mut xml = String::from("<domain type='kvm'>\n  <devices>\n");
    let mut map = Vec::new();
    for bus in 0..count {
        let _ = write!(
            xml,
            "    <hostdev mode='subsystem' type='pci' managed='yes'>\n      <source>\n        <address domain='0x0000' \
             bus='0x{bus:02x}' slot='0x00' function='0x1'/>\n      </source>\n      <alias name='hostdev{bus}'/>\n    \
             </hostdev>\n"
        );
        let at = |function| PciAddress { domain: 0, bus, slot: 0, function };
        map.push(DeviceMove::new(at(1), at(2), Action::Migrate));
    }
    xml.push_str("  </devices>\n</domain>\n");
    (xml, map)
}

/// Sixteen PFs with 127 VFs each; on the source 256 guests with a VF each.
fn full(with_guests: bool) -> Snapshot {
    let mut host = fixture(usize::from(!with_guests));
    let (pf, vf) = (host.devices[0].clone(), host.devices[4].clone());
    let guest = fixture(0).domains[0].clone();
    host.devices.clear();
    host.domains.clear();
    for bus in 0..16u8 {
        let mut pf = pf.clone();
        pf.address = PciAddress { domain: 0, bus, slot: 0, function: 0 };
        host.devices.push(pf.clone());
        for index in 1..128u8 {
            let mut vf = vf.clone();
            vf.address = PciAddress { domain: 0, bus, slot: index / 8, function: index % 8 };
            vf.parent_addr = Some(pf.address);
            vf.dev_type = DevType::Vf;
            if with_guests && index <= 16 {
                let name = format!("guest-{bus}-{index}");
                let mut domain = guest.clone();
                domain.hostdevs.truncate(1);
                domain.hostdevs[0].source = Some(vf.address);
                domain.uuid = format!("00000000-0000-0000-0000-0000000{bus:02x}{index:03x}");
                domain.xml = guest.xml.as_ref().map(|xml| one_device(xml, vf.address));
                domain.inactive_xml.clone_from(&domain.xml);
                vf.used_by = Some(vec![pvm::internals::model::snapshot::device::UsedBy {
                    name: name.clone(),
                    ..Default::default()
                }]);
                domain.name = name;
                host.domains.push(domain);
            }
            host.devices.push(vf);
        }
    }
    host
}

/// The fixture's XML with its first host device at this address, and without its second.
fn one_device(xml: &str, address: PciAddress) -> String {
    let second = xml.rfind("    <hostdev").expect("the fixture has host devices");
    let end = xml.rfind("  </devices>").expect("the fixture has devices");
    let old = "bus='0x3b' slot='0x00' function='0x1'";
    let new = format!("bus='0x{:02x}' slot='0x{:02x}' function='0x{:x}'", address.bus, address.slot, address.function);
    format!("{}{}", &xml[..second], &xml[end..]).replace(old, &new)
}
