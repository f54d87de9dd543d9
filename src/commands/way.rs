//! What is known of the way from the source's daemon to the destination's.

use crate::journal::{self, Store};
use crate::migration::forward::way::{self, PeerToPeer};

/// What is known of peer to peer from `source` to `destination`, which pvm reaches under `uri`, both by the operator's words;
/// from the journals of this machine, as far as they can be read.
pub fn peer_to_peer(source: &str, destination: &str, uri: &str) -> PeerToPeer {
    let listed = journal::state_directory().and_then(|directory| Store::at(directory).list()).unwrap_or_default();
    let earlier: Vec<_> = listed.iter().filter_map(journal::Listed::state).collect();
    way::peer_to_peer(source == "local", source, destination, uri, &earlier)
}
