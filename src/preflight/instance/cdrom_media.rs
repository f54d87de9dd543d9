//! Media in drives are there.

use super::prelude::*;

pub(super) const CHECK: Check = Check::new(
    Rule {
        code: "cdrom-media",
        severity: Severity::Warning,
        summary: "media in the guest's drives must be on the destination",
        page: "libvirt does not copy an image in a CD-ROM drive; QEMU on the destination opens the same path.\n\nBy \
               hand: ls the path on the destination.\n\nRemedy: eject it, or put the image on shared storage.",
    },
    Run::Instance(run),
)
.rechecked();

fn run(instance: &Instance<'_>) -> Vec<Verdict> {
    let media: Vec<&str> = instance
        .guest
        .disks
        .iter()
        .filter(|disk| disk.kind != "network" && (disk.readonly || matches!(disk.device.as_str(), "cdrom" | "floppy")))
        .filter_map(|disk| disk.source.as_deref())
        .collect();
    vec![if media.is_empty() {
        Verdict::pass()
    } else {
        Verdict::fail(format!("must be on {} as well: {}", name(instance.destination()), media.join(", ")))
    }]
}
