//! Nobody of that name is there.

use super::prelude::*;

check! {
    /// The destination has another guest of this name, or this guest runs there.
    ///
    /// # Meaning
    /// libvirt refuses a name that another UUID has, and a UUID that is running. The same UUID running on both hosts is
    /// the same guest twice.
    /// # Check by hand
    /// virsh -c URI list --all --uuid --name.
    /// # Fix
    /// Rename or undefine the other guest; if the same guest runs there, see pvm recover.
    "guest-already-there": Error, Instance(run), rechecked, never_ignored
}

fn run(instance: &Instance<'_>) -> Vec<Verdict> {
    let mine = instance.domain;
    if instance.there.same(mine).iter().any(|twin| twin.is_active()) {
        return vec![Verdict::fail(format!("{} already runs on {}", mine.uuid, name(instance.destination())))];
    }
    if let Some(other) = instance.there.others(mine).next() {
        return vec![
            Verdict::fail(format!("{} has another guest called {}", name(instance.destination()), mine.name))
                .facts(&mine.uuid, &other.uuid),
        ];
    }
    vec![match instance.hosts.destination.why_unknown("domains") {
        Some(why) => Verdict::unknown(format!("the guests of {} are not known: {why}", name(instance.destination()))),
        None => Verdict::pass(),
    }]
}
