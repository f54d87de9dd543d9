//! The guest's definition can be read.

use super::prelude::*;
use crate::domain::read;
use crate::model::snapshot::Hostdev;

check! {
    /// The guest's definition cannot be read, or contradicts the snapshot.
    ///
    /// # Meaning
    /// Everything about a guest is read from its live XML. A snapshot without it, or with host devices that the XML
    /// does not have, is not one that pvm inventory made.
    /// # Check by hand
    /// virsh dumpxml DOMAIN --migratable.
    /// # Fix
    /// Take the snapshot of the source again.
    "definition-read": Error, Instance(run), never_ignored
}

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
