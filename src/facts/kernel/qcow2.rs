//! What the header of a qcow2 image says that a guest's definition does not: the file that holds its data (QEMU:
//! `docs/interop/qcow2.rst`).

/// As much of an image as its header needs.
pub(super) const HEADER: usize = 4096;

const MAGIC: &[u8] = b"QFI\xfb";
/// Bit of the incompatible features: the data is in another file.
const EXTERNAL_DATA: u64 = 1 << 2;
/// Header extension with that file's name.
const DATA_FILE: u32 = 0x4441_5441;

/// The name of the file that holds the data, as the image has it.
pub(super) fn data_file(header: &[u8]) -> Option<String> {
    let word = |at: usize| Some(u32::from_be_bytes(header.get(at..at.checked_add(4)?)?.try_into().ok()?));
    let features = u64::from_be_bytes(header.get(72..80)?.try_into().ok()?);
    if !header.starts_with(MAGIC) || word(4)? < 3 || features & EXTERNAL_DATA == 0 {
        return None;
    }
    let mut at = usize::try_from(word(100)?).ok()?;
    loop {
        let (kind, length) = (word(at)?, usize::try_from(word(at + 4)?).ok()?);
        let start = at + 8;
        match kind {
            0 => return None,
            DATA_FILE => return String::from_utf8(header.get(start..start.checked_add(length)?)?.to_vec()).ok(),
            // Each is padded to eight bytes.
            _ => at = start.checked_add(length.checked_next_multiple_of(8)?)?,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The header of an image with this bit and this name.
    fn image(features: u64, name: &str) -> Vec<u8> {
        let mut header = [MAGIC, &3u32.to_be_bytes()].concat();
        header.resize(72, 0);
        header.extend(features.to_be_bytes());
        header.resize(100, 0);
        header.extend(104u32.to_be_bytes());
        for (kind, data) in [(0xe279_2aca_u32, "qcow2"), (DATA_FILE, name), (0, "")] {
            header.extend(kind.to_be_bytes());
            header.extend(u32::try_from(data.len()).unwrap().to_be_bytes());
            header.extend(data.as_bytes());
            header.resize(header.len().next_multiple_of(8), 0);
        }
        header
    }

    #[test]
    fn the_data_file_is_named_where_the_image_has_one() {
        assert_eq!(data_file(&image(EXTERNAL_DATA, "/srv/x.data")).as_deref(), Some("/srv/x.data"));
        assert_eq!(data_file(&image(0, "/srv/x.data")), None);
        assert_eq!(data_file(b"QFI\xfb"), None);
    }

    proptest! {
        #[test]
        fn any_header_is_read(bytes: Vec<u8>, length: u32) {
            let mut header = image(EXTERNAL_DATA, "x");
            header[100..104].copy_from_slice(&length.to_be_bytes());
            header.extend(&bytes);
            let _ = (data_file(&header), data_file(&bytes));
        }
    }
}
