//! What the host's network offers to guests: interfaces, bridges, addresses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::sysfs::Tree;
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
mod tests {
    use super::*;

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
