//! Paths of the host are there.

use super::prelude::*;
use crate::model::snapshot::host::PathKind;

check! {
    /// The guest uses files of the host that the destination lacks.
    ///
    /// # Meaning
    /// QEMU on the destination is started with the same emulator, kernel, logs and random sources, by the same paths. A
    /// log is made anew if its folder is there; all else must exist. Where the destination cannot be asked (a saved
    /// snapshot, libvirt alone) the paths are listed as a warning.
    /// # Check by hand
    /// On the destination: ls -l PATH.
    /// # Fix
    /// Create it there: mkdir -p the folder of a log; copy a kernel with scp -p.
    "host-paths": Error, Instance(run), rechecked
}

fn run(instance: &Instance<'_>) -> Vec<Verdict> {
    let host = instance.destination();
    // Firmware comes with QEMU; libvirt makes the variable store anew and QEMU sends its content.
    let common = |what: &str, path: &str| {
        matches!(what, "loader" | "NVRAM")
            || matches!(path, "/dev/urandom" | "/dev/random" | "/dev/hwrng" | "/dev/null")
    };
    let made_anew = |what: &str| matches!(what, "serial" | "console" | "parallel" | "channel");
    let (mut lacking, mut unknown) = (Vec::new(), Vec::new());
    for (what, path) in instance.guest.paths.iter().filter(|(what, path)| !common(what, path)) {
        let line = format!("{path} ({what})");
        match host.paths.get(path) {
            Some(PathKind::Nowhere) => lacking.push(line),
            Some(PathKind::Absent) if !made_anew(what) || path.starts_with("/dev/") => lacking.push(line),
            Some(_) => {}
            None => unknown.push(line),
        }
    }
    let emulator = instance.guest.emulator.as_deref().unwrap_or_default();
    if matches!(host.paths.get(emulator), Some(PathKind::Nowhere | PathKind::Absent)) {
        lacking.push(format!("{emulator} (emulator)"));
    }
    let mut verdicts = Vec::new();
    if !lacking.is_empty() {
        verdicts.push(Verdict::fail(format!("{} lacks {}", name(host), lacking.join(", "))));
    }
    if !unknown.is_empty() {
        verdicts.push(
            Verdict::fail(format!("must be on {} as well: {}", name(host), unknown.join(", ")))
                .weighing(Severity::Warning),
        );
    }
    if verdicts.is_empty() {
        verdicts.push(Verdict::pass());
    }
    verdicts
}
