//! What guests need by their classes is what each of them needs by itself.

use super::*;
use crate::preflight::classes::tests::{Dice, Fleet, mutate, small};

/// Every pair judged by itself, by what the operator allows.
fn pair_by_pair(source: &Snapshot, host: &Snapshot, guest: usize, terms: &Terms) -> Pair {
    let (report, instance) = judge(source, host, guest, None, terms);
    let reason = verdict(&report, instance.as_ref(), terms).0.as_ref().map(Reason::of);
    let none = BTreeSet::new();
    let planner = Planner::new(source, host, &none);
    let mut known = Known::default();
    let plan = planner.plan(&source.domains[guest], &Wishes::default(), &mut known);
    let mut places = planner.places(&plan, &mut known);
    for place in &mut places {
        place.sort_unstable();
        place.dedup();
    }
    let need = plan.guest.as_ref().filter(|_| reason.is_none());
    Pair { need: need.and_then(|guest| Need::of(guest, &host.host, places)).map(Rc::new), reason }
}

/// How many pairs were compared, and how many of them go.
fn compare(hosts: &[Snapshot], terms: &Terms, what: &str) -> (usize, usize) {
    let (source, hosts) = (&hosts[0], &hosts[1..]);
    let guests: Vec<usize> = (0..source.domains.len()).rev().collect();
    let found = pairs(source, hosts, &guests, terms);
    assert_eq!(found.len(), hosts.len());
    let mut goes = 0;
    for (host, found) in hosts.iter().zip(&found) {
        assert_eq!(found.len(), guests.len());
        for (guest, found) in guests.iter().zip(found) {
            let wanted = pair_by_pair(source, host, *guest, terms);
            let name = &source.domains[*guest].name;
            assert_eq!(*found, wanted, "{name} on {} after {what}", host.host.name);
            goes += usize::from(found.need.is_some());
        }
    }
    (hosts.len() * guests.len(), goes)
}

#[test]
fn needs_by_class_are_those_of_each_pair() {
    let allowed = Terms { allow: vec!["huge-pages".to_owned(), "memory".to_owned()], ..Terms::default() };
    let (mut pairs, mut goes) = (0, 0);
    for seed in 0..24 {
        let mut dice = Dice(seed + 1000);
        dice.below(2);
        let mut hosts = small(seed / 4);
        let mut changes = Vec::new();
        for _ in 0..dice.below(4) {
            let at = dice.below(hosts.len());
            changes.extend(mutate(&mut dice, &mut hosts[at]).map(|what| format!("{at}: {what}")));
        }
        let terms = if seed % 3 == 0 { &allowed } else { &Terms::default() };
        let count = compare(&hosts, terms, &format!("(seed {seed}) {}", changes.join("; ")));
        (pairs, goes) = (pairs + count.0, goes + count.1);
    }
    assert!(goes * 8 > pairs && goes < pairs, "{goes} of {pairs} go");
}

#[test]
fn guests_that_are_alike_share_what_they_need() {
    let fleet = Fleet { seed: 3, vfs: 40, guests: 20 };
    let hosts: Vec<Snapshot> = [0, 3, 6].into_iter().map(|number| fleet.host(number)).collect();
    let guests: Vec<usize> = (0..hosts[0].domains.len()).collect();
    for host in pairs(&hosts[0], &hosts[1..], &guests, &Terms::default()) {
        let needs: Vec<&Rc<Need>> = host.iter().filter_map(|pair| pair.need.as_ref()).collect();
        let shared: HashSet<*const Need> = needs.iter().map(|need| Rc::as_ptr(need)).collect();
        let different: HashSet<&Need> = needs.iter().map(|need| &***need).collect();
        assert_eq!(shared.len(), different.len());
        assert!(shared.len() < needs.len(), "{} of {}", shared.len(), needs.len());
    }
}
