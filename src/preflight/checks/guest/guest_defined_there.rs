//! No old definition is there.

use super::prelude::*;

check! {
    /// The destination has an old definition of this guest.
    ///
    /// # Meaning
    /// A definition of the same UUID on the destination is replaced when the guest arrives.
    /// # Check by hand
    /// virsh -c URI dumpxml UUID --inactive.
    /// # Fix
    /// If it is out of date: virsh -c URI undefine NAME --keep-nvram.
    "guest-defined-there": Warning, Instance(run)
}

fn run(instance: &Instance<'_>) -> Vec<Verdict> {
    let twin = instance.there.same(instance.domain).iter().find(|other| !other.is_active());
    vec![match twin {
        Some(twin) if twin.name != instance.domain.name => Verdict::fail(format!(
            "{} has this guest's UUID under the name {}, which libvirt refuses",
            name(instance.destination()),
            twin.name
        ))
        .weighing(Severity::Error)
        .remedy(format!(
            "virsh undefine {}, on {}, if it is out of date",
            quoted(&twin.name),
            name(instance.destination())
        )),
        Some(_) => Verdict::fail(format!(
            "{} has a definition of this guest, which will be replaced",
            name(instance.destination())
        )),
        None => Verdict::pass(),
    }]
}
