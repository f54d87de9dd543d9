//! The guest's definition can be read.

use super::prelude::*;
use crate::domain::read;
use crate::model::snapshot::Hostdev;

pub(super) const CHECK: Check = Check::new(
    Rule {
        code: "definition-read",
        severity: Severity::Error,
        summary: "the guest's definition cannot be read, or contradicts the snapshot",
        page: "Everything about a guest is read from its live XML. A snapshot without it, or with host devices that the \
               XML does not have, is not one that pvm inventory made.\n\nBy hand: virsh dumpxml DOMAIN \
               --migratable.\n\nRemedy: take the snapshot of the source again.",
    },
    Run::Instance(run),
).never_ignored();

fn run(instance: &Instance<'_>) -> Vec<Verdict> {
    let Some(xml) = instance.domain.xml.as_deref() else {
        let why = instance.domain.unknown.iter().find(|u| u.fact == "xml").map_or("", |u| u.why.as_str());
        return vec![Verdict::unknown(format!("the snapshot has no XML of the guest {why}").trim_end())];
    };
    let sources = |hostdevs: &[Hostdev]| -> Vec<_> { hostdevs.iter().map(|hostdev| hostdev.source).collect() };
    vec![match read::read(xml) {
        Ok(read) if sources(&read.hostdevs) == sources(&instance.domain.hostdevs) => Verdict::pass(),
        Ok(_) => Verdict::fail("the host devices of the snapshot are not those of the guest's XML"),
        Err(error) => Verdict::fail(error.to_string()),
    }]
}
