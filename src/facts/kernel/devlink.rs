//! What devlink knows (`include/uapi/linux/devlink.h`), asked of the kernel's generic netlink: firmware versions of a card,
//! the mode of its embedded switch, and of each VF's port whether its function may migrate. Reads only.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use rustix::net::netlink::GENERIC;

use super::netlink::{self, Socket, attribute, attributes, find, half, messages, text, word};
use crate::model::pci::PciAddress;
use crate::model::snapshot::device::{DevType, Device, Devlink, Firmware};
use crate::model::snapshot::{Snapshot, Unknown};

/// The family that tells the numbers of the others (`include/uapi/linux/genetlink.h`).
const GENL_ID_CTRL: u16 = 16;
const CTRL_CMD_GETFAMILY: u8 = 3;
const CTRL_ATTR_FAMILY_ID: u16 = 1;
const CTRL_ATTR_FAMILY_NAME: u16 = 2;
const GENL_HEADER: usize = 4;

const CMD_GET: u8 = 1;
const CMD_PORT_GET: u8 = 5;
const CMD_ESWITCH_GET: u8 = 29;
const CMD_INFO_GET: u8 = 51;
const ATTR_BUS_NAME: u16 = 1;
const ATTR_DEV_NAME: u16 = 2;
const ATTR_PORT_INDEX: u16 = 3;
const ATTR_PORT_TYPE: u16 = 4;
const ATTR_ESWITCH_MODE: u16 = 25;
const ATTR_PORT_FLAVOUR: u16 = 77;
const ATTR_INFO_VERSION_FIXED: u16 = 100;
const ATTR_INFO_VERSION_RUNNING: u16 = 101;
const ATTR_INFO_VERSION_NAME: u16 = 103;
const ATTR_INFO_VERSION_VALUE: u16 = 104;
const ATTR_PORT_PCI_VF_NUMBER: u16 = 128;
const ATTR_PORT_FUNCTION: u16 = 145;
const ATTR_PORT_EXTERNAL: u16 = 149;
const FLAVOUR_PHYSICAL: u16 = 0;
const FLAVOUR_PCI_VF: u16 = 4;
/// `DEVLINK_PORT_FN_ATTR_CAPS`, since Linux 6.2: a bit field of values, then one of those that are valid.
const FN_ATTR_CAPS: u16 = 4;
const FN_CAP_MIGRATABLE: u32 = 1 << 1;

/// The version that names the firmware as a whole, by vendors' habits (`Documentation/networking/devlink/devlink-info.rst`).
const WHOLE: [&str; 4] = ["fw.version", "fw", "fw.bundle_id", "fw.mgmt"];

/// One port of a card.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Port {
    bus: String,
    name: String,
    index: Option<u32>,
    kind: Option<&'static str>,
    flavour: Option<u16>,
    vf: Option<u32>,
    /// It belongs to a function of another host, behind a card with processors of its own.
    external: bool,
    migratable: Option<bool>,
}

/// Adds what devlink knows to functions and their VFs; what could not be had is unknown with its reason.
pub(crate) fn add(snapshot: &mut Snapshot) {
    let (mut channel, cards, ports) = match everything() {
        Ok(found) => found,
        Err(why) => return snapshot.unknown.push(Unknown::new("devlink", why)),
    };
    for device in snapshot.devices.iter_mut().filter(|d| d.dev_type != DevType::Vf && cards.contains(&d.address)) {
        card(device, &ports, channel.info(device.address), channel.eswitch(device.address));
    }
    functions(&mut snapshot.devices, &ports);
}

fn everything() -> Result<(Channel, BTreeSet<PciAddress>, Vec<Port>), String> {
    let mut channel = Channel::open().map_err(|e| match e.kind() {
        io::ErrorKind::NotFound => "this kernel has no devlink".to_owned(),
        _ => format!("devlink cannot be asked: {e}"),
    })?;
    let failed = |e: io::Error| format!("devlink cannot be asked: {e}");
    let cards = channel.ask(netlink::DUMP, CMD_GET, &[]).map_err(failed)?.iter().flat_map(|a| handles(a)).collect();
    let ports = channel.ask(netlink::DUMP, CMD_PORT_GET, &[]).map_err(failed)?.iter().flat_map(|a| read(a)).collect();
    Ok((channel, cards, ports))
}

