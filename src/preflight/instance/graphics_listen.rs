//! Graphics servers can listen there.

use super::prelude::*;

pub(super) const CHECK: Check = Check::new(
    Rule {
        code: "graphics-listen",
        severity: Severity::Error,
        summary: "a graphics server listens on an address of the source",
        page: "A VNC or SPICE server bound to an address of one host cannot start on another. Addresses such as 0.0.0.0 \
               and 127.0.0.1 exist everywhere.\n\nBy hand: virsh dumpxml DOMAIN, element graphics/listen.\n\nRemedy: \
               <listen type='address' address='0.0.0.0'/>, or a listen network.",
    },
    Run::Instance(run),
).rechecked();

fn run(instance: &Instance<'_>) -> Vec<Verdict> {
    let everywhere =
        |address: &str| matches!(address, "0.0.0.0" | "::" | "::1" | "localhost" | "") || address.starts_with("127.");
    let own = [instance.source().migration.address.as_deref(), instance.source().migration.hostname.as_deref()];
    let mut verdicts = Vec::new();
    for address in instance.guest.listens.iter().filter(|address| !everywhere(address)) {
        if own.contains(&Some(address.as_str())) {
            verdicts.push(Verdict::fail(format!("a graphics server listens on {address}, which is the source's")));
        } else {
            verdicts.push(
                Verdict::fail(format!(
                    "a graphics server listens on {address}, which {} must have",
                    name(instance.destination())
                ))
                .weighing(Severity::Warning),
            );
        }
    }
    if verdicts.is_empty() {
        verdicts.push(Verdict::pass());
    }
    verdicts
}
