//! Plans with random policies, judged by a validator that knows nothing of the planner.

use std::collections::BTreeSet;

use proptest::prelude::*;

use crate::drain::{Drain, Limits, plan};
use crate::model::policy::{Policies, Policy};
use crate::model::snapshot::{Domain, Snapshot};
use crate::preflight::Terms;

const NAMES: [&str; 6] = ["db-1", "db-2", "db-3", "etcd-1", "etcd-2", "web"];

fn read(text: &str) -> Snapshot {
    serde_json::from_str(text).unwrap()
}

/// A guest without host devices.
fn guest(of: &Domain, name: &str, number: usize) -> Domain {
    let uuid = format!("{}{number:02}", &of.uuid[..of.uuid.len() - 2]);
    let mut xml = of.xml.clone().unwrap().replace(&of.name, name).replace(&of.uuid, &uuid);
    while let (Some(begin), Some(end)) = (xml.find("<hostdev"), xml.find("</hostdev>")) {
        xml.replace_range(begin..end + "</hostdev>".len(), "");
    }
    let xml = Some(xml);
    Domain { name: name.into(), uuid, inactive_xml: xml.clone(), xml, hostdevs: Vec::new(), ..of.clone() }
}

/// Guests of the first names; hosts with room for all, each with residents that are named like guests.
fn fleet(guests: usize, residents: &[BTreeSet<usize>]) -> (Snapshot, Vec<Snapshot>) {
    let (mut source, there) = (
        read(include_str!("../../tests/fixtures/pair/src.json")),
        read(include_str!("../../tests/fixtures/pair/dst.json")),
    );
    let of = source.domains[0].clone();
    source.domains = NAMES[..guests].iter().enumerate().map(|(number, name)| guest(&of, name, number)).collect();
    let host = |(at, residents): (usize, &BTreeSet<usize>)| {
        let mut host = there.clone();
        host.host.name = format!("host-{at}");
        host.host.memory_free = Some(1 << 40);
        host.host.numa_cells.iter_mut().flatten().for_each(|cell| cell.memory_free = Some(1 << 40));
        host.domains = residents
            .iter()
            .map(|resident| Domain {
                name: format!("{}x", NAMES[*resident]),
                uuid: format!("{:08}-0000-4000-8000-{at:012}", resident + 1),
                state: "running".into(),
                ..Domain::default()
            })
            .collect();
        host
    };
    let hosts = residents.iter().enumerate().map(host).collect();
    (source, hosts)
}

/// By the words of the file alone, without the code that reads patterns.
fn means(pattern: &str, name: &str) -> bool {
    pattern.strip_suffix('*').map_or(pattern == name, |start| name.starts_with(start))
}

fn may_go(policies: &Policies, guest: &Domain, host: &Snapshot) -> bool {
    let apart = policies.apart.iter().filter(|pattern| means(pattern, &guest.name));
    let mut others = apart.flat_map(|pattern| host.domains.iter().map(move |other| (pattern, other)));
    others.all(|(pattern, other)| !means(pattern, &other.name))
}

fn is_kept(policies: &Policies, guest: &Domain) -> bool {
    policies.guests.iter().any(|(pattern, policy)| means(pattern, &guest.name) && policy.drain == Some(false))
}

fn check(plan: &Drain, source: &Snapshot, hosts: &[Snapshot], policies: &Policies) -> Result<(), TestCaseError> {
    let of = |uuid: &str| source.domains.iter().find(|domain| domain.uuid == uuid).unwrap();
    for leaving in &plan.moves {
        let guest = of(&leaving.uuid);
        prop_assert!(!is_kept(policies, guest), "{} is kept", guest.name);
        prop_assert!(may_go(policies, guest, &hosts[leaving.at]), "{} to {}", guest.name, leaving.destination);
    }
    for stay in &plan.stays {
        let guest = of(&stay.uuid);
        let can = !is_kept(policies, guest) && hosts.iter().any(|host| may_go(policies, guest, host));
        prop_assert!(!can, "{} could leave: {stay:?}", guest.name);
        prop_assert!(stay.code.is_some() && stay.remedy.is_some() | (stay.code.as_deref() == Some("guests-apart")));
    }
    prop_assert_eq!(plan.moves.len() + plan.stays.len(), source.domains.len());
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn every_policy_is_kept_to_and_nobody_else_stays(
        guests in 1usize..=6,
        residents in proptest::collection::vec(proptest::collection::btree_set(0usize..6, 0..3), 1..4),
        kept in proptest::collection::vec(proptest::sample::select(vec!["db-*", "db-1", "etcd-2", "nobody"]), 0..2),
        apart in proptest::collection::vec(proptest::sample::select(vec!["db-*", "etcd-*", "*", "web"]), 0..3),
    ) {
        let (source, hosts) = fleet(guests, &residents);
        let keeps = Policy { drain: Some(false), ..Policy::default() };
        let policies = Policies {
            guests: kept.iter().map(|pattern| ((*pattern).to_owned(), keeps.clone())).collect(),
            apart: apart.iter().map(|pattern| (*pattern).to_owned()).collect(),
            ..Policies::default()
        };
        let terms = Terms { policies: policies.clone(), ..Terms::default() };
        let all: Vec<usize> = (0..guests).collect();
        let plan = plan(&source, &hosts, &all, &terms, Limits { per_host: 2 });
        check(&plan, &source, &hosts, &policies)?;
    }
}

/// Those that were on one host before may come to one host, also when one of them is there already.
#[test]
fn who_was_together_is_not_kept_apart() {
    let (source, mut hosts) = fleet(2, &[BTreeSet::new()]);
    let gone = Domain {
        name: "db-9".into(),
        uuid: "8a7b1c52-4c3e-4f0a-9d6b-2b1f3c5d7e99".into(),
        ..source.domains[0].clone()
    };
    hosts[0].domains.push(gone.clone());
    let mut policies = Policies { apart: vec!["db-*".into()], ..Policies::default() };
    let count = |policies: &Policies| {
        let terms = Terms { policies: policies.clone(), ..Terms::default() };
        plan(&source, &hosts, &[0, 1], &terms, Limits { per_host: 2 }).moves.len()
    };
    assert_eq!(count(&policies), 0);
    policies.together.insert(gone.uuid);
    assert_eq!(count(&policies), 2);
}
