//! Times of planning, rewriting and preflight. `cargo bench --bench planning` prints them; nothing is asserted.

#![allow(clippy::print_stdout, clippy::disallowed_methods, reason = "a benchmark reads the clock and prints")]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::hint::black_box;
use std::time::{Duration, Instant};

use pvm::domain::rewrite::{Change, Interfaces, Mapping, rewrite};
use pvm::pci::PciAddress;
use pvm::plan::nova::{Cells, Request, Tracked, Tracker};
use pvm::plan::{Known, Planner, Wishes};
use pvm::preflight::{self, Question};
use pvm::snapshot::{DevType, Snapshot};

fn main() {
    println!("{:<52} {:>12}", "what", "best of 9");
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
    }
    let (xml, mapping) = hostdevs(64);
    report("rewriting 64 hostdevs", || black_box(rewrite(&xml, &mapping)).is_ok());
    let (source, destination) = (full(true), full(false));
    report("preflight, 2,032 VFs on each host, 256 guests", || {
        black_box(preflight::run(&source, &destination, &Question::default())).instances.len() == 256
    });
}

fn report(what: &str, mut run: impl FnMut() -> bool) {
    let mut best = Duration::MAX;
    for _ in 0..9 {
        let start = Instant::now();
        assert!(run(), "{what}");
        best = best.min(start.elapsed());
    }
    println!("{what:<52} {:>9.3} ms", best.as_secs_f64() * 1000.0);
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

fn hostdevs(count: u8) -> (String, Mapping) {
    let mut xml = String::from("<domain type='kvm'>\n  <devices>\n");
    let mut changes = Vec::new();
    for bus in 0..count {
        let _ = write!(
            xml,
            "    <hostdev mode='subsystem' type='pci' managed='yes'>\n      <source>\n        <address domain='0x0000' \
             bus='0x{bus:02x}' slot='0x00' function='0x1'/>\n      </source>\n      <alias name='hostdev{bus}'/>\n    \
             </hostdev>\n"
        );
        let at = |function| PciAddress { domain: 0, bus, slot: 0, function };
        changes.push(Change::address(at(1), at(2)));
    }
    xml.push_str("  </devices>\n</domain>\n");
    (xml, Mapping { changes, interfaces: Interfaces::MustBeMapped })
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
                vf.used_by = Some(vec![pvm::snapshot::device::UsedBy { name: name.clone(), ..Default::default() }]);
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
