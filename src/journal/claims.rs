//! What open journals keep claimed. A device that is kept for a port which still has to be plugged in is protected by nothing
//! else once its pvm has died. Pure.

use super::record::Step;
use super::state::State;
use crate::model::pci::PciAddress;

/// A device that an open migration keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The migration.
    pub id: String,
    /// The host the device is on.
    pub host: String,
    /// The device.
    pub device: PciAddress,
}

/// The claims of these migrations: the destinations of their maps, and the source's devices too, which a migration that is
/// undone needs again.
pub fn claims<'a>(states: impl IntoIterator<Item = &'a State>) -> Vec<Claim> {
    let mut claims = Vec::new();
    for state in states {
        if state.is_closed() || state.undone_steps.contains(&Step::ReleaseClaims) {
            continue;
        }
        let mut add = |host: &str, device| {
            claims.push(Claim { id: state.plan.id.clone(), host: host.to_owned(), device });
        };
        for moved in &state.map {
            add(&state.plan.destination.name, moved.destination);
            add(&state.plan.source.name, moved.source);
        }
    }
    claims
}

#[cfg(test)]
mod tests {
    use super::super::record::{Entry, Host, Plan, Receipt, Record};
    use super::*;
    use crate::model::device_move::{Action, DeviceMove};
    use crate::model::time::Timestamp;

    #[test]
    fn an_open_migration_keeps_both_ends_of_its_map_and_a_closed_one_nothing() {
        let (source, destination) = ("0000:81:00.1".parse().unwrap(), "0000:c1:00.7".parse().unwrap());
        let plan = Plan {
            id: "m".into(),
            source: Host { name: "a".into(), uri: String::new() },
            destination: Host { name: "b".into(), uri: String::new() },
            map: vec![DeviceMove::new(source, destination, Action::Migrate)],
            ..Plan::default()
        };
        let record = |seq, entry| Record { v: 1, seq, time: Timestamp(0), entry };
        let mut state = State::of(&[record(1, Entry::Plan(Box::new(plan)))]).unwrap();
        let claim = |host: &str, device| Claim { id: "m".into(), host: host.into(), device };
        assert_eq!(claims([&state]), [claim("b", destination), claim("a", source)]);
        state.apply(&record(2, Entry::Undone { receipt: Receipt::default() }));
        assert_eq!(claims([&state]), []);
    }
}
