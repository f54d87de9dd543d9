//! Which of the two ways from daemon to daemon works, as far as it is known beforehand. Pure.
//!
//! Peer to peer the source's daemon opens the destination's URI as its own user, whose names, keys and certificates pvm does
//! not see. What is known is that some URIs cannot work, and what earlier migrations between the two hosts came to.

use crate::journal::{Last, State};
use crate::model::time::Timestamp;

/// What is known of peer to peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PeerToPeer {
    /// The URI means another host to the source's daemon.
    Impossible,
    /// It worked between the two, then.
    Worked(Timestamp),
    /// It did not get to the destination's daemon, then; libvirt's words.
    Failed(Timestamp, String),
    /// Nothing.
    Unknown,
}

/// What is known of peer to peer from `source` to `destination`, which pvm reaches under `uri`. `source_is_local`: the
/// source's daemon is that of this machine. `earlier`: the journals of this machine, oldest first.
pub(crate) fn peer_to_peer(
    source_is_local: bool,
    source: &str,
    destination: &str,
    uri: &str,
    earlier: &[State],
) -> PeerToPeer {
    if !source_is_local && uri.contains(":///") {
        return PeerToPeer::Impossible;
    }
    let between = |state: &&State| {
        let plan = &state.plan;
        !plan.direct
            && plan.source.name == source
            && plan.destination.name == destination
            && plan.destination.uri == uri
    };
    for state in earlier.iter().rev().filter(between) {
        match &state.returned {
            Some(Ok(())) => return PeerToPeer::Worked(state.touched),
            Some(Err(why)) if state.peer_unreached => {
                return PeerToPeer::Failed(state.touched, why.clone());
            }
            // It got there, and ended for another reason.
            Some(Err(_)) if state.switched.is_some() => return PeerToPeer::Worked(state.touched),
            Some(Err(_)) | None if state.last == Last::Done => return PeerToPeer::Worked(state.touched),
            Some(Err(_)) | None => {}
        }
    }
    PeerToPeer::Unknown
}

impl PeerToPeer {
    /// One sentence for the operator.
    pub(crate) fn words(&self, source: &str, uri: &str) -> String {
        match self {
            Self::Impossible => {
                format!("peer to peer cannot work: {uri} is libvirtd on {source} itself; use --direct")
            }
            Self::Worked(when) => format!("peer to peer worked on {when}"),
            Self::Failed(when, why) => format!("peer to peer failed on {when}: {why}"),
            Self::Unknown => format!(
                "peer to peer from {source} to {uri} is untested: if libvirtd on {source} cannot connect, the migration fails \
                 before any data moves; then use --direct"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::{Entry, Host, Plan, Record};

    fn journal(direct: bool, time: i64, error: Option<&str>, peer_unreached: bool) -> State {
        let host = |name: &str| Host { name: name.into(), uri: format!("qemu+ssh://{name}/system"), ..Host::default() };
        let plan = Plan { source: host("a"), destination: host("b"), direct, ..Plan::default() };
        let returned = Entry::PerformReturned { error: error.map(str::to_owned), vfio_bytes: None, peer_unreached };
        let records: Vec<Record> = [Entry::Plan(Box::new(plan)), returned]
            .into_iter()
            .zip(1..)
            .map(|(entry, seq)| Record { v: 1, seq, time: Timestamp(time), entry })
            .collect();
        State::of(&records).unwrap()
    }

    #[test]
    fn the_last_word_between_the_two_counts() {
        let ask = |earlier: &[State]| peer_to_peer(false, "a", "b", "qemu+ssh://b/system", earlier);
        assert_eq!(ask(&[]), PeerToPeer::Unknown);
        let why = Some("Cannot recv data: Host key verification failed.");
        let failed = [journal(false, 1, None, false), journal(false, 2, why, true)];
        assert!(matches!(ask(&failed), PeerToPeer::Failed(Timestamp(2), _)));
        assert_eq!(ask(&failed[..1]), PeerToPeer::Worked(Timestamp(1)));
        // What says nothing of the way: the other way, a guest that could not be started, other hosts.
        assert_eq!(
            ask(&[journal(true, 3, None, false), journal(false, 4, Some("no space"), false)]),
            PeerToPeer::Unknown
        );
        assert_eq!(peer_to_peer(false, "b", "a", "qemu+ssh://a/system", &failed), PeerToPeer::Unknown);
    }

    #[test]
    fn a_local_uri_means_another_host_to_a_daemon_elsewhere() {
        assert_eq!(peer_to_peer(false, "a", "local", "qemu:///system", &[]), PeerToPeer::Impossible);
        assert_eq!(peer_to_peer(true, "local", "b", "test:///default", &[]), PeerToPeer::Unknown);
    }
}
