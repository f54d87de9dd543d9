//! Compressed documents: a small file may stand for endless bytes, so that no more is unpacked than is wanted.

use std::borrow::Cow;
use std::io::{self, Read};
use std::path::Path;

/// How a file is compressed, which its name tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Packing {
    /// gzip (RFC 1952).
    Gzip,
    /// Zstandard (RFC 8878).
    Zstandard,
}

impl Packing {
    /// The packing that a path's name tells, and the path without it: `a.json` of `a.json.gz`.
    pub(crate) fn of(path: &Path) -> (Option<Self>, Cow<'_, Path>) {
        let packing = match path.extension().and_then(|extension| extension.to_str()) {
            Some("gz") => Self::Gzip,
            Some("zst") => Self::Zstandard,
            _ => return (None, Cow::Borrowed(path)),
        };
        (Some(packing), Cow::Owned(path.with_extension("")))
    }

    /// The bytes that were packed, at most `most` of them. One frame after another counts as one document.
    pub(crate) fn unpack(self, packed: &[u8], most: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        match self {
            Self::Gzip => read_on(flate2::bufread::MultiGzDecoder::new(packed), most, &mut bytes)?,
            Self::Zstandard => {
                let mut rest = packed;
                while !rest.is_empty() {
                    let before = rest.len();
                    match ruzstd::decoding::StreamingDecoder::new(&mut rest) {
                        Ok(frame) => read_on(frame, most, &mut bytes)?,
                        Err(error) => skip(&mut rest, &error)?,
                    }
                    if rest.len() == before {
                        return Err(io::Error::other("it has a frame without an end"));
                    }
                }
            }
        }
        Ok(bytes)
    }
}

/// Appends what the decoder gives. More than `most` bytes altogether are an error.
fn read_on(decoder: impl Read, most: u64, bytes: &mut Vec<u8>) -> io::Result<()> {
    let room = most.saturating_sub(bytes.len() as u64);
    let read = decoder.take(room + 1).read_to_end(bytes).map_err(|error| io::Error::other(error.to_string()))?;
    if read as u64 > room {
        return Err(io::Error::other(format!("unpacked it is larger than {} MiB", most >> 20)));
    }
    Ok(())
}

/// Goes past a frame that holds no data; every other error of a frame's head is one of the file.
fn skip(rest: &mut &[u8], error: &ruzstd::decoding::errors::FrameDecoderError) -> io::Result<()> {
    use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
    let FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame { length, .. }) = error else {
        return Err(io::Error::other(error.to_string()));
    };
    let length = usize::try_from(*length).unwrap_or(usize::MAX);
    *rest = rest.get(length..).ok_or_else(|| io::Error::other("it ends within a frame"))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    const MOST: u64 = 1 << 20;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn zstandard(bytes: &[u8]) -> Vec<u8> {
        ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
    }

    #[test]
    fn both_packings_give_back_what_was_packed() {
        let text = "{\"schema\": \"pvm.inventory/1\"}\n".repeat(1000);
        for (packing, packed) in
            [(Packing::Gzip, gzip(text.as_bytes())), (Packing::Zstandard, zstandard(text.as_bytes()))]
        {
            assert!(packed.len() < text.len() / 10);
            assert_eq!(packing.unpack(&packed, MOST).unwrap(), text.as_bytes());
            let twice = [&packed[..], &packed].concat();
            assert_eq!(packing.unpack(&twice, MOST).unwrap().len(), 2 * text.len(), "{packing:?}");
        }
        // A frame of three bytes to be skipped (RFC 8878, 3.1.2).
        let with_note = [&[0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3][..], &zstandard(b"{}")].concat();
        assert_eq!(Packing::Zstandard.unpack(&with_note, MOST).unwrap(), b"{}");
    }

    #[test]
    fn a_bomb_is_refused_and_so_is_what_ends_too_early() {
        let zeros = vec![0; usize::try_from(MOST).unwrap() + 1];
        for (packing, packed) in [(Packing::Gzip, gzip(&zeros)), (Packing::Zstandard, zstandard(&zeros))] {
            let why = packing.unpack(&packed, MOST).unwrap_err().to_string();
            assert_eq!(why, "unpacked it is larger than 1 MiB");
            let many = packed.repeat(3);
            assert!(packing.unpack(&many, MOST + 1).is_err());
            for length in [1, 4, packed.len() / 2, packed.len() - 1] {
                assert!(packing.unpack(&packed[..length], 2 * MOST).is_err(), "{packing:?} {length}");
            }
            assert!(packing.unpack(b"no packed text", MOST).is_err());
        }
    }

    #[test]
    fn the_name_tells_the_packing() {
        for (name, packing, inner) in [
            ("a/b.json", None, "a/b.json"),
            ("a/b.json.gz", Some(Packing::Gzip), "a/b.json"),
            ("b.yaml.zst", Some(Packing::Zstandard), "b.yaml"),
        ] {
            assert_eq!(Packing::of(Path::new(name)), (packing, Cow::Borrowed(Path::new(inner))));
        }
    }
}
