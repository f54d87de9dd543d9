//! What a rewrite must keep: everything but the addresses.

use proptest::prelude::*;

use super::*;
use crate::domain::read::read;
use crate::model::device_move::Action;

fn at(text: &str) -> PciAddress {
    text.parse().unwrap()
}

fn map(pairs: &[(&str, &str)]) -> Vec<DeviceMove> {
    pairs.iter().map(|(a, b)| DeviceMove::new(at(a), at(b), Action::Migrate)).collect()
}

fn rewrite(text: &str, map: &[DeviceMove]) -> Result<String, XmlError> {
    super::rewrite(text, map, Interfaces::MustBeMapped)
}

fn hostdev(address: PciAddress, quote: char) -> String {
    let PciAddress { domain, bus, slot, function } = address;
    format!(
        "<hostdev mode={quote}subsystem{quote} type={quote}pci{quote} managed={quote}yes{quote}>\n  <source>\n    \
         <address domain={quote}0x{domain:04x}{quote} bus={quote}0x{bus:02x}{quote} slot={quote}0x{slot:02x}{quote} \
         function={quote}0x{function:x}{quote}/>\n  </source>\n  <address type={quote}pci{quote} domain={quote}0x0000{quote} \
         bus={quote}0x06{quote} slot={quote}0x00{quote} function={quote}0x0{quote}/>\n</hostdev>"
    )
}

fn domain(devices: &str) -> String {
    format!("<domain type='kvm'><name>g</name><devices>{devices}</devices></domain>")
}

fn sources(xml: &str) -> Vec<PciAddress> {
    read(xml).unwrap().hostdevs.iter().filter_map(|h| h.source).collect()
}

#[test]
fn a_swap_swaps() {
    let guest = domain(&(hostdev(at("81:00.1"), '\'') + &hostdev(at("81:00.2"), '"')));
    let swapped = rewrite(&guest, &map(&[("81:00.1", "81:00.2"), ("81:00.2", "81:00.1")])).unwrap();
    assert_eq!(sources(&swapped), [at("81:00.2"), at("81:00.1")]);
}

#[test]
fn a_chain_moves_each_device_once() {
    let guest = domain(&(hostdev(at("81:00.1"), '\'') + &hostdev(at("81:00.2"), '\'')));
    let moved = rewrite(&guest, &map(&[("81:00.1", "81:00.2"), ("81:00.2", "81:00.3")])).unwrap();
    assert_eq!(sources(&moved), [at("81:00.2"), at("81:00.3")]);
}

#[test]
fn everything_else_stays() {
    let guest = "<?xml version='1.0'?>\n<!-- bus='0x81' -->\n<domain type='kvm' \
        xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>\n <metadata><x:hostdev xmlns:x='urn:x' type='pci'><x:source>\
        <address bus='0x81' slot='0' function='0x1'/></x:source></x:hostdev><t><![CDATA[<hostdev type='pci'>]]></t></metadata>\n \
        <devices><!-- <hostdev type='pci'/> --><hostdev type=\"pci\" managed = 'yes' ><source><address domain='&#x30;x0000' \
        bus = \"0x81\"\n slot='0' function='01' /></source>&lt;</hostdev></devices>\n \
        <qemu:commandline><qemu:arg value='0x81'/></qemu:commandline>\n</domain>\n<!-- end -->\n";
    let moved = rewrite(guest, &map(&[("81:00.1", "0001:c1:00.7")])).unwrap();
    let expected = guest
        .replace("bus = \"0x81\"", "bus = \"0xc1\"")
        .replace("domain='&#x30;x0000'", "domain='0x0001'")
        .replace("function='01'", "function='0x7'");
    assert_eq!(moved, expected);
}

#[test]
fn fields_that_are_left_out_are_added_only_where_needed() {
    let guest = domain("<hostdev type='pci'><source><address bus='0x81'/></source></hostdev>");
    let moved = rewrite(&guest, &map(&[("81:00.0", "81:00.4")])).unwrap();
    assert!(moved.contains("<address function='0x4' bus='0x81'/>"), "{moved}");
}

#[test]
fn managed_and_driver_follow_the_destination() {
    let mut map = map(&[("81:00.1", "c1:00.1")]);
    map[0].managed = Some(false);
    map[0].driver_model = Some("a'b<&".into());
    let moved = rewrite(&domain(&hostdev(at("81:00.1"), '\'')), &map).unwrap();
    assert!(moved.contains("managed='no'>\n  <driver model='a&apos;b&lt;&amp;'/>\n  <source>"), "{moved}");
    map[0].source = at("c1:00.1");
    assert_eq!(rewrite(&moved, &map).unwrap(), moved, "what is right already stays");
    map[0].managed = Some(true);
    map[0].driver_model = Some("m".into());
    let third = rewrite(&moved, &map).unwrap();
    assert!(third.contains("managed='yes'>\n  <driver model='m'/>\n"), "{third}");
    let bare = domain(
        "<hostdev type='pci'><driver name='vfio'/><source><address bus='0xc1' function='1'/></source></hostdev>",
    );
    assert!(
        rewrite(&bare, &map).unwrap().contains("<hostdev managed='yes' type='pci'><driver model='m' name='vfio'/>")
    );
}

