//! Paths of the host are there.

use super::prelude::*;

pub(super) const CHECK: Check = Check::new(
    Rule {
        code: "host-paths",
        severity: Severity::Warning,
        summary: "the guest uses files of the host that must be on the destination",
        page: "Serial logs, kernels and random sources are paths of the host: QEMU on the destination opens the same \
               ones.\n\nBy hand: ls the path on the destination.\n\nRemedy: create it there.",
    },
    Run::Instance(run),
)
.rechecked();

fn run(instance: &Instance<'_>) -> Vec<Verdict> {
    // Firmware comes with QEMU; libvirt makes the variable store anew and QEMU sends its content.
    let common = |what: &str, path: &str| {
        matches!(what, "loader" | "NVRAM")
            || matches!(path, "/dev/urandom" | "/dev/random" | "/dev/hwrng" | "/dev/null")
    };
    let paths: Vec<String> = instance
        .guest
        .paths
        .iter()
        .filter(|(what, path)| !common(what, path))
        .map(|(what, path)| format!("{path} ({what})"))
        .collect();
    vec![if paths.is_empty() {
        Verdict::pass()
    } else {
        Verdict::fail(format!("must be on {} as well: {}", name(instance.destination()), paths.join(", ")))
    }]
}
