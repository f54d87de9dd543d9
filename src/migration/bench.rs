//! A recovery for tests: two scripted hosts, a journal on a real disk, and the records that a pvm died after.

use std::cell::RefCell;

use super::ending::Ending;
use super::event::Event;
use super::finish::finish;
use super::ground::{Ground, World};
use super::orders::Orders;
use crate::journal::{
    Action as How, DeviceMove, Entry, Host, Instance, Journal, Keep, PerformIntent, Plan, Port, Receipt, Side, State,
    Store,
};
use crate::libvirt::scripted::{Has, Scripted};
use crate::libvirt::{Hypervisor, PauseReason, RunReason, State as Now};
use crate::model::pci::PciAddress;
use crate::model::time::Timestamp;
use crate::proof::evidence::Log;
use crate::proof::{Evidence, Received};

pub(super) const HOSTS: [&str; 2] = ["0aeb4c2e-0000-4000-8000-00000000000a", "0aeb4c2e-0000-4000-8000-00000000000b"];
pub(super) const VF: [&str; 2] = ["0000:81:00.1", "0000:c1:00.1"];
pub(super) const PORT: [&str; 2] = ["0000:81:00.2", "0000:c1:00.2"];
pub(super) const BOOTED: Now = Now::Running(RunReason::Other(1));
pub(super) const MIGRATED: Now = Now::Running(RunReason::Migrated);
pub(super) const HELD: Now = Now::Paused(PauseReason::Migration);

pub(super) fn address(text: &str) -> PciAddress {
    text.parse().unwrap()
}

/// What happens to the hosts while recovery waits for the nth time.
pub(super) type Meanwhile = Box<dyn Fn(u32, &Scripted, &Scripted)>;

pub(super) struct Bench {
    pub(super) source: Scripted,
    pub(super) destination: Scripted,
    pub(super) log: Vec<String>,
    pub(super) meanwhile: Meanwhile,
    pub(super) pauses: RefCell<u32>,
    pub(super) said: Vec<String>,
    /// Hears the events of a migration.
    pub(super) hears: Box<dyn FnMut(&Event)>,
    pub(super) dir: tempfile::TempDir,
}

impl World for Bench {
    fn connect(&self, side: Side) -> std::result::Result<Box<dyn Hypervisor>, String> {
        let host = if side == Side::Source { &self.source } else { &self.destination };
        if host.0.lock().unwrap().silent { Err("no route".into()) } else { Ok(Box::new(host.clone())) }
    }
    fn evidence(&self, _: Side, since: Timestamp) -> Received {
        let moment = crate::journal::now();
        let log = Log { started: Some(since), qemu: Some("10.0.2".into()), lines: self.log.clone(), ..Log::default() };
        let evidence = Evidence { taken_at: moment, log: Some(log), kernel: Some(Vec::new()), ..Evidence::default() };
        Received { asked: moment, answered: moment, content: Ok(evidence) }
    }
    fn pause(&self, _: std::time::Duration) {
        *self.pauses.borrow_mut() += 1;
        (self.meanwhile)(*self.pauses.borrow(), &self.source, &self.destination);
    }
    fn say(&mut self, line: &str) {
        self.said.push(line.to_owned());
    }
    fn tell(&mut self, event: &Event) {
        (self.hears)(event);
    }
}

/// A migration whose pvm died after these records, and what the hosts have.
pub(super) fn bench(source: Option<Now>, destination: Option<Now>) -> Bench {
    let bench = Bench {
        source: Scripted::default(),
        destination: Scripted::default(),
        log: Vec::new(),
        meanwhile: Box::new(|_, _, _| {}),
        pauses: RefCell::default(),
        said: Vec::new(),
        hears: Box::new(|_| {}),
        dir: tempfile::tempdir().unwrap(),
    };
    *bench.source.0.lock().unwrap() = Has { state: source, devices: vec![VF[0].into()], ..Has::default() };
    *bench.destination.0.lock().unwrap() = Has { state: destination, devices: vec![VF[1].into()], ..Has::default() };
    bench
}

pub(super) fn plan(persistent: bool) -> Plan {
    let moved = |pair: [&str; 2], action| DeviceMove::new(address(pair[0]), address(pair[1]), action);
    Plan {
        id: "m-1".into(),
        instance: Instance { name: "vm".into(), uuid: "u".into() },
        source: Host { name: "a".into(), uri: "x".into(), uuid: Some(HOSTS[0].into()) },
        destination: Host { name: "b".into(), uri: "y".into(), uuid: Some(HOSTS[1].into()) },
        map: vec![moved(VF, How::Migrate), moved(PORT, How::Reattach)],
        undefine_source: persistent,
        persist_destination: persistent,
        ..Plan::default()
    }
}

pub(super) fn perform() -> Entry {
    Entry::PerformIntent(PerformIntent {
        domain_id: Some(3),
        state: BOOTED.word().into(),
        reason: BOOTED.reason().into(),
        attempt: 1,
        max_downtime_ms: Some(300),
        definition: None,
        autostart_off: false,
    })
}

pub(super) fn unplugged() -> Vec<Entry> {
    let port = Port {
        source: address(PORT[0]),
        alias: None,
        source_xml: PORT[0].into(),
        destination_xml: PORT[1].into(),
        persistent: false,
        planned: None,
        alternatives: Vec::new(),
    };
    vec![Entry::UnplugRequested { port }, Entry::Detached { source: address(PORT[0]) }]
}

pub(super) fn journal(bench: &Bench, plan: Plan, entries: &[Entry]) -> Journal {
    let mut journal = Store::at(bench.dir.path()).create(plan).unwrap();
    for entry in entries {
        journal.append(entry).unwrap();
    }
    journal
}

/// Runs recovery as a new process would: from the file.
pub(super) fn recover(bench: &mut Bench, orders: Orders) -> Ending {
    let store = Store::at(bench.dir.path());
    let (mut journal, parsed) = store.open("m-1").unwrap();
    let state = State::of(&parsed.records).unwrap();
    finish(&mut Ground::new(bench, &mut journal, state), orders, None)
}

pub(super) fn names(bench: &Bench) -> Vec<&'static str> {
    Store::at(bench.dir.path()).read("m-1").unwrap().records.iter().map(|r| r.entry.name()).collect()
}

/// What the journal was closed with.
pub(super) fn receipt(bench: &Bench) -> Receipt {
    let records = Store::at(bench.dir.path()).read("m-1").unwrap().records;
    State::of(&records).unwrap().receipt.unwrap()
}

pub(super) const AUTO: Orders =
    Orders { auto: true, waits: false, keep: None, abort: false, source_is_dead: false, destination_is_dead: false };
pub(super) const ASKED: Orders = Orders { auto: false, ..AUTO };

pub(super) const fn keep(keep: Keep) -> Orders {
    Orders { keep: Some(keep), ..ASKED }
}