/// The socket, and the number that the kernel gave devlink.
struct Channel {
    socket: Socket,
    family: u16,
}

impl Channel {
    fn open() -> io::Result<Self> {
        let mut socket = Socket::open(Some(GENERIC))?;
        let mut body = vec![CTRL_CMD_GETFAMILY, 1, 0, 0];
        body.extend(attribute(CTRL_ATTR_FAMILY_NAME, b"devlink\0"));
        let answers = socket.ask(GENL_ID_CTRL, 0, &body)?;
        let family = answers.iter().find_map(|answer| family(answer));
        let family = family.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "no number for the family"))?;
        Ok(Self { socket, family })
    }

    fn ask(&mut self, flags: u16, command: u8, attributes: &[u8]) -> io::Result<Vec<Vec<u8>>> {
        self.socket.ask(self.family, flags, &[&[command, 1, 0, 0], attributes].concat())
    }

    fn about(&mut self, command: u8, address: PciAddress) -> io::Result<Vec<Vec<u8>>> {
        let name = format!("{address}\0");
        let handle = [attribute(ATTR_BUS_NAME, b"pci\0"), attribute(ATTR_DEV_NAME, name.as_bytes())].concat();
        self.ask(0, command, &handle)
    }

    fn info(&mut self, address: PciAddress) -> io::Result<BTreeMap<String, String>> {
        Ok(self.about(CMD_INFO_GET, address)?.iter().flat_map(|answer| versions(answer)).collect())
    }

    fn eswitch(&mut self, address: PciAddress) -> io::Result<Option<&'static str>> {
        Ok(self.about(CMD_ESWITCH_GET, address)?.iter().find_map(|answer| mode(answer)))
    }
}

/// The attributes of each message of an answer.
fn bodies(answer: &[u8]) -> impl Iterator<Item = &[u8]> {
    // Below 16 stand netlink's own messages, such as the end of a dump.
    messages(answer).filter(|(kind, _)| *kind >= GENL_ID_CTRL).filter_map(|(_, body)| body.get(GENL_HEADER..))
}

fn family(answer: &[u8]) -> Option<u16> {
    bodies(answer).find_map(|body| half(find(body, CTRL_ATTR_FAMILY_ID)?, 0))
}

/// The PCI functions that have a devlink instance.
fn handles(answer: &[u8]) -> Vec<PciAddress> {
    let pci = bodies(answer).filter(|body| find(body, ATTR_BUS_NAME).is_some_and(|bus| text(bus) == "pci"));
    pci.filter_map(|body| text(find(body, ATTR_DEV_NAME)?).parse().ok()).collect()
}

fn read(answer: &[u8]) -> Vec<Port> {
    bodies(answer).map(port).collect()
}

fn port(body: &[u8]) -> Port {
    let mut port = Port::default();
    for (kind, value) in attributes(body) {
        match kind {
            ATTR_BUS_NAME => port.bus = text(value),
            ATTR_DEV_NAME => port.name = text(value),
            ATTR_PORT_INDEX => port.index = word(value, 0),
            ATTR_PORT_TYPE => {
                port.kind = match half(value, 0) {
                    Some(2) => Some("eth"),
                    Some(3) => Some("ib"),
                    _ => None,
                };
            }
            ATTR_PORT_FLAVOUR => port.flavour = half(value, 0),
            ATTR_PORT_PCI_VF_NUMBER => port.vf = half(value, 0).map(u32::from),
            ATTR_PORT_EXTERNAL => port.external = value.first() == Some(&1),
            ATTR_PORT_FUNCTION => port.migratable = find(value, FN_ATTR_CAPS).and_then(migratable),
            _ => {}
        }
    }
    port
}

