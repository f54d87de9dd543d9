//! Classes against pairs: whatever differs between hosts and guests, the answer is the one of the pair.

use serde_json::{Value, json};

use super::*;
use crate::preflight::matrix::{Said, said};
use crate::preflight::{CheckResult, Compatibility};

#[path = "../../tests/fleet/mod.rs"]
#[allow(dead_code, reason = "the generator serves benchmarks too")]
mod fleet;

pub(crate) use fleet::{Dice, Fleet};

type Found = (Said, bool, Option<String>, Vec<(String, CheckResult, bool)>);

/// All that anybody takes from an answer, in one value.
fn found(report: &Report, instance: &InstanceReport, terms: &Terms) -> Found {
    let estimate =
        instance.estimate.as_ref().map(|estimate| format!("{:?} {:?}", estimate.bytes, estimate.downtime_ms));
    // What weighs nothing may differ: the clock, NUMA nodes, Nova's own choice.
    let counts =
        instance.checks.iter().chain(&report.checks).filter(|row| row.compatibility() != Compatibility::Compatible);
    let rows = counts.map(|row| (row.finding.code.to_string(), row.result, row.finding.remedy.is_some())).collect();
    (said(report, instance, terms), instance.map.is_empty(), estimate, rows)
}

/// Facts that life has and the fixture does not, each with some values.
fn more_facts() -> Vec<(&'static str, Vec<Value>)> {
    let sockets = |ports: &[u16]| json!(ports.iter().map(|port| format!("0.0.0.0:{port}")).collect::<Vec<_>>());
    let all: Vec<u16> = (5900..5910).collect();
    vec![
        (
            "/host/listening",
            vec![sockets(&[]), sockets(&[22, 5901]), sockets(&all), sockets(&[5999]), json!(["127.0.0.1:5999"])],
        ),
        ("/host/display_ports", vec![json!([5900, 5909]), json!([5900, 65535])]),
        ("/host/udp", vec![sockets(&[]), sockets(&[5999])]),
        ("/host/interfaces", vec![json!(["lo", "br0", "vnet3"]), json!(["lo", "tap-db"]), json!([])]),
        ("/host/addresses", vec![json!(["10.20.0.11"]), json!(["10.20.0.12", "127.0.0.1"]), json!([])]),
        ("/host/migration/listen", vec![json!("10.20.0.11"), json!("0.0.0.0"), json!("::")]),
        ("/host/migration/ports", vec![json!([5900, 5905]), json!([49152, 49215])]),
        (
            "/host/mounts",
            vec![
                json!([{"path": "/", "fs": "ext4", "source": "/dev/sda1"}]),
                json!([{"path": "/", "fs": "ext4", "source": "/dev/sda1"}, {"path": "/srv", "fs": "nfs4", "source": "nas:/srv"}]),
                json!([{"path": "/", "fs": "nfs4", "source": "nas:/"}, {"path": "/dev/hugepages", "fs": "hugetlbfs", "source": "hugetlbfs"}]),
            ],
        ),
        ("/host/paths/~1srv~1db-1.img", vec![json!("file"), json!("absent"), json!("directory")]),
        ("/host/paths/~1srv~1log", vec![json!("file"), json!("nowhere")]),
        ("/host/slots", vec![json!({"per_pf": 1}), json!({"migrations": 1}), json!({"per_pf": 2})]),
        ("/host/guest_limits", vec![json!({"memory": 3_221_225_472_u64}), json!({"cpus": [0, 1]})]),
        ("/host/name", vec![json!("cmp-0001"), json!("")]),
        (
            "/host/uuid",
            vec![json!("0d6c1f0e-52a5-4c9b-8f0a-000000000001"), json!("00000000-0000-0000-0000-000000000000")],
        ),
        ("/host/memory_free", vec![json!(1), json!(4_294_967_296_u64), json!(8_589_934_592_u64)]),
        (
            "/host/numa_cells/0/memory_free",
            vec![json!(0), json!(2_147_483_648_u64), json!(4_294_967_296_u64), Value::Null],
        ),
        ("/host/numa_cells/0/hugepages", vec![json!({}), json!({"2097152": 1024}), json!({"2097152": 2048})]),
        ("/host/reach", vec![json!({"libvirt": {"to": "qemu://x/system", "works": false, "why": "no"}})]),
        ("/via", vec![json!("libvirt"), json!("ssh")]),
        ("/domains/0/name", vec![json!("vm-0001001"), json!("vm-0002000")]),
        ("/domains/0/uuid", vec![json!("8a7b1c52-4c3e-4f0a-9d6b-000000001001"), json!("")]),
        ("/domains/0/owner", vec![json!("nova"), json!("ovirt")]),
        ("/domains/0/state", vec![json!("shutoff"), json!("paused")]),
        (
            "/domains/0/nova",
            vec![json!({"name": "x", "extra_specs": {"pci_passthrough:alias": "cx7:1"}}), json!({"name": "y"})],
        ),
        ("/devices/1/used_by", vec![json!([]), Value::Null, json!([{"name": "other"}])]),
        ("/devices/2/used_by", vec![json!([]), Value::Null, json!([{"name": "other"}])]),
        ("/devices/3/claimed_by", vec![json!("m-1")]),
        ("/devices/4/open_by", vec![json!(["dpdk"]), json!([])]),
        ("/devices/1/iommu_group_members", vec![json!(["0000:3b:00.2"])]),
        ("/devices/2/netdev", vec![json!("ens1f0v1")]),
        ("/devices/2/link", vec![json!("up"), json!("down")]),
        ("/devices/1/vf_admin/mac", vec![json!("52:54:00:00:00:01"), json!("52:54:00:00:00:02")]),
        ("/devices/2/vf_admin/mac", vec![json!("52:54:00:00:00:01"), json!("52:54:00:00:00:02")]),
        ("/devices/1/vf_admin/vlan", vec![json!(7)]),
        ("/devices/2/migration/state", vec![json!("PRE_COPY"), json!("RUNNING"), json!("STOP")]),
        ("/devices/2/tags/physical_network", vec![json!("physnet1"), json!("physnet2")]),
        ("/devices/1/tags/physical_network", vec![json!("physnet1"), json!("physnet2")]),
        ("/devices/2/unknown", vec![json!([{"fact": "msix", "why": "not root"}])]),
        ("/devices/0/link", vec![json!("down"), json!("up")]),
        ("/devices/0/mtu", vec![json!(1500), json!(9000)]),
        ("/domains/0/hostdevs/0/kind", vec![json!("interface"), json!("network")]),
    ]
}

