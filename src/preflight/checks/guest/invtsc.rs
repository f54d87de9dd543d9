//! A fixed TSC has a frequency.

use super::prelude::*;

check! {
    /// The guest has an invariant TSC without a fixed frequency.
    ///
    /// # Meaning
    /// An invariant TSC promises the guest a constant rate; libvirt migrates it only when the rate is written down.
    /// # Check by hand
    /// virsh dumpxml DOMAIN, feature invtsc and timer tsc.
    /// # Fix
    /// <timer name='tsc' frequency='HZ'/> at the next start.
    "invtsc": Error, Instance(run), rechecked
}

fn run(instance: &Instance<'_>) -> Vec<Verdict> {
    let cpu = &instance.guest.cpu;
    vec![if cpu.required().any(|feature| feature == "invtsc") && !cpu.tsc_frequency {
        Verdict::fail("the guest has the CPU feature invtsc and no TSC frequency")
    } else {
        Verdict::pass()
    }]
}
