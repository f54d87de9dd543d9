//! The arrival of device state can be proved.

use super::prelude::*;
use crate::model::snapshot::Via;
use crate::proof::messages;

check! {
    /// Whether the device state arrives cannot be proved on the destination.
    ///
    /// # Meaning
    /// The success that libvirt reports does not prove that a device loaded its state. pvm looks for the loss in the
    /// logs of the destination, which it reads through the channel of the facts. A host known through libvirt alone has
    /// none. What a QEMU writes then must be known: another one may say it in other words, and a success is told as not
    /// verified.
    /// # Check by hand
    /// ssh HOST pvm --version.
    /// # Fix
    /// Install pvm on the destination and let ssh reach it, or facts: in pvm.yaml; a newer pvm for a newer QEMU.
    "proof-possible": Warning, VfioHosts(run)
}

fn run(hosts: Hosts<'_>) -> Vec<Verdict> {
    let mut verdicts = Vec::new();
    if hosts.destination.via == Via::Libvirt {
        verdicts.push(
            Verdict::fail(format!(
                "{} is known through libvirt alone: nobody can read its logs",
                name(&hosts.destination.host)
            ))
            .remedy("install pvm on it and let ssh reach it"),
        );
    }
    // The source's tells whether the devices kept their state, after a migration that failed late.
    for host in [&hosts.source.host, &hosts.destination.host] {
        let Some(qemu) = host.qemu.as_deref() else { continue };
        if !messages::version(qemu).is_some_and(messages::is_known) {
            verdicts.push(
                Verdict::fail(format!(
                    "what QEMU {qemu} on {} writes when a device's state is lost is not known",
                    name(host)
                ))
                .remedy(format!("a pvm that knows QEMU {qemu}, or look into the guest after the migration")),
            );
        }
    }
    if verdicts.is_empty() {
        verdicts.push(Verdict::pass());
    }
    verdicts
}