/// Changes of a definition: what is replaced, and by what.
const EDITS: &[(&str, &[&str])] = &[
    ("autoport='yes'", &["autoport='no'", "autoport='yes' keymap='de'"]),
    ("port='5900'", &["port='5999'", "port='5901'"]),
    ("listen='127.0.0.1'", &["listen='10.20.0.11'", "listen='0.0.0.0'"]),
    ("address='127.0.0.1'", &["address='10.20.0.11'", "address='0.0.0.0'"]),
    (
        "type='network' device='disk'",
        &["type='file' device='disk'", "type='block' device='disk'", "type='file' device='cdrom'"],
    ),
    ("protocol='rbd' name=", &["file='/srv/db-1.img' name=", "file='/srv/other.img' name=", "dev='/dev/sdx' name="]),
    ("dev='vnet0'", &["dev='tap-db'", "dev='vnet3'", "dev='tap-db' managed='no'"]),
    ("bridge='br0'", &["bridge='br7'"]),
    ("nodeset='0'", &["nodeset='1'", "nodeset='0-1'", "nodeset='7'"]),
    ("cpuset='0'", &["cpuset='5'", "cpuset='999'"]),
    ("52:54:00:aa:bb:01", &["52:54:00:aa:bb:02"]),
    ("cache='none'", &["cache='writeback'"]),
    (
        "<clock offset='utc'/>",
        &["<memoryBacking><hugepages/></memoryBacking>", "<serial type='file'><source path='/srv/log'/></serial>"],
    ),
    (
        "<devices>",
        &[
            "<devices><serial type='file'><source path='/srv/log'/></serial>",
            "<devices><serial type='tcp'><source mode='bind' host='0.0.0.0' service='5999'/></serial>",
            "<devices><tpm model='tpm-crb'><backend type='passthrough'/></tpm>",
        ],
    ),
    ("managed='yes'", &["managed='no'"]),
    ("name='hostdev0'", &["name='ua-x'"]),
    ("pc-q35-9.2", &["pc-q35-10.1", "q35"]),
];

