//! The destination takes guests.

use super::prelude::*;

check! {
    /// The destination is cordoned: it is drained, or was.
    ///
    /// # Meaning
    /// A host that pvm drain empties gets no guests from any pvm of the machine that began the drain, until the operator
    /// says that it is open again. Other machines do not know of it.
    /// # Check by hand
    /// The files in the directory drains of pvm's state directory.
    /// # Fix
    /// Choose another destination; when the maintenance is over, pvm drain HOST --uncordon. To move a guest there all the
    /// same: --allow cordoned.
    "cordoned": Error, Hosts(run)
}

fn run(hosts: Hosts<'_>) -> Vec<Verdict> {
    let host = &hosts.destination.host;
    match (&host.cordon, host.why_unknown("cordon")) {
        (Some(drain), _) => {
            let message = format!("{} takes no guests since its drain of {}", name(host), drain.since);
            vec![Verdict::fail(message).remedy(format!("pvm drain {} --uncordon", quoted(&drain.host)))]
        }
        (None, Some(why)) => {
            vec![Verdict::unknown(format!("whether {} takes guests is not known: {why}", name(host)))]
        }
        (None, None) => Vec::new(),
    }
}
