//! A fixed TSC has a frequency.

use super::prelude::*;

pub(super) const CHECK: Check = Check::new(
    Rule {
        code: "invtsc",
        severity: Severity::Error,
        summary: "the guest has an invariant TSC without a fixed frequency",
        page: "An invariant TSC promises the guest a constant rate; libvirt migrates it only when the rate is written \
               down.\n\nBy hand: virsh dumpxml DOMAIN, feature invtsc and timer tsc.\n\nRemedy: <timer name='tsc' \
               frequency='HZ'/> at the next start.",
    },
    Run::Instance(run),
)
.rechecked();

fn run(instance: &Instance<'_>) -> Vec<Verdict> {
    let cpu = &instance.guest.cpu;
    vec![if cpu.required.contains("invtsc") && !cpu.tsc_frequency {
        Verdict::fail("the guest has the CPU feature invtsc and no TSC frequency")
    } else {
        Verdict::pass()
    }]
}
