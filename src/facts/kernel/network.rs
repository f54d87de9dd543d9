//! What the host's network offers to guests: interfaces, bridges, addresses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::sysfs::Tree;
use crate::model::snapshot::Device;
use crate::model::snapshot::host::{Bridge, Host};

const PROC: usize = 4 << 20;

/// Reads interfaces, bridges and addresses.
pub(super) fn read(tree: &Tree, host: &mut Host) {
    let names = tree.names("sys/class/net");
    host.bridges = Some(
        names
            .iter()
            .filter(|name| tree.has(&format!("sys/class/net/{name}/bridge")))
            .map(|name| Bridge {
                mtu: tree.word(&format!("sys/class/net/{name}/mtu")).and_then(|text| text.parse().ok()),
                name: name.clone(),
            })
            .collect(),
    );
    host.interfaces = tree.has("sys/class/net").then_some(names);
    let text = |path: &str| Some(String::from_utf8_lossy(&tree.read(path, PROC).ok()??).into_owned());
    host.addresses = text("proc/net/fib_trie").map(|trie| {
        let mut all = ipv4(&trie);
        all.extend(text("proc/net/if_inet6").map(|list| ipv6(&list)).unwrap_or_default());
        all.sort_unstable();
        all.dedup();
        all.iter().map(IpAddr::to_string).collect()
    });
}

/// Tells every network function what the host uses its interface for.
pub(super) fn uses(tree: &Tree, devices: &mut [Device]) {
    if devices.iter().all(|device| device.netdev.is_none()) {
        return;
    }
    let text = |path: &str| Some(String::from_utf8_lossy(&tree.read(path, PROC).ok()??).into_owned());
    let (routes, addresses) = (text("proc/net/route"), text("proc/net/if_inet6"));
    for device in devices {
        let Some(name) = device.netdev.as_deref() else { continue };
        let folder = format!("sys/class/net/{name}");
        let names = tree.names(&folder);
        let mut found: Vec<String> = Vec::new();
        let above = names.iter().filter_map(|entry| entry.strip_prefix("upper_"));
        let master = names.iter().any(|entry| entry == "master");
        found.extend(above.map(|upper| format!("{} {upper}", if master { "belongs to" } else { "carries" })));
        if routes.iter().flat_map(|text| text.lines()).any(|line| line.split_ascii_whitespace().next() == Some(name)) {
            found.push("has a route".to_owned());
        }
        if addresses.iter().flat_map(|text| text.lines()).any(|line| is_address_of(line, name)) {
            found.push("has an address".to_owned());
        }
        // An IPv4 address comes with a route; without that table nobody knows.
        device.netdev_use = (!found.is_empty() || routes.is_some()).then_some(found);
    }
}

/// Whether a line of `/proc/net/if_inet6` has an address of this interface beyond the one that each gets by itself (scope 20).
fn is_address_of(line: &str, name: &str) -> bool {
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    words.len() == 6 && words[5] == name && words[3] != "20"
}

/// The routing table names an address of the host as `|-- ADDRESS` with `/32 host LOCAL` below.
fn ipv4(trie: &str) -> Vec<IpAddr> {
    let mut last = None;
    let mut found = Vec::new();
    for line in trie.lines().map(str::trim) {
        if let Some(address) = line.strip_prefix("|-- ") {
            last = address.parse::<Ipv4Addr>().ok();
        } else if line == "/32 host LOCAL" {
            found.extend(last.map(IpAddr::V4));
        }
    }
    found
}

/// 32 hex digits, then index, prefix length, scope, flags and interface.
fn ipv6(list: &str) -> Vec<IpAddr> {
    let address = |line: &str| {
        let digits = line.split(' ').next().filter(|word| word.len() == 32)?;
        Some(IpAddr::V6(Ipv6Addr::from(u128::from_str_radix(digits, 16).ok()?)))
    };
    list.lines().filter_map(address).collect()
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test makes the files it reads")]
mod tests {
    use super::*;

    #[test]
    fn what_the_host_uses_an_interface_for_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let put = |path: &str, text: &str| {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        let mut devices: Vec<Device> = ["ens1", "ens2", "ens3", "ens4"]
            .map(|name| Device { netdev: Some(name.to_owned()), ..Device::default() })
            .into();
        for name in ["ens1", "ens2", "ens4"] {
            put(&format!("sys/class/net/{name}/operstate"), "up\n");
        }
        put("sys/class/net/ens3/master/x", "");
        put("sys/class/net/ens3/upper_bond0/x", "");
        let tree = Tree::open(dir.path()).unwrap();
        uses(&tree, &mut devices);
        let told = |devices: &[Device]| devices.iter().map(|d| d.netdev_use.clone()).collect::<Vec<_>>();
        let some = |text: &str| Some(vec![text.to_owned()]);
        assert_eq!(told(&devices), [None, None, some("belongs to bond0"), None]);
        put("proc/net/route", "Iface\tDestination\tGateway\nens1\t00000000\t0100000A\t0003\n");
        put(
            "proc/net/if_inet6",
            "fe8000000000000000000000000000aa 02 40 20 80     ens2\n20010db80000000000000000000000aa 04 40 00 80     ens4\n",
        );
        uses(&tree, &mut devices);
        let expected = [some("has a route"), Some(Vec::new()), some("belongs to bond0"), some("has an address")];
        assert_eq!(told(&devices), expected);
    }

    #[test]
    fn reads_the_hosts_own_addresses() {
        let trie = "Main:\n  +-- 0.0.0.0/0 3 0 5\n     |-- 10.77.0.0\n        /24 link UNICAST\n     |-- 10.77.0.1\n        \
                    /32 host LOCAL\n     |-- 10.77.0.255\n        /32 link BROADCAST\n";
        assert_eq!(ipv4(trie), [IpAddr::from([10, 77, 0, 1])]);
        let list = "00000000000000000000000000000001 01 80 10 80       lo\nfe8000000000000000000000000000aa 02 40 20 80 e\nx\n";
        let text: Vec<String> = ipv6(list).iter().map(ToString::to_string).collect();
        assert_eq!(text, ["::1", "fe80::aa"]);
    }
}
