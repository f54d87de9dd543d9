//! The guest runs the QEMU that is installed.

use super::prelude::*;

check! {
    /// The guest runs an older QEMU than its host has installed.
    ///
    /// # Meaning
    /// A guest keeps the QEMU it was started with. Checks of versions look at the installed one.
    /// # Check by hand
    /// virsh qemu-monitor-command DOMAIN --hmp info version.
    /// # Fix
    /// Restart the guest, if the difference matters.
    "running-qemu": Warning, Instance(run)
}

fn run(instance: &Instance<'_>) -> Vec<Verdict> {
    let (Some(running), Some(installed)) = (instance.domain.qemu.as_deref(), instance.source().qemu.as_deref()) else {
        return Vec::new();
    };
    vec![if version(running) == version(installed) {
        Verdict::pass()
    } else {
        Verdict::fail(format!("the guest runs QEMU {running}, {} has {installed}", name(instance.source())))
    }]
}
