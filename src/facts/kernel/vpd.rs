//! Vital product data: serial and part number of a card (PCI 3.0, appendix I).

use crate::model::snapshot::device::Vpd;

const TAG_END: u8 = 0x78;
const TAG_READ_ONLY: u8 = 0x90;

/// Reads the read-only fields. `None` when the bytes are not VPD.
pub(crate) fn parse(bytes: &[u8]) -> Option<Vpd> {
    let mut at = 0;
    while let Some(&tag) = bytes.get(at) {
        if tag == TAG_END {
            return None;
        }
        if tag & 0x80 == 0 {
            // A small item: its length is in the tag.
            at += 1 + usize::from(tag & 7);
            continue;
        }
        let length = usize::from(u16::from_le_bytes([*bytes.get(at + 1)?, *bytes.get(at + 2)?]));
        let body = bytes.get(at + 3..at + 3 + length)?;
        if tag == TAG_READ_ONLY {
            return Some(fields(body));
        }
        at += 3 + length;
    }
    None
}

fn fields(mut body: &[u8]) -> Vpd {
    let mut vpd = Vpd::default();
    while let [a, b, length, rest @ ..] = body {
        let Some((value, next)) = rest.split_at_checked(usize::from(*length)) else { break };
        let text = String::from_utf8_lossy(value).trim_matches([' ', '\0']).to_owned();
        match (a, b) {
            (b'S', b'N') => vpd.serial = Some(text),
            (b'P', b'N') => vpd.part = Some(text),
            _ => {}
        }
        body = next;
    }
    // Nova takes libvirt's `serial_number` field, which is SN.
    vpd.card_serial.clone_from(&vpd.serial);
    vpd
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_serial_and_part() {
        let mut bytes = vec![0x82, 4, 0, b'c', b'a', b'r', b'd', 0x90, 18, 0];
        bytes.extend_from_slice(b"PN\x05MCX7-SN\x07MT2233 x\x78");
        bytes[8] = u8::try_from(bytes.len() - 10 - 1).unwrap();
        let vpd = parse(&bytes).unwrap();
        assert_eq!(vpd.part.as_deref(), Some("MCX7-"));
        assert_eq!(vpd.serial.as_deref(), Some("MT2233"));
    }

    #[test]
    fn all_ones_is_no_vpd() {
        assert_eq!(parse(&[0xff; 64]), None);
        assert_eq!(parse(&[]), None);
        assert_eq!(parse(&[0x78]), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            let _ = parse(&bytes);
        }
    }
}