fn migratable(caps: &[u8]) -> Option<bool> {
    let (values, valid) = (word(caps, 0)?, word(caps, 4)?);
    (valid & FN_CAP_MIGRATABLE != 0).then_some(values & FN_CAP_MIGRATABLE != 0)
}

/// The versions of a card that do not change, and those that run; what is stored for the next start does not count.
fn versions(answer: &[u8]) -> Vec<(String, String)> {
    let of = |body| {
        attributes(body).filter(|(kind, _)| matches!(*kind, ATTR_INFO_VERSION_FIXED | ATTR_INFO_VERSION_RUNNING))
    };
    bodies(answer)
        .flat_map(of)
        .filter_map(|(_, pair)| {
            Some((text(find(pair, ATTR_INFO_VERSION_NAME)?), text(find(pair, ATTR_INFO_VERSION_VALUE)?)))
        })
        .collect()
}

fn mode(answer: &[u8]) -> Option<&'static str> {
    bodies(answer).find_map(|body| match half(find(body, ATTR_ESWITCH_MODE)?, 0)? {
        0 => Some("legacy"),
        1 => Some("switchdev"),
        2 => Some("switchdev_inactive"),
        _ => None,
    })
}

/// What devlink says of a card.
fn card(
    device: &mut Device,
    ports: &[Port],
    info: io::Result<BTreeMap<String, String>>,
    eswitch: io::Result<Option<&'static str>>,
) {
    let name = device.address.to_string();
    let own = ports.iter().find(|p| p.bus == "pci" && p.name == name && p.flavour == Some(FLAVOUR_PHYSICAL));
    let mut found = Devlink { port_type: own.and_then(|p| p.kind).map(str::to_owned), ..Devlink::default() };
    match eswitch {
        Ok(mode) => found.eswitch_mode = mode.map(str::to_owned),
        Err(e) => device.unknown.push(Unknown::new("devlink.eswitch_mode", refused(device, &e))),
    }
    match info {
        Ok(versions) => firmware(device, versions),
        Err(e) if device.firmware.is_none() => {
            device.unknown.push(Unknown::new("firmware", refused(device, &e)));
        }
        Err(_) => {}
    }
    device.devlink = Some(found);
}

fn firmware(device: &mut Device, versions: BTreeMap<String, String>) {
    let version = WHOLE.iter().find_map(|name| versions.get(*name)).cloned();
    let psid = versions.get("fw.psid").cloned();
    if version.is_none() && psid.is_none() {
        return;
    }
    let known = device.firmware.take().unwrap_or_default();
    device.firmware = Some(Firmware {
        version: version.or(known.version),
        psid: psid.or(known.psid),
        source: Some("devlink".to_owned()),
        versions,
    });
}

fn refused(device: &Device, error: &io::Error) -> String {
    let driver = device.driver.as_deref().unwrap_or("the driver");
    match error.kind() {
        io::ErrorKind::PermissionDenied => "only root may ask devlink for it: run pvm as root".to_owned(),
        io::ErrorKind::Unsupported => format!("{driver} does not report it through devlink"),
        _ => format!("devlink on {}: {error}", device.address),
    }
}

