//! The TPM moves with the guest.

use super::prelude::*;

pub(super) const CHECK: Check = Check::new(
    Rule {
        code: "tpm-state",
        severity: Severity::Error,
        summary: "the guest's TPM is the host's own",
        page: "A TPM of the host cannot move. An emulated one (swtpm) sends its state with the migration.\n\nBy hand: \
               virsh dumpxml DOMAIN, element tpm/backend.\n\nRemedy: an emulated TPM.",
    },
    Run::Instance(run),
)
.rechecked();

fn run(instance: &Instance<'_>) -> Vec<Verdict> {
    vec![match instance.guest.tpm.as_deref() {
        Some("passthrough") => Verdict::fail("the guest has the host's TPM"),
        Some("external") => Verdict::fail("the guest's TPM is run by somebody else, who must move its state")
            .weighing(Severity::Warning),
        _ => Verdict::pass(),
    }]
}