/// A place in the document, by going down at random.
fn somewhere<'v>(dice: &mut Dice, mut at: &'v mut Value) -> &'v mut Value {
    loop {
        let count = match &*at {
            Value::Object(map) => map.len(),
            Value::Array(list) => list.len(),
            _ => 0,
        };
        if count == 0 || dice.below(12) == 0 {
            return at;
        }
        let chosen = dice.below(count);
        at = match at {
            Value::Object(map) => map.values_mut().nth(chosen).unwrap(),
            Value::Array(list) => &mut list[chosen],
            _ => unreachable!("it has members"),
        };
    }
}

/// Changes one value for another of its type, or for none.
fn change(dice: &mut Dice, value: &mut Value) {
    *value = match (&*value, dice.below(6)) {
        (_, 0) => Value::Null,
        (Value::Bool(yes), _) => json!(!yes),
        (Value::Number(number), at) => {
            let number = number.as_u64().unwrap_or(0);
            json!([number.wrapping_add(1), number.saturating_sub(1), 0, number / 2, number.saturating_mul(2)][at - 1])
        }
        (Value::String(text), at) => {
            json!(
                [
                    format!("{text}x"),
                    String::new(),
                    text.replace('1', "2"),
                    text.replace('0', "1"),
                    text.chars().skip(1).collect()
                ][at - 1]
            )
        }
        (Value::Array(list), 1 | 2) => json!(list.iter().skip(1).collect::<Vec<_>>()),
        (Value::Array(list), _) => json!(list.iter().chain(list.last()).collect::<Vec<_>>()),
        (Value::Object(_), _) => json!({}),
        (Value::Null, at) => [json!("x"), json!(1), json!(true), json!([]), json!({})][at - 1].clone(),
    };
}

fn put(document: &mut Value, path: &str, value: Value) {
    let (folder, name) = path.rsplit_once('/').unwrap();
    let name = name.replace("~1", "/");
    match document.pointer_mut(folder) {
        Some(Value::Object(map)) => {
            map.insert(name, value);
        }
        Some(Value::Array(list)) => {
            if let Some(place) = name.parse::<usize>().ok().and_then(|at| list.get_mut(at)) {
                *place = value;
            }
        }
        _ => {}
    }
}

/// Changes something of one host; what it was, for messages. Nothing where the document is no snapshot afterwards.
pub(crate) fn mutate(dice: &mut Dice, host: &mut Snapshot) -> Option<String> {
    let mut document = serde_json::to_value(&*host).unwrap();
    let what = match dice.below(4) {
        0 => {
            let section = ["host", "devices", "domains", "config"][dice.below(4)];
            let before = document.clone();
            let place = somewhere(dice, &mut document[section]);
            change(dice, place);
            format!("{section}: {}", difference(&before[section], &document[section]))
        }
        1 => {
            let at = dice.below(host.domains.len().max(1));
            let (from, to) = EDITS[dice.below(EDITS.len())];
            let to = to[dice.below(to.len())];
            let domain = document.pointer_mut(&format!("/domains/{at}"))?;
            for name in ["xml", "inactive_xml"].into_iter().take(1 + dice.below(2)) {
                domain[name] = json!(domain[name].as_str().unwrap_or_default().replacen(from, to, 1));
            }
            format!("domain {at}: {from} -> {to}")
        }
        _ => {
            let facts = more_facts();
            let (path, values) = &facts[dice.below(facts.len())];
            let value = &values[dice.below(values.len())];
            put(&mut document, path, value.clone());
            format!("{path} = {value}")
        }
    };
    let mut changed: Snapshot = serde_json::from_value(document).ok()?;
    changed.normalise();
    *host = changed;
    Some(what)
}

fn difference(before: &Value, after: &Value) -> String {
    match (before, after) {
        (Value::Object(old), Value::Object(new)) if old.len() == new.len() => {
            let found = old.iter().find(|(key, value)| new.get(*key) != Some(*value));
            found.map_or(String::new(), |(key, value)| format!("{key}/{}", difference(value, &new[key])))
        }
        (Value::Array(old), Value::Array(new)) if old.len() == new.len() => {
            let found = (0..old.len()).find(|at| old[*at] != new[*at]);
            found.map_or(String::new(), |at| format!("{at}/{}", difference(&old[at], &new[at])))
        }
        _ => format!("{before:.60} -> {after:.60}"),
    }
}

