//! What PFs enforce for their VFs, asked of the kernel's routing netlink (`RTM_GETLINK` with `RTEXT_FILTER_VF`): what
//! `ip -d link` shows. Reads only, needs no rights.

use std::collections::BTreeMap;
use std::io;

use super::netlink::{self, Socket, attribute, attributes, messages, word};
use crate::model::snapshot::Device;
use crate::model::snapshot::device::VfAdmin;

const RTM_NEWLINK: u16 = 16;
const RTM_GETLINK: u16 = 18;
const LINK_HEADER: usize = 16;
const IFLA_IFNAME: u16 = 3;
const IFLA_VFINFO_LIST: u16 = 22;
const IFLA_EXT_MASK: u16 = 29;
const RTEXT_FILTER_VF: u32 = 1;

/// One PF's VFs by number.
type Vfs = BTreeMap<u32, VfAdmin>;

/// Gives every VF whose PF has a network interface what that PF enforces for it.
pub(crate) fn add(devices: &mut [Device]) -> io::Result<()> {
    let mut interfaces = BTreeMap::new();
    for answer in dump()? {
        links(&answer, &mut interfaces);
    }
    let netdevs: BTreeMap<_, _> = devices.iter().filter_map(|d| Some((d.address, d.netdev.clone()?))).collect();
    for device in devices {
        let (Some(parent), Some(index)) = (device.parent_addr, device.vf_index) else { continue };
        let Some(vfs) = netdevs.get(&parent).and_then(|name| interfaces.get(name)) else { continue };
        device.vf_admin = vfs.get(&index).cloned();
    }
    Ok(())
}

/// Asks for every link; the answers as the kernel packs them.
fn dump() -> io::Result<Vec<Vec<u8>>> {
    let mut body = vec![0; LINK_HEADER];
    body.extend(attribute(IFLA_EXT_MASK, &RTEXT_FILTER_VF.to_ne_bytes()));
    Socket::open(None)?.ask(RTM_GETLINK, netlink::DUMP, &body)
}

fn links(answer: &[u8], interfaces: &mut BTreeMap<String, Vfs>) {
    for (_, body) in messages(answer).filter(|(kind, _)| *kind == RTM_NEWLINK) {
        let Some(body) = body.get(LINK_HEADER..) else { continue };
        let name = netlink::find(body, IFLA_IFNAME);
        let list = netlink::find(body, IFLA_VFINFO_LIST);
        let (Some(name), Some(list)) = (name, list) else { continue };
        let name = netlink::text(name);
        interfaces.insert(name, attributes(list).filter_map(|(_, info)| vf(info)).collect());
    }
}

/// One `IFLA_VF_INFO`: every attribute in it begins with the VF's number (kernel: `include/uapi/linux/if_link.h`).
fn vf(info: &[u8]) -> Option<(u32, VfAdmin)> {
    let mut number = None;
    let mut admin = VfAdmin::default();
    for (kind, value) in attributes(info) {
        let Some(setting) = word(value, 4) else { continue };
        let small = u16::try_from(setting).ok();
        match kind {
            1 => {
                number = word(value, 0);
                let mac = value.get(4..10)?;
                admin.mac = Some(mac.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(":"));
            }
            2 => {
                admin.vlan = small;
                admin.qos = word(value, 8).and_then(|qos| u8::try_from(qos).ok());
            }
            // A driver that does not know a switch reports all bits set.
            4 => admin.spoofchk = (setting != u32::MAX).then_some(setting != 0),
            5 => admin.link_state = ["auto", "enable", "disable"].get(usize::from(small?)).map(|s| (*s).to_owned()),
            6 => (admin.rate_min, admin.rate_max) = (Some(setting), word(value, 8)),
            9 => admin.trust = (setting != u32::MAX).then_some(setting != 0),
            _ => {}
        }
    }
    Some((number?, admin))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn words(values: &[u32]) -> Vec<u8> {
        values.iter().flat_map(|v| v.to_ne_bytes()).collect()
    }

    fn link(name: &str, vfs: &[Vec<u8>]) -> Vec<u8> {
        let mut body = vec![0; LINK_HEADER];
        body.extend(attribute(IFLA_IFNAME, format!("{name}\0").as_bytes()));
        body.extend(attribute(IFLA_VFINFO_LIST, &vfs.iter().flat_map(|vf| attribute(1, vf)).collect::<Vec<_>>()));
        let length = u32::try_from(16 + body.len()).unwrap();
        let mut message = length.to_ne_bytes().to_vec();
        message.extend(RTM_NEWLINK.to_ne_bytes());
        message.extend([0; 10]);
        message.extend(body);
        message
    }

    #[test]
    fn reads_what_a_pf_enforces() {
        let mut mac = words(&[1]);
        mac.extend([0x52, 0x54, 0, 0xaa, 0xbb, 0xcc]);
        mac.resize(36, 0);
        let vf = [
            attribute(1, &mac),
            attribute(2, &words(&[1, 100, 3])),
            attribute(4, &words(&[1, 1])),
            attribute(5, &words(&[1, 2])),
            attribute(6, &words(&[1, 10, 20])),
            attribute(9, &words(&[1, u32::MAX])),
        ]
        .concat();
        let mut found = BTreeMap::new();
        links(&link("ens1", &[vf]), &mut found);
        let wanted = VfAdmin {
            mac: Some("52:54:00:aa:bb:cc".to_owned()),
            vlan: Some(100),
            qos: Some(3),
            trust: None,
            spoofchk: Some(true),
            rate_min: Some(10),
            rate_max: Some(20),
            link_state: Some("disable".to_owned()),
        };
        assert_eq!(found["ens1"], BTreeMap::from([(1, wanted)]));
    }

    #[test]
    fn the_kernel_answers() {
        let answers = dump().unwrap();
        assert!(answers.iter().flat_map(|a| messages(a)).any(|(kind, _)| kind == RTM_NEWLINK), "no link at all");
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_left(bytes: Vec<u8>) {
            links(&bytes, &mut BTreeMap::new());
        }
    }
}
