//! What open journals keep claimed. A device that is kept for a port which still has to be plugged in is protected by nothing
//! else once its pvm has died. Pure.

use super::record::{Host, Step};
use super::state::State;
use crate::model::identity::{Identity, compare};
use crate::model::pci::PciAddress;

/// A device that an open migration keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Claim {
    /// The migration.
    pub id: String,
    /// The host the device is on.
    pub host: Host,
    /// The device.
    pub device: PciAddress,
}

impl Claim {
    /// Whether the device is on the host with this UUID, however it was spelled; where the UUIDs do not tell, it may be.
    pub(crate) fn may_be_on(&self, uuid: Option<&str>) -> bool {
        compare(self.host.uuid.as_deref(), uuid) != Identity::Other
    }

    /// The same for showing: where the UUIDs do not tell, the names do.
    pub(crate) fn is_on(&self, uuid: Option<&str>, names: &[&str]) -> bool {
        match compare(self.host.uuid.as_deref(), uuid) {
            Identity::Same => true,
            Identity::Other => false,
            Identity::Unknown => names.contains(&self.host.name.as_str()),
        }
    }
}

/// The claims of these migrations: the destinations of their maps, and the source's devices too, which a migration that is
/// undone needs again.
pub(crate) fn claims<'a>(states: impl IntoIterator<Item = &'a State>) -> Vec<Claim> {
    let mut claims = Vec::new();
    for state in states {
        if state.is_closed() || state.undone_steps.contains(&Step::ReleaseClaims) {
            continue;
        }
        let mut add = |host: &Host, device| {
            claims.push(Claim { id: state.plan.id.clone(), host: host.clone(), device });
        };
        for moved in &state.map {
            add(&state.plan.destination, moved.destination);
            add(&state.plan.source, moved.source);
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
        let host = |name: &str| Host { name: name.into(), ..Host::default() };
        let plan = Plan {
            id: "m".into(),
            source: host("a"),
            destination: host("b"),
            map: vec![DeviceMove::new(source, destination, Action::Migrate)],
            ..Plan::default()
        };
        let record = |seq, entry| Record { v: 1, seq, time: Timestamp(0), entry };
        let mut state = State::of(&[record(1, Entry::Plan(Box::new(plan)))]).unwrap();
        let claim = |name: &str, device| Claim { id: "m".into(), host: host(name), device };
        assert_eq!(claims([&state]), [claim("b", destination), claim("a", source)]);
        state.apply(&record(2, Entry::Undone { receipt: Receipt::default() }));
        assert_eq!(claims([&state]), []);
    }

    #[test]
    fn a_claim_is_on_a_host_by_its_uuid_and_not_by_how_it_was_spelled() {
        let (one, other) = ("0aeb4c2e-1111-4222-8333-444455556666", "1aeb4c2e-1111-4222-8333-444455556666");
        let claim = |uuid: Option<&str>| Claim {
            id: "m".into(),
            host: Host { name: "host-b".into(), uri: String::new(), uuid: uuid.map(str::to_owned) },
            device: PciAddress::default(),
        };
        assert!(claim(Some(one)).may_be_on(Some(&one.to_uppercase())) && claim(Some(one)).is_on(Some(one), &["x"]));
        assert!(!claim(Some(one)).may_be_on(Some(other)) && !claim(Some(one)).is_on(Some(other), &["host-b"]));
        // An old journal has none: its devices are given to nobody, and shown where its name is.
        assert!(claim(None).may_be_on(Some(other)));
        assert!(claim(None).is_on(Some(one), &["host-b"]) && !claim(None).is_on(Some(one), &["host-c"]));
    }
}
