//! What is known of the way from the source's daemon to the destination's.

use crate::journal::{self, Store};
use crate::migration::way::{self, PeerToPeer};

/// Migrations that tell of the way: the last ones count.
const MOST_EARLIER: usize = 64;

/// What is known of peer to peer from `source` to `destination`, which pvm reaches under `uri`, both by the operator's words;
/// from the journals of this machine, as far as they can be read.
pub(crate) fn peer_to_peer(source: &str, destination: &str, uri: &str) -> PeerToPeer {
    let store = journal::state_directory().map(Store::at);
    let newest = store.iter().filter_map(|store| store.newest_first().ok()).flatten();
    let mut earlier: Vec<_> = newest.take(MOST_EARLIER).filter_map(|listed| listed.state()).collect();
    earlier.reverse();
    way::peer_to_peer(source == "local", source, destination, uri, &earlier)
}
