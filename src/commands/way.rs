//! What is known of the way from the source's daemon to the destination's.

use crate::journal::{self, State, Store, index};
use crate::migration::way::{self, PeerToPeer};

/// Migrations that tell of the way: the last ones count.
const MOST_EARLIER: usize = 64;

/// What is known of peer to peer from `source` to `destination`, which pvm reaches under `uri`, both by the names pvm has for them, and the source may be this
/// machine;
/// from the journals of this machine, as far as they can be read.
pub(crate) fn peer_to_peer(is_local: bool, source: &str, destination: &str, uri: &str) -> PeerToPeer {
    let mut earlier = last().unwrap_or_default();
    earlier.reverse();
    way::peer_to_peer(is_local, source, destination, uri, &earlier)
}

/// The last migrations, the newest first.
fn last() -> Option<Vec<State>> {
    let store = Store::at(journal::state_directory().ok()?);
    let index = index::read(&store).ok()?;
    Some(index.newest_first().take(MOST_EARLIER).filter_map(|past| store.listed(past.id).state()).collect())
}