#[test]
fn interfaces_are_host_devices_unless_they_are_detached() {
    let port = "<interface type='hostdev' managed='yes'><source><address type='pci' bus='0x81' function='0x7'/></source></interface>";
    let guest = domain(&(hostdev(at("81:00.1"), '\'') + port));
    let mut map = map(&[("81:00.1", "c1:00.1")]);
    assert_eq!(rewrite(&guest, &map), Err(XmlError::Unmapped(at("81:00.7"))));
    let staying = |map: &[DeviceMove]| sources(&super::rewrite(&guest, map, Interfaces::MayStay).unwrap());
    assert_eq!(staying(&map), [at("c1:00.1"), at("81:00.7")]);
    map.push(DeviceMove::new(at("81:00.7"), at("c1:00.7"), Action::Migrate));
    assert_eq!(staying(&map), [at("c1:00.1"), at("c1:00.7")]);
}

#[test]
fn refuses_what_would_lose_a_device() {
    let two = domain(&(hostdev(at("81:00.1"), '\'') + &hostdev(at("81:00.2"), '\'')));
    let same = domain(&hostdev(at("81:00.1"), '\'').repeat(2));
    let bad = domain("<hostdev type='pci'><source><address bus='0x1ff'/></source></hostdev>");
    for (xml, pairs, error) in [
        (&two, &[("81:00.1", "c1:00.1")][..], XmlError::Unmapped(at("81:00.2"))),
        (&two, &[("81:00.1", "c1:00.1"), ("81:00.1", "c1:00.2")], XmlError::SourceTwice(at("81:00.1"))),
        (&two, &[("81:00.1", "c1:00.1"), ("81:00.2", "c1:00.1")], XmlError::DestinationTwice(at("c1:00.1"))),
        (
            &two,
            &[("81:00.1", "c1:00.1"), ("81:00.2", "c1:00.2"), ("81:00.3", "c1:00.3")],
            XmlError::NotFound(at("81:00.3")),
        ),
        (&same, &[("81:00.1", "c1:00.1")], XmlError::TwiceInXml(at("81:00.1"))),
        (&bad, &[], XmlError::BadAddress { element: "hostdev".into() }),
    ] {
        assert_eq!(rewrite(xml, &map(pairs)), Err(error));
    }
}

#[test]
fn persistent_devices_the_guest_does_not_have_are_named() {
    let xml = domain(&(hostdev(at("81:00.1"), '\'') + &hostdev(at("81:00.5"), '\'')));
    let mapping = map(&[("81:00.1", "c1:00.1"), ("81:00.2", "c1:00.2")]);
    let (text, left) = rewrite_persistent(&xml, &mapping).unwrap();
    assert_eq!(left, [at("81:00.5")]);
    assert_eq!(sources(&text), [at("c1:00.1"), at("81:00.5")]);
}

fn address() -> impl Strategy<Value = PciAddress> {
    (0u32..3, 0u8..3, 0u8..3, 0u8..3).prop_map(|(d, b, s, f)| PciAddress::new(d, b, s, f).unwrap())
}

/// Distinct sources and as many distinct destinations from the same few addresses, so that they overlap.
fn mapping() -> impl Strategy<Value = (Vec<PciAddress>, Vec<PciAddress>)> {
    (1usize..9).prop_flat_map(|n| {
        let distinct = move || proptest::collection::btree_set(address(), n).prop_map(Vec::from_iter).prop_shuffle();
        (distinct(), distinct())
    })
}

fn moves(from: &[PciAddress], to: &[PciAddress]) -> Vec<DeviceMove> {
    from.iter().zip(to).map(|(a, b)| DeviceMove::new(*a, *b, Action::Migrate)).collect()
}

fn noise() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "",
        "\n  ",
        "<!-- <address bus='0x01'/> -->",
        "<disk><source file='/a&amp;b'/></disk>",
        "<hostdev type='usb'><source><address bus='0x01' device='0x02'/></source></hostdev>",
        "<x:y xmlns:x='urn:x' domain='0x0001'><![CDATA[<hostdev type='pci'>]]></x:y>",
        "<hostdev type='mdev'><source><address uuid='4b20d080-1b54-4048-85b3-a6a62d165c01'/></source></hostdev>",
    ])
    .prop_map(str::to_owned)
}

proptest! {
    #[test]
    fn mapping_there_and_back_restores_every_byte(
        (from, to) in mapping(),
        noise in proptest::collection::vec(noise(), 9),
        quotes in proptest::collection::vec(prop::bool::ANY, 9),
    ) {
        let mut devices = String::new();
        for (i, address) in from.iter().enumerate() {
            devices += &noise[i];
            devices += &hostdev(*address, if quotes[i] { '"' } else { '\'' });
        }
        let guest = domain(&devices);
        prop_assert_eq!(&rewrite(&guest, &moves(&from, &from)).unwrap(), &guest);
        let moved = rewrite(&guest, &moves(&from, &to)).unwrap();
        prop_assert_eq!(sources(&moved), to.clone());
        prop_assert_eq!(moved.len(), guest.len());
        prop_assert_eq!(rewrite(&moved, &moves(&to, &from)).unwrap(), guest);
    }

    #[test]
    fn any_text_is_rewritten_or_refused(text: String, (from, to) in mapping()) {
        let map = moves(&from, &to);
        let _ = rewrite(&text, &map);
        let _ = rewrite(&domain(&text), &map);
    }
}
