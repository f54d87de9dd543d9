//! The arrival of device state can be proved.

use super::prelude::*;
use crate::model::snapshot::Via;

check! {
    /// Whether the device state arrives cannot be proved on the destination.
    ///
    /// # Meaning
    /// The success that libvirt reports does not prove that a device loaded its state. pvm looks for the loss in the
    /// logs of the destination, which it reads through the channel of the facts. A host known through libvirt alone has
    /// none.
    /// # Check by hand
    /// ssh HOST pvm --version.
    /// # Fix
    /// Install pvm on the destination and let ssh reach it, or facts: in pvm.yaml.
    "proof-possible": Warning, VfioHosts(run)
}

fn run(hosts: Hosts<'_>) -> Vec<Verdict> {
    vec![if hosts.destination.via == Via::Libvirt {
        Verdict::fail(format!(
            "{} is known through libvirt alone: nobody can read its logs",
            name(&hosts.destination.host)
        ))
        .remedy("install pvm on it and let ssh reach it")
    } else {
        Verdict::pass()
    }]
}
