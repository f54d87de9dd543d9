//! The ports that somebody has: `/proc/net/tcp`, `udp` and those of IPv6 (kernel: `net/ipv4/tcp_ipv4.c`, `get_tcp4_sock`).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::sysfs::Tree;

const MOST_BYTES: usize = 16 << 20;

/// A protocol with its tables, and the state of a socket that has a port for itself.
#[derive(Debug, Clone, Copy)]
pub(super) enum Protocol {
    Tcp,
    Udp,
}

/// Addresses and ports that are listened on, sorted; `None` when the kernel does not say.
pub(super) fn read(tree: &Tree, protocol: Protocol) -> Option<Vec<SocketAddr>> {
    let (name, state) = match protocol {
        Protocol::Tcp => ("tcp", "0A"),
        Protocol::Udp => ("udp", "07"),
    };
    let table = |name: &str| tree.read(&format!("proc/net/{name}"), MOST_BYTES).ok().flatten();
    let mut found = parse(&String::from_utf8_lossy(&table(name)?), state);
    // A kernel without IPv6 has no such table.
    found.extend(table(&format!("{name}6")).iter().flat_map(|text| parse(&String::from_utf8_lossy(text), state)));
    found.sort_unstable();
    found.dedup();
    Some(found)
}

fn parse(text: &str, wanted: &str) -> Vec<SocketAddr> {
    let listening = |line: &str| {
        let mut fields = line.split_ascii_whitespace().skip(1);
        let (local, _, state) = (fields.next()?, fields.next()?, fields.next()?);
        (state == wanted).then_some(())?;
        let (address, port) = local.split_once(':')?;
        Some(SocketAddr::new(ip(address)?, u16::from_str_radix(port, 16).ok()?))
    };
    text.lines().skip(1).filter_map(listening).collect()
}

/// An address as the kernel prints it: words of 32 bits in the machine's order.
fn ip(text: &str) -> Option<IpAddr> {
    let word = |at: usize| Some(u32::from_str_radix(text.get(at..at + 8)?, 16).ok()?.to_ne_bytes());
    match text.len() {
        8 => Some(IpAddr::V4(Ipv4Addr::from(word(0)?))),
        32 => {
            let words = [word(0)?, word(8)?, word(16)?, word(24)?];
            let bytes: [u8; 16] = words.as_flattened().try_into().ok()?;
            Some(IpAddr::V6(Ipv6Addr::from(bytes)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    #[cfg(target_endian = "little")]
    fn what_listens_is_told_from_what_is_connected() {
        let text = "  sl  local_address rem_address   st\n\
                    0: 0100007F:0016 00000000:0000 0A 0:0 0\n\
                    1: 00000000:C000 00000000:0000 0A 0:0 0\n\
                    2: 0100007F:0017 0100007F:9999 01 0:0 0\n\
                    3: 00000000000000000000000001000000:170C 0:0 0A\n";
        let found: Vec<String> = parse(text, "0A").iter().map(ToString::to_string).collect();
        assert_eq!(found, ["127.0.0.1:22", "0.0.0.0:49152", "[::1]:5900"]);
    }

    proptest! {
        #[test]
        fn any_text_is_read(text: String) {
            let _ = parse(&text, "0A");
        }
    }
}
