//! Disk images of a host: looked at here, or by `pvm storage` over there, through the same channel as its facts. Read-only.

#![expect(clippy::disallowed_methods, reason = "an edge: reads images")]

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use super::channel::{self, Channel, channel, is_plain};
use crate::facts::{GatherOptions, HostRef};
use crate::model::snapshot::storage::{Image, Kind, Qcow2, SCHEMA, Storage};

/// A first table of this many entries maps 2 TiB of 64 KiB clusters; a longer one is not read, and the image not called empty.
const MOST_TABLE: u64 = 1 << 20;

/// Asks `host` about these paths.
pub(crate) fn ask(host: &HostRef, options: &GatherOptions, paths: &[String]) -> Result<Storage, String> {
    match channel(host) {
        Channel::Here => Ok(collect(paths)),
        Channel::None(why) => Err(why),
        Channel::Program(argv) => by_program(&argv, host, options, paths),
    }
}

fn by_program(argv: &[String], host: &HostRef, options: &GatherOptions, paths: &[String]) -> Result<Storage, String> {
    if let Some(path) = paths.iter().find(|path| !path.starts_with('/') || !is_plain(path)) {
        return Err(format!("the path '{path}' has characters that are not sent to another host"));
    }
    let words: Vec<&str> = ["storage", "-o", "json"].into_iter().chain(paths.iter().map(String::as_str)).collect();
    let (bytes, _) = channel::ask(argv, &words, host, options)?;
    let storage: Storage =
        serde_json::from_slice(&bytes).map_err(|e| format!("its pvm did not answer about its images: {e}"))?;
    let asked = storage.images.iter().map(|image| &image.path).eq(paths);
    if storage.schema == SCHEMA && asked { Ok(storage) } else { Err("its pvm answered something else".to_owned()) }
}

/// Looks at these paths of this machine.
pub(crate) fn collect(paths: &[String]) -> Storage {
    Storage {
        schema: SCHEMA.to_owned(),
        host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
        boot: std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok().map(|id| id.trim().to_owned()),
        images: paths.iter().map(|path| look(path)).collect(),
    }
}

fn look(path: &str) -> Image {
    let image = Image { path: path.to_owned(), ..Image::default() };
    match read(Path::new(path), image.clone()) {
        Ok(image) => image,
        Err(e) if e.kind() == io::ErrorKind::NotFound => image,
        Err(e) => Image { kind: Kind::Unknown, why: Some(e.to_string()), ..image },
    }
}

fn read(path: &Path, image: Image) -> io::Result<Image> {
    // A FIFO would block an open for ever.
    let flags = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    let mut file = std::fs::OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    let metadata = file.metadata()?;
    let filesystem = filesystem(u64::try_from(rustix::fs::fstatfs(&file)?.f_type).unwrap_or_default());
    if !metadata.is_file() {
        return Ok(Image { kind: Kind::Other, filesystem, ..image });
    }
    Ok(Image {
        kind: Kind::File,
        size: metadata.len(),
        // stat(2) counts in 512 bytes, whatever the file system's blocks.
        allocated: metadata.blocks().saturating_mul(512),
        filesystem,
        identity: Some((metadata.dev(), metadata.ino())),
        qcow2: qcow2(&mut file)?,
        ..image
    })
}

/// By its magic number (statfs(2)).
fn filesystem(magic: u64) -> String {
    match magic {
        0xef53 => "ext4".to_owned(),
        0x5846_5342 => "xfs".to_owned(),
        0x9123_683e => "btrfs".to_owned(),
        0xf2f5_2010 => "f2fs".to_owned(),
        0x2fc1_2fc1 => "zfs".to_owned(),
        0xca45_1a4e => "bcachefs".to_owned(),
        0x0102_1994 => "tmpfs".to_owned(),
        0x794c_7630 => "overlay".to_owned(),
        0x6969 => "nfs".to_owned(),
        0xff53_4d42 | 0xfe53_4d42 => "cifs".to_owned(),
        0x00c3_6400 => "ceph".to_owned(),
        0x6573_5546 => "fuse".to_owned(),
        0x0116_1970 => "gfs2".to_owned(),
        0x7461_636f => "ocfs2".to_owned(),
        other => format!("{other:#x}"),
    }
}

/// The header and the first table of a qcow2 image.
fn qcow2(file: &mut File) -> io::Result<Option<Qcow2>> {
    let mut header = [0; 72];
    match file.read_exact(&mut header) {
        Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        other => other?,
    }
    if !header.starts_with(b"QFI\xfb") {
        return Ok(None);
    }
    let long = |at: usize| u64::from_be_bytes(header[at..at + 8].try_into().expect("eight bytes"));
    let word = |at: usize| u64::from(u32::from_be_bytes(header[at..at + 4].try_into().expect("four bytes")));
    let (backing, capacity, entries, table, snapshots) = (long(8), long(24), word(36), long(40), word(60));
    let mut mapped = entries > MOST_TABLE;
    if !mapped {
        file.seek(SeekFrom::Start(table))?;
        let mut bytes = Vec::new();
        file.take(entries * 8).read_to_end(&mut bytes)?;
        mapped = bytes.iter().any(|byte| *byte != 0);
    }
    Ok(Some(Qcow2 { capacity, empty: !mapped && snapshots == 0 && backing == 0, backing: backing != 0 }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(content: &[u8], length: u64) -> Image {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("disk");
        std::fs::write(&path, content).unwrap();
        File::options().write(true).open(&path).unwrap().set_len(length).unwrap();
        look(path.to_str().unwrap())
    }

    #[test]
    fn a_sparse_file_is_empty_and_a_written_one_is_not() {
        let sparse = image(b"", 1 << 20);
        assert_eq!((sparse.kind, sparse.size, sparse.allocated, &sparse.qcow2), (Kind::File, 1 << 20, 0, &None));
        assert!(image(&[1; 8192], 1 << 20).allocated > 0);
        assert_eq!(look("/nowhere/at/all").kind, Kind::Absent);
        assert_eq!(look("/dev").kind, Kind::Other);
    }

    #[test]
    fn a_qcow2_image_is_empty_while_its_first_table_is() {
        // As qemu-img create -f qcow2 lays out 1 GiB: two entries at 0x30000.
        let mut header = vec![0; 0x4_0000];
        header[..4].copy_from_slice(b"QFI\xfb");
        header[7] = 3;
        header[24..32].copy_from_slice(&(1_u64 << 30).to_be_bytes());
        header[39] = 2;
        header[40..48].copy_from_slice(&0x3_0000_u64.to_be_bytes());
        let of = |bytes: &[u8]| image(bytes, bytes.len() as u64).qcow2.unwrap();
        assert_eq!(of(&header), Qcow2 { capacity: 1 << 30, empty: true, backing: false });
        let mut written = header.clone();
        written[0x3_0008] = 0x80;
        assert!(!of(&written).empty);
        let mut child = header.clone();
        child[15] = 1;
        assert!(of(&child).backing && !of(&child).empty);
        // A table that is said to be endless is not read.
        header[36..40].copy_from_slice(&[0xff; 4]);
        assert!(!of(&header).empty);
    }

    #[test]
    fn no_path_reaches_a_remote_shell_that_it_could_misread() {
        let host = HostRef::Name("h".into());
        for path in ["/a b", "/$(id)", "a", "/a;b", "/a'b"] {
            let why = ask(&host, &GatherOptions::default(), &[path.to_owned()]).unwrap_err();
            assert!(why.contains("not sent"), "{path}: {why}");
        }
    }
}
