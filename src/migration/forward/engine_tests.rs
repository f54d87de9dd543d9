//! The engine against two scripted hosts: what its last line, exit code and receipt say when several things go wrong.

use std::fs::File;
use std::time::Duration;

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};

use super::engine::{Ended, Hosts, Line, Note, Prover, run};
use super::event::{Event, What};
use super::order::Order;
use super::step::Phase;
use crate::journal::{self, Action, DeviceMove, Host, Instance, Journal, Store};
use crate::libvirt::{Failure, HypervisorError, PauseReason, RunReason, State as Now};
use crate::migration::recover::scripted::{Has, Scripted};
use crate::model::options::Options;
use crate::model::outcome::Outcome;
use crate::model::pci::PciAddress;
use crate::proof::Verdict;

const HOSTS: [&str; 2] = ["0aeb4c2e-0000-4000-8000-00000000000a", "0aeb4c2e-0000-4000-8000-00000000000b"];
const VF: [&str; 2] = ["0000:81:00.1", "0000:c1:00.1"];

fn address(text: &str) -> PciAddress {
    text.parse().unwrap()
}

pub(crate) fn order() -> Order {
    let [from, to] = VF.map(address);
    Order {
        id: "m-1".into(),
        machine: "a".into(),
        known_marks: Vec::new(),
        instance: Instance { name: "vm".into(), uuid: "u".into() },
        source: Host { name: "a".into(), uri: "x".into(), uuid: Some(HOSTS[0].into()) },
        source_label: "a".into(),
        destination: Host { name: "b".into(), uri: "y".into(), uuid: Some(HOSTS[1].into()) },
        destination_uri: "y".into(),
        migrate_uri: None,
        map: vec![DeviceMove::new(from, to, Action::Migrate)],
        ports: Vec::new(),
        persistent: false,
        autostart: false,
        paused: false,
        options: Options::default(),
    }
}

/// Two hosts, the guest on the first.
fn hosts() -> [Scripted; 2] {
    let [source, destination] = [Scripted::default(), Scripted::default()];
    *destination.0.lock().unwrap() = Has { devices: vec![VF[1].into()], ..Has::default() };
    *source.0.lock().unwrap() = Has {
        state: Some(Now::Running(RunReason::Other(1))),
        devices: vec![VF[0].into()],
        peer: Some(destination.clone()),
        ..Has::default()
    };
    [source, destination]
}

struct Bench {
    hosts: [Scripted; 2],
    journal: Journal,
    dir: tempfile::TempDir,
}

fn bench() -> Bench {
    let dir = tempfile::tempdir().unwrap();
    let journal = Store::at(dir.path()).create(order().journal_plan()).unwrap();
    Bench { hosts: hosts(), journal, dir }
}

impl Bench {
    fn migrate(&mut self, prove: &Prover<'_>) -> Ended {
        self.migrate_telling(prove, &mut |_| {})
    }

    fn migrate_telling(&mut self, prove: &Prover<'_>, tell: &mut dyn FnMut(&Event)) -> Ended {
        self.migrate_with(&order(), &Line::new(), prove, tell)
    }

    fn migrate_with(&mut self, order: &Order, line: &Line, prove: &Prover<'_>, tell: &mut dyn FnMut(&Event)) -> Ended {
        let [source, destination] = &self.hosts;
        run(Hosts { source, destination }, order, &mut self.journal, line, prove, tell)
    }

    fn recorded(&self) -> journal::State {
        journal::State::of(&Store::at(self.dir.path()).read("m-1").unwrap().records).unwrap()
    }
}

#[test]
fn a_lost_state_comes_before_a_journal_that_stays_open() {
    let mut bench = bench();
    // It falls silent once the guest is proved: its mark cannot be taken off.
    let destination = bench.hosts[1].clone();
    let ended = bench.migrate(&|_, _| {
        destination.0.lock().unwrap().refuses.push("metadata");
        Verdict::Lost { why: "x".into() }
    });
    assert_eq!((ended.outcome, ended.open, ended.receipt.exit_code), (Outcome::Incomplete, true, 5));
    assert_eq!(ended.receipt.runs_on.as_deref(), Some("b"));
    assert_eq!(
        ended.receipt.summary,
        "vm runs on b, but the state of its devices is lost, and the migration is not finished: pvm's mark is still in the \
         guest: metadata: scripted; see: pvm recover m-1"
    );
    assert!(!bench.recorded().is_closed());
}