/// What each VF's port on its PF says. Such ports exist only where the embedded switch is in switchdev mode.
fn functions(devices: &mut [Device], ports: &[Port]) {
    let mut by_vf: BTreeMap<(PciAddress, u32), Vec<&Port>> = BTreeMap::new();
    let local = ports.iter().filter(|p| p.bus == "pci" && p.flavour == Some(FLAVOUR_PCI_VF) && !p.external);
    for port in local {
        if let (Ok(pf), Some(vf)) = (port.name.parse(), port.vf) {
            by_vf.entry((pf, vf)).or_default().push(port);
        }
    }
    let modes: BTreeMap<PciAddress, Option<String>> =
        devices.iter().filter_map(|d| Some((d.address, d.devlink.as_ref()?.eswitch_mode.clone()))).collect();
    for device in devices {
        let (Some(pf), Some(index)) = (device.parent_addr, device.vf_index) else { continue };
        let Some(mode) = modes.get(&pf) else { continue };
        let why = match by_vf.get(&(pf, index)).map(Vec::as_slice) {
            Some([port]) => {
                device.devlink = Some(Devlink {
                    eswitch_mode: None,
                    migratable: port.migratable,
                    port_type: port.kind.map(str::to_owned),
                    port: port.index,
                });
                if port.migratable.is_some() {
                    continue;
                }
                "the VF's port does not say whether it may migrate (Linux 6.2 and mlx5 do)".to_owned()
            }
            Some(_) => format!("{pf} has several ports for VF {index}"),
            None if mode.as_deref() == Some("legacy") => {
                format!("{pf} is in legacy mode, where VFs have no devlink port and the firmware's setting decides")
            }
            None => format!("{pf} has no devlink port for it"),
        };
        // Only mlx5 has the switch; of other drivers it is not missed.
        if device.vendor_id.is_some_and(|vendor| vendor.0 == 0x15b3) {
            device.unknown.push(Unknown::new("devlink.migratable", why));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::pci::PciId;

    /// One answer captured from a kernel with a netdevsim device.
    fn captured(name: &str) -> Vec<u8> {
        let all = include_str!("../../../tests/fixtures/netlink/devlink-netdevsim.hex");
        let hex = all.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')).unwrap();
        (0..hex.len()).step_by(2).map(|i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap()).collect()
    }

    /// The captured port of VF 1, moved to a PCI function: netdevsim has a bus of its own.
    fn vf_port(pf: &str) -> Port {
        let port = read(&captured("switchdev-port")).into_iter().find(|port| port.vf == Some(1)).unwrap();
        Port { bus: "pci".to_owned(), name: pf.to_owned(), ..port }
    }

    #[test]
    fn captured_answers_are_read_as_devlink_prints_them() {
        assert_eq!(family(&captured("family")), Some(21));
        assert_eq!(handles(&captured("switchdev-dev")), [], "netdevsim is on no PCI bus");
        assert_eq!(mode(&captured("legacy-eswitch")), Some("legacy"));
        assert_eq!(mode(&captured("switchdev-eswitch")), Some("switchdev"));
        let running = ("fw.mgmt".to_owned(), "10.20.30".to_owned());
        assert_eq!(versions(&captured("switchdev-info")), [running], "the stored one is left out");
        let shown = |name| -> Vec<_> {
            read(&captured(name)).iter().map(|p| (p.index.unwrap(), p.kind, p.flavour.unwrap(), p.vf)).collect()
        };
        let physical = [(0, Some("eth"), 0, None), (1, Some("eth"), 0, None)];
        assert_eq!(shown("legacy-port"), physical);
        let vfs = [(128, Some("eth"), 4, Some(0)), (129, Some("eth"), 4, Some(1)), (130, Some("eth"), 4, Some(2))];
        assert_eq!(shown("switchdev-port"), [&physical[..], &vfs].concat());
    }

    /// netdevsim has no port function: the attribute is built as the kernel's `devlink_port_fn_caps_fill` does.
    #[test]
    fn a_function_says_whether_it_may_migrate() {
        let caps = |values: u32, valid: u32| {
            let field = [values.to_ne_bytes(), valid.to_ne_bytes()].concat();
            let function = [attribute(1, &[0; 6]), attribute(FN_ATTR_CAPS, &field)].concat();
            port(&attribute(ATTR_PORT_FUNCTION, &function)).migratable
        };
        assert_eq!(caps(0b11, 0b11), Some(true));
        assert_eq!(caps(0b01, 0b11), Some(false));
        assert_eq!(caps(0b11, 0b01), None, "a bit that is not valid says nothing");
        assert_eq!(port(&attribute(ATTR_PORT_FUNCTION, &attribute(1, &[0; 6]))).migratable, None);
    }

    fn pf_and_vfs() -> Vec<Device> {
        let at = |text: &str| text.parse().unwrap();
        let vf = |address: &str, index| Device {
            address: at(address),
            dev_type: DevType::Vf,
            vendor_id: Some(PciId(0x15b3)),
            parent_addr: Some(at("0000:04:00.0")),
            vf_index: Some(index),
            ..Device::default()
        };
        let pf = Device { address: at("0000:04:00.0"), dev_type: DevType::Pf, ..Device::default() };
        vec![pf, vf("0000:04:00.1", 0), vf("0000:04:00.2", 1), vf("0000:04:00.3", 2)]
    }

    #[test]
    fn ports_find_their_vfs() {
        let mut devices = pf_and_vfs();
        let mine = Port { migratable: Some(true), ..vf_port("0000:04:00.0") };
        let theirs = Port { vf: Some(2), external: true, ..mine.clone() };
        let twice = Port { vf: Some(0), ..mine.clone() };
        let ports = [mine, theirs, twice.clone(), twice, Port { vf: Some(1), ..vf_port("0000:05:00.0") }];
        card(&mut devices[0], &ports, Ok(BTreeMap::new()), Ok(Some("switchdev")));
        functions(&mut devices, &ports);
        let found = devices[2].devlink.as_ref().unwrap();
        assert_eq!((found.migratable, found.port, found.port_type.as_deref()), (Some(true), Some(129), Some("eth")));
        for (vf, why) in [(1, "several ports"), (3, "no devlink port")] {
            assert_eq!(devices[vf].devlink, None);
            assert!(devices[vf].why_unknown("devlink.migratable").unwrap().contains(why));
        }
    }

    #[test]
    fn legacy_mode_leaves_the_answer_to_the_firmware() {
        let mut devices = pf_and_vfs();
        card(&mut devices[0], &[], Ok(BTreeMap::new()), Ok(Some("legacy")));
        functions(&mut devices, &[]);
        assert!(devices[1].why_unknown("devlink.migratable").unwrap().contains("legacy mode"));
        assert_eq!(devices[1].devlink, None, "nothing is copied from the PF");
    }

    #[test]
    fn what_is_refused_is_unknown_with_its_reason() {
        let mut pf = pf_and_vfs().remove(0);
        pf.driver = Some("ice".to_owned());
        let no = |errno: rustix::io::Errno| io::Error::from(errno);
        card(&mut pf, &[], Err(no(rustix::io::Errno::OPNOTSUPP)), Err(no(rustix::io::Errno::PERM)));
        assert_eq!(pf.why_unknown("firmware"), Some("ice does not report it through devlink"));
        assert!(pf.why_unknown("devlink.eswitch_mode").unwrap().contains("only root"));
    }

    #[test]
    fn versions_name_the_firmware() {
        let told = |pairs: &[(&str, &str)]| {
            let mut device = Device::default();
            firmware(&mut device, pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect());
            device.firmware.map(|f| (f.version, f.psid))
        };
        let some = |text: &str| Some(text.to_owned());
        let mlx5 = [("fw.psid", "MT_0000000834"), ("fw", "28.41.1000"), ("fw.version", "28.41.1000")];
        assert_eq!(told(&mlx5), Some((some("28.41.1000"), some("MT_0000000834"))));
        let ice = [("board.id", "K65390-000"), ("fw.mgmt", "6.1.4"), ("fw.bundle_id", "0x8000e1b1")];
        assert_eq!(told(&ice), Some((some("0x8000e1b1"), None)));
        assert_eq!(told(&[("asic.id", "7")]), None);
    }

    #[test]
    fn this_kernel_answers_or_says_why_not() {
        match everything() {
            Ok((_, _, ports)) => assert!(ports.iter().all(|port| !port.name.is_empty() && port.index.is_some())),
            Err(why) => assert!(why.contains("devlink"), "{why}"),
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_left(bytes: Vec<u8>) {
            let _ = (family(&bytes), mode(&bytes));
            let _ = (handles(&bytes), versions(&bytes), read(&bytes));
        }
    }
}