fn asks(hosts: &[Snapshot], guests: &[Vec<usize>]) -> Asks {
    let mut all = Asks::default();
    hosts.iter().zip(guests).for_each(|(host, guests)| all.join(&Asks::of(host, guests)));
    all
}

/// How many pairs were compared, and how many classes of pairs were judged for them.
fn compare(hosts: &[Snapshot], what: &str) -> (usize, usize) {
    let terms = Terms::default();
    let guests: Vec<Vec<usize>> = hosts.iter().map(|host| (0..host.domains.len()).collect()).collect();
    let asks = asks(hosts, &guests);
    let open = |at: usize| hosts.get(at).map(Cow::Borrowed);
    let mut classes = Classes::new(&open, &guests, &asks, &terms, found);
    let mut pairs = 0;
    for (from, source) in hosts.iter().enumerate() {
        for guest in 0..source.domains.len() {
            let exceptions = classes.exceptions(from, guest);
            for (to, destination) in hosts.iter().enumerate().filter(|(to, _)| *to != from) {
                let (wanted, places) = judge(source, destination, guest, &terms, found);
                let class = classes.class(from, guest).unwrap();
                let judged = if exceptions.contains(&to) {
                    Rc::new(classes.of_pair(from, guest, to).unwrap())
                } else {
                    classes.of_class(class, to).unwrap()
                };
                let name = &source.domains[guest].name;
                assert_eq!(judged.said, wanted, "{name} of {from} on {to} after {what}");
                let own = classes.places(&judged, to);
                let places: Vec<Vec<usize>> = places
                    .into_iter()
                    .map(|place| place.into_iter().collect::<BTreeSet<_>>().into_iter().collect())
                    .collect();
                assert_eq!(own, places, "{name} of {from} on {to} after {what}");
                let free = places.iter().flatten().collect::<BTreeSet<_>>().len();
                assert_eq!(
                    classes.free(&judged, to),
                    (!places.is_empty()).then_some(free),
                    "{name} on {to} after {what}"
                );
                pairs += 1;
            }
        }
    }
    (pairs, classes.known.len())
}

pub(crate) fn small(seed: u64) -> Vec<Snapshot> {
    (0..3)
        .map(|number| Fleet { seed, vfs: 5, guests: 4 }.host(number * (1 + usize::try_from(seed % 2).unwrap())))
        .collect()
}

#[test]
#[expect(clippy::disallowed_methods, reason = "more cases may be asked for")]
fn a_class_answers_as_each_pair_does() {
    let cases: u64 = std::env::var("PVM_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(16);
    let (mut pairs, mut judged) = (0, 0);
    for seed in 0..cases {
        let mut dice = Dice(seed);
        dice.below(2);
        let mut hosts = small(seed / 4);
        let mut changes = Vec::new();
        while changes.len() < 1 + dice.below(4) {
            let at = dice.below(hosts.len());
            let what = mutate(&mut dice, &mut hosts[at]);
            // The same fact everywhere makes another that differs count.
            if dice.below(4) == 0 {
                for host in &mut hosts {
                    mutate(&mut dice.clone(), host);
                }
            }
            changes.extend(what.map(|what| format!("{at}: {what}")));
        }
        let count = compare(&hosts, &format!("(seed {seed}) {}", changes.join("; ")));
        (pairs, judged) = (pairs + count.0, judged + count.1);
    }
    assert!(pairs > 0 && judged < pairs, "{judged} classes of {pairs} pairs");
}

#[test]
fn hosts_of_a_kind_are_one_class_whatever_is_free_on_them() {
    let hosts: Vec<Snapshot> = (0..24).map(|number| Fleet { seed: 7, vfs: 40, guests: 12 }.host(number)).collect();
    let guests: Vec<Vec<usize>> = hosts.iter().map(|host| (0..host.domains.len()).collect()).collect();
    let terms = Terms::default();
    let asks = asks(&hosts, &guests);
    let open = |at: usize| hosts.get(at).map(Cow::Borrowed);
    let classes = Classes::new(&open, &guests, &asks, &terms, found);
    let all: usize = guests.iter().map(Vec::len).sum();
    let (destinations, kinds) = (classes.destinations.len(), classes.guests.len());
    assert!((1..=16).contains(&destinations) && kinds * 4 < all, "{destinations} of 24 hosts, {kinds} of {all} guests");
}