#[test]
fn a_journal_that_cannot_be_closed_is_not_a_finished_migration() {
    for (moves, full_from, outcome, said) in [
        (true, Phase::Verify, Outcome::Incomplete, "vm runs on b, but the migration is not finished: cannot write"),
        (
            false,
            Phase::Undo,
            Outcome::Incomplete,
            "vm stays on a, but the migration is not finished: scripted; cannot write",
        ),
        (false, Phase::Recheck, Outcome::Unknown, "vm stays on a, nothing was changed: cannot write"),
    ] {
        let mut bench = bench();
        if !moves {
            bench.hosts[0].0.lock().unwrap().peer = None;
        }
        // A file that cannot grow from there on: as on a full disk.
        let file = File::from(memfd_create("journal", MemfdFlags::ALLOW_SEALING).unwrap());
        bench.journal.replace_file(file.try_clone().unwrap());
        let ended = bench.migrate_telling(&|_, _| Verdict::Verified, &mut |event| {
            if event.phase == full_from {
                fcntl_add_seals(&file, SealFlags::GROW).unwrap();
            }
        });
        assert_eq!((ended.outcome, ended.open, ended.receipt.exit_code), (outcome, true, outcome.code()));
        assert_eq!(ended.receipt.runs_on.as_deref(), Some(if moves { "b" } else { "a" }));
        let summary = &ended.receipt.summary;
        assert!(summary.starts_with(said) && summary.ends_with("; see: pvm recover m-1"), "{summary}");
        assert_eq!(summary.matches("cannot write").count(), 1, "{summary}");
    }
}

#[test]
fn an_abort_that_is_refused_is_tried_again_until_it_is_too_late() {
    let order = Order { options: Options { timeout: Some(Duration::ZERO), ..Options::default() }, ..order() };
    let endless = || {
        let bench = bench();
        {
            let mut source = bench.hosts[0].0.lock().unwrap();
            (source.endless, source.refused_aborts) = (true, 2);
        }
        bench
    };
    let said = |event: &Event, text: &str| matches!(&event.what, What::Note { message } if message.contains(text));
    let aborts = |source: &Scripted| source.calls().iter().filter(|call| *call == "abort").count();

    let mut bench = endless();
    let mut told = 0;
    let ended = bench.migrate_with(&order, &Line::new(), &|_, _| Verdict::Verified, &mut |event| {
        told += u32::from(said(event, "the job could not be aborted, which is tried again: abort: scripted"));
    });
    assert_eq!((aborts(&bench.hosts[0]), told), (1, 1), "{ended:?}");
    assert_eq!(ended.receipt.summary, "vm stays on a, all was undone: the time limit ran out");

    // It meets no switch-over.
    let mut bench = endless();
    let source = bench.hosts[0].clone();
    let ended = bench.migrate_with(&order, &Line::new(), &|_, _| Verdict::Verified, &mut |event| {
        if said(event, "the job could not be aborted") {
            let mut source = source.0.lock().unwrap();
            (source.state, source.refused_aborts) = (Some(Now::Paused(PauseReason::Migration)), 0);
        }
        if said(event, "too late to stop") {
            source.0.lock().unwrap().state = Some(Now::Running(RunReason::Other(1)));
            source.end_migration();
        }
    });
    assert_eq!(aborts(&source), 0, "{ended:?}");
    assert_eq!(ended.receipt.runs_on.as_deref(), Some("a"));
}

#[test]
fn a_limit_of_the_pause_that_cannot_be_set_back_is_not_set_or_said() {
    let options = Options { max_downtime: Some(Duration::from_secs(5)), ..Options::default() };
    let order = Order { options, ..order() };
    let stays = || {
        let bench = bench();
        bench.hosts[0].0.lock().unwrap().peer = None;
        bench
    };
    let mut bench = stays();
    bench.hosts[0].0.lock().unwrap().refuses = vec!["max_downtime"];
    let ended = bench.migrate_with(&order, &Line::new(), &|_, _| Verdict::Verified, &mut |_| {});
    assert_eq!(bench.hosts[0].calls(), [""; 0]);
    assert_eq!(
        ended.receipt.summary,
        "vm stays on a, all was undone: the limit of the pause cannot be read: max_downtime: scripted"
    );

    // What cannot be set back after the failure is said.
    let mut bench = stays();
    {
        let mut source = bench.hosts[0].0.lock().unwrap();
        (source.endless, source.max_downtime_ms) = (true, Some(700));
    }
    let (source, mut told) = (bench.hosts[0].clone(), Vec::new());
    bench.migrate_with(&order, &Line::new(), &|_, _| Verdict::Verified, &mut |event| match &event.what {
        What::Progress(_) => {
            source.0.lock().unwrap().refuses = vec!["set_max_downtime"];
            source.end_migration();
        }
        What::Note { message } => told.push(message.clone()),
        _ => {}
    });
    assert_eq!(source.calls(), ["set_max_downtime 5000"]);
    assert_eq!(told, ["the limit of the pause may not be as it was: set_max_downtime: scripted"]);
}

#[test]
fn a_wish_to_stop_that_comes_after_libvirts_call_hides_no_error() {
    let mut bench = bench();
    bench.hosts[0].0.lock().unwrap().peer = None;
    let (line, failure) = (Line::new(), Failure::Other);
    let ended = bench.migrate_with(&order(), &line, &|_, _| Verdict::Verified, &mut |event| {
        if event.phase == Phase::Perform && event.what == What::Begun {
            let error = HypervisorError { doing: "migrate".into(), message: "no room".into(), failure };
            for note in [Note::Returned(Err(error)), Note::Stop] {
                line.sender().send(note).unwrap();
            }
        }
    });
    assert_eq!(bench.hosts[0].calls(), [""; 0], "there is no job of ours to abort");
    assert_eq!(
        (ended.outcome, ended.receipt.summary.as_str()),
        (Outcome::Undone, "vm stays on a, all was undone: no room")
    );
}
