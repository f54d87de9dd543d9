//! What a disk is copied onto is another one, and empty.

use super::prelude::*;
use crate::model::snapshot::storage::{Image, Kind};
use crate::preflight::terms::Copied;

check! {
    /// Nothing proves that a disk would be copied onto another, empty image.
    ///
    /// # Meaning
    /// --copy-storage has libvirt write a disk over the file of the same path on the destination. pvm lets it do so
    /// only when both hosts' pvm has looked at it: a file on a file system of that host alone, into which nothing was
    /// ever written (no block is allocated; a qcow2 image maps no cluster), as large as the disk, and not the source's
    /// own file. Block devices, images with a backing file and shared storage cannot be proved so. After a failure the
    /// target is half written, which the last line says, and it has to be emptied before the next attempt.
    /// # Check by hand
    /// stat -f PATH and stat PATH on both hosts.
    /// # Fix
    /// Make an empty image there, as the message says. A failure cannot be allowed.
    "copy-target": Error, Instance(run), never_ignored
}

/// File systems that belong to one host. A container's overlay lies on one of them.
const LOCAL: [&str; 8] = ["ext4", "xfs", "btrfs", "f2fs", "zfs", "bcachefs", "tmpfs", "overlay"];

fn run(instance: &Instance<'_>) -> Vec<Verdict> {
    let copies = &instance.terms.copies;
    copies.iter().map(|(disk, copied)| judge(disk, copied, &name(instance.destination()))).collect()
}

fn judge(disk: &str, copied: &Copied, destination: &str) -> Verdict {
    let path = &copied.path;
    let refused = |why: String| Verdict::fail(why).about(&disk);
    let (source, target) = match (&copied.source, &copied.target) {
        (Ok(source), Ok(target)) => (source, target),
        (Err(why), _) => return refused(format!("the source does not report what {path} is: {why}")),
        (_, Err(why)) => return refused(format!("{destination} does not report what {path} is: {why}")),
    };
    if source.kind != Kind::File {
        return refused(format!("{path} on the source is {}", what(source)));
    }
    let format = copied.format.as_deref().unwrap_or("unknown");
    let capacity = match (format, &source.qcow2) {
        ("raw", _) => source.size,
        ("qcow2", Some(header)) if !header.backing => header.capacity,
        ("qcow2", Some(_)) => return refused(format!("{path} has a backing file, which would not be there")),
        ("qcow2", None) => return refused(format!("{path} has no qcow2 header")),
        _ => return refused(format!("its format is {format}: only raw and qcow2 are copied")),
    };
    let make = match format {
        "raw" => format!("on {destination}: truncate -s {capacity} {path}"),
        _ => format!("on {destination}: qemu-img create -f qcow2 {path} {capacity}"),
    };
    match target.kind {
        Kind::File => {}
        Kind::Absent => return refused(format!("{destination} has no {path} to copy onto")).remedy(make),
        Kind::Other | Kind::Unknown => return refused(format!("{path} on {destination} is {}", what(target))),
    }
    if copied.same_kernel && source.identity == target.identity {
        return refused(format!("{path} on {destination} is the source's own file"));
    }
    if !LOCAL.contains(&target.filesystem.as_str()) {
        return refused(format!(
            "{path} on {destination} is on {}: nothing proves that the source does not use the same storage",
            target.filesystem
        ));
    }
    let (empty, room) = match (format, &target.qcow2) {
        ("raw", _) => (target.allocated == 0, target.size),
        (_, Some(header)) => (header.empty, header.capacity),
        (_, None) => return refused(format!("{path} on {destination} is no qcow2 image")).remedy(make),
    };
    if !empty {
        let moved = format!("on {destination}: mv {path} {path}.old\n{make}");
        return refused(format!("{path} on {destination} is not empty")).remedy(moved);
    }
    if room < capacity {
        return refused(format!("{path} on {destination} has {room} bytes, the disk {capacity}")).remedy(make);
    }
    Verdict::pass().about(&disk)
}

fn what(image: &Image) -> String {
    match image.kind {
        Kind::Absent => "not there".to_owned(),
        Kind::File => "a file".to_owned(),
        Kind::Other => "no regular file".to_owned(),
        Kind::Unknown => image.why.clone().unwrap_or_else(|| "not readable".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::finding::Answer;
    use crate::model::snapshot::storage::Qcow2;

    fn raw() -> Copied {
        let image = Image { kind: Kind::File, size: 100, filesystem: "xfs".into(), ..Image::default() };
        Copied {
            path: "/d".into(),
            format: Some("raw".into()),
            source: Ok(Image { allocated: 4096, identity: Some((1, 2)), filesystem: "nfs".into(), ..image.clone() }),
            target: Ok(Image { identity: Some((1, 3)), ..image }),
            same_kernel: true,
        }
    }

    fn said(copied: &Copied) -> String {
        let verdict = judge("vda", copied, "b");
        assert_eq!(verdict.answer, Answer::No, "{copied:?}");
        verdict.message
    }

    #[test]
    fn another_empty_image_passes() {
        assert_eq!(judge("vda", &raw(), "b").answer, Answer::Yes);
        let header = |empty| Some(Qcow2 { capacity: 100, empty, backing: false });
        let mut copied = Copied { format: Some("qcow2".into()), ..raw() };
        copied.source.as_mut().unwrap().qcow2 = header(false);
        copied.target.as_mut().unwrap().qcow2 = header(true);
        assert_eq!(judge("vda", &copied, "b").answer, Answer::Yes);
        copied.target.as_mut().unwrap().qcow2 = header(false);
        assert!(said(&copied).contains("not empty"));
        copied.source.as_mut().unwrap().qcow2 = Some(Qcow2 { backing: true, ..Qcow2::default() });
        assert!(said(&copied).contains("backing file"));
    }

    #[test]
    fn whatever_is_not_proved_is_refused_with_what_is_missing() {
        let target = |change: fn(&mut Image)| {
            let mut copied = raw();
            change(copied.target.as_mut().unwrap());
            said(&copied)
        };
        assert!(target(|t| t.allocated = 512).contains("not empty"));
        assert!(target(|t| t.size = 99).contains("has 99 bytes, the disk 100"));
        assert!(target(|t| t.filesystem = "nfs".into()).contains("is on nfs: nothing proves"));
        assert!(target(|t| t.identity = Some((1, 2))).contains("the source's own file"));
        assert!(target(|t| t.kind = Kind::Absent).contains("b has no /d to copy onto"));
        assert!(target(|t| t.kind = Kind::Other).contains("no regular file"));
        assert!(said(&Copied { target: Err("no channel".into()), ..raw() }).contains("b does not report"));
        assert!(said(&Copied { source: Err("no channel".into()), ..raw() }).contains("the source does not report"));
        assert!(said(&Copied { format: None, ..raw() }).contains("its format is unknown"));
        assert!(said(&Copied { format: Some("vmdk".into()), ..raw() }).contains("vmdk"));
    }
}
