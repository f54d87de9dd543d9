//! The source's daemon reaches the destination's.

use super::prelude::*;

check! {
    /// libvirtd on the source cannot open the destination's libvirt.
    ///
    /// # Meaning
    /// Peer to peer the source's libvirtd opens the destination's URI as its own user: with the ssh keys, host keys and
    /// certificates of root on the source, not with those of whoever runs pvm. pvm opens it there in the same way, without
    /// the agent of a login. Where the source has no channel to its own pvm, nobody has tried.
    /// # Check by hand
    /// On the source, as root, without an ssh agent: virsh -c URI hostname.
    /// # Fix
    /// What libvirt's message names: a key of root of the source that the destination accepts, the destination's host key,
    /// a certificate. Or --direct: pvm then stays between the two daemons until the migration has ended.
    "peer-to-peer": Error, Hosts(run), rechecked
}

fn run(hosts: Hosts<'_>) -> Vec<Verdict> {
    let (source, host) = (&hosts.source.host, &hosts.destination.host);
    let Some(tried) = host.reach.as_ref().and_then(|reach| reach.libvirt.as_ref()) else { return Vec::new() };
    let Attempt { to, works, why } = tried;
    let by_hand = format!("on {}, as root: virsh -c {} hostname", name(source), quoted(to));
    vec![match works {
        Some(true) => Verdict::pass(),
        Some(false) => Verdict::fail(format!("libvirtd on {} cannot open {to}: {why}", name(source)))
            .remedy(format!("{by_hand}; or pvm migrate --direct")),
        None => Verdict::unknown(format!("nobody tried whether libvirtd on {} opens {to}: {why}", name(source)))
            .remedy(by_hand)
            .weighing(Severity::Info),
    }]
}
