//! The arrival of device state can be proved.

use super::prelude::*;
use crate::model::snapshot::Via;

pub(super) const CHECK: Check = Check::new(
    Rule {
        code: "proof-possible",
        severity: Severity::Warning,
        summary: "whether the device state arrives cannot be proved on the destination",
        page: "The success that libvirt reports does not prove that a device loaded its state. pvm looks for the loss \
               in the logs of the destination, which it reads through the channel of the facts. A host known through \
               libvirt alone has none.\n\nBy hand: ssh HOST pvm --version.\n\nRemedy: install pvm on the destination \
               and let ssh reach it, or facts: in pvm.yaml.",
    },
    Run::VfioHosts(run),
);

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
