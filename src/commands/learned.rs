//! How long guests were paused by this machine's migrations.

use std::sync::Arc;

use crate::journal::{Came, Store, index, state_directory};
use crate::model::causes::sentence;
use crate::model::pauses::{Pauses, Way};

/// The pauses of the closed migrations, as far as they can be read: what is not known is said as unknown.
pub(crate) fn learned() -> Arc<Pauses> {
    match state_directory().and_then(|directory| index::read(&Store::at(directory))) {
        Ok(index) => Arc::new(of(&index)),
        Err(error) => {
            log::debug!("no pauses are known: {}", sentence(&error));
            Arc::default()
        }
    }
}

fn of(index: &index::Index) -> Pauses {
    let mut pauses = Pauses::default();
    let known = index.newest_first().filter_map(|past| past.known);
    for known in known.filter(|known| known.came == Came::Migrated) {
        if let (Some(kind), Some(ms)) = (known.kind, known.downtime_ms) {
            pauses.add(kind, Way::between(known.hosts[0], known.hosts[1]), ms);
        }
    }
    pauses
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::{Entry, Host, Plan, Receipt};

    #[test]
    fn closed_migrations_tell_how_long_the_next_pause_will_be() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::at(dir.path());
        let over = |n: u64, change: &dyn Fn(&mut Plan, &mut Receipt)| {
            let host = |uuid: &str| Host { uuid: Some(uuid.into()), ..Host::default() };
            let mut plan = Plan {
                id: format!("a-{n:03}"),
                kind: Some("no devices".into()),
                source: host("A"),
                destination: host("b"),
                ..Plan::default()
            };
            let mut receipt = Receipt { downtime_ms: Some(n), ..Receipt::default() };
            change(&mut plan, &mut receipt);
            store.create(plan).unwrap().append(&Entry::Done { receipt }).unwrap();
        };
        let next = || of(&index::read(&store).unwrap()).next("no devices", Way::between(Some("a"), Some("b")));
        (100..118).for_each(|n| over(n, &|_, _| {}));
        // None of these was a guest like it that ran and was paused.
        over(500, &|plan, _| plan.paused = true);
        over(501, &|plan, _| plan.kind = None);
        over(502, &|_, receipt| receipt.downtime_ms = None);
        over(503, &|_, receipt| receipt.exit_code = 5);
        over(504, &|plan, _| plan.kind = Some("1 x 15b3:101e mlx5_vfio_pci".into()));
        assert_eq!(next(), None);
        over(118, &|_, _| {});
        let pause = next().unwrap();
        assert_eq!((pause.from_ms, pause.to_ms, pause.migrations, pause.same_hosts), (100, 118, 19, true));
    }
}
