//! Whole migrations against two scripted hosts: what its last line, exit code and receipt say when several things go wrong.

use std::fs::File;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};

use super::{Line, Note, migrate};
use crate::journal::{self, Action, DeviceMove, Host, Instance, Journal, Mark, Store};
use crate::libvirt::scripted::Scripted;
use crate::libvirt::{Failure, HypervisorError, PauseReason, RunReason, State as Now};
use crate::migration::bench;
use crate::migration::ending::Ending;
use crate::migration::event::{Event, Phase, What};
use crate::migration::ground::Ground;
use crate::model::options::Options;
use crate::model::outcome::Outcome;
use crate::model::pci::PciAddress;

const HOSTS: [&str; 2] = ["0aeb4c2e-0000-4000-8000-00000000000a", "0aeb4c2e-0000-4000-8000-00000000000b"];
const VF: [&str; 2] = ["0000:81:00.1", "0000:c1:00.1"];

fn address(text: &str) -> PciAddress {
    text.parse().unwrap()
}

pub(crate) fn plan() -> journal::Plan {
    let [from, to] = VF.map(address);
    journal::Plan {
        id: "m-1".into(),
        machine: "a".into(),
        instance: Instance { name: "vm".into(), uuid: "u".into() },
        source: Host { name: "a".into(), uri: "x".into(), uuid: Some(HOSTS[0].into()) },
        source_label: "a".into(),
        destination: Host { name: "b".into(), uri: "y".into(), uuid: Some(HOSTS[1].into()) },
        destination_uri: "y".into(),
        migrate_uri: None,
        map: vec![DeviceMove::new(from, to, Action::Migrate)],
        ports: Vec::new(),
        undefine_source: false,
        persist_destination: false,
        autostart: false,
        paused: false,
        rehearsal: false,
        parameters: Options::default(),
        ..journal::Plan::default()
    }
}

struct Bench {
    hosts: [Scripted; 2],
    journal: Journal,
    world: bench::Bench,
}

/// Two hosts, the guest on the first.
fn bench() -> Bench {
    let world = bench::bench(Some(Now::Running(RunReason::Other(1))), None);
    let hosts = [world.source.clone(), world.destination.clone()];
    hosts[0].0.lock().unwrap().peer = Some(hosts[1].clone());
    let journal = Store::at(world.dir.path()).create(plan().clone()).unwrap();
    Bench { hosts, journal, world }
}

/// The guest on the first, and a call to migrate that fails.
fn bench_that_stays() -> Bench {
    let bench = bench();
    bench.hosts[0].0.lock().unwrap().peer = None;
    bench
}

impl Bench {
    fn migrate(&mut self, plan: &journal::Plan, hears: impl FnMut(&Event) + 'static) -> Ending {
        self.migrate_on(plan, &Line::new(), hears)
    }

    fn migrate_on(&mut self, plan: &journal::Plan, line: &Line, hears: impl FnMut(&Event) + 'static) -> Ending {
        self.world.hears = Box::new(hears);
        let [source, destination] = self.hosts.clone().map(Arc::new);
        let state = journal::State::begun(plan.clone(), journal::now());
        let mut ground = Ground::new(&mut self.world, &mut self.journal, state).connected(source, destination);
        migrate(&mut ground, plan, line)
    }

    fn recorded(&self) -> journal::State {
        journal::State::of(&Store::at(self.world.dir.path()).read("m-1").unwrap().records).unwrap()
    }

    fn names(&self) -> Vec<&'static str> {
        bench::names(&self.world)
    }
}

#[test]
fn a_guest_that_moves_is_looked_at_once_after_each_step() {
    let mut bench = bench();
    let ending = bench.migrate(&plan(), |_| {});
    assert_eq!((ending.outcome, ending.closed, ending.row), (Outcome::Fine, true, "27"), "{ending:#?}");
    assert_eq!(ending.receipt.summary, "vm runs on b");
    assert_eq!(*bench.world.pauses.borrow(), 0, "nothing is waited for");
    assert_eq!(
        bench.names(),
        [
            "plan",
            "claim",
            "recheck",
            "mark-intent",
            "perform-intent",
            "perform-returned",
            "verify",
            "cleanup",
            "recover-intent",
            "done"
        ]
    );
    let phases: Vec<_> = ending.receipt.phases.iter().map(|(phase, _)| phase.as_str()).collect();
    assert_eq!(phases, ["claim", "recheck", "perform", "verify", "cleanup"]);
    assert_eq!(bench.world.said, [""; 0], "what is usual needs no words");
    assert_eq!(bench.hosts[1].0.lock().unwrap().mark, None);
}

#[test]
fn where_the_guest_is_is_looked_at_before_it_is_said() {
    // Another machine is faster: the mark meets a guest that has gone to the destination.
    let mut bench = bench();
    let [source, destination] = bench.hosts.clone();
    bench.hosts[0].0.lock().unwrap().refuses = vec!["set_metadata"];
    let ending = bench.migrate(&plan(), move |event| {
        if event.phase == Phase::Undo {
            source.0.lock().unwrap().state = None;
            destination.0.lock().unwrap().state = Some(Now::Running(RunReason::Migrated));
        }
    });
    assert_eq!((ending.outcome, ending.receipt.runs_on.as_deref()), (Outcome::Unknown, Some("b")), "{ending:#?}");
    assert_eq!(
        ending.receipt.summary,
        "nothing was changed: set_metadata: scripted; vm does not run on a any more, it runs on b"
    );
}

#[test]
fn a_lost_state_comes_before_a_journal_that_stays_open() {
    let mut bench = bench();
    bench.world.log = vec![format!("{}: x. Recover state is ERROR. Resetting device: y", VF[1])];
    let destination = bench.hosts[1].clone();
    let ending = bench.migrate(&plan(), move |event| {
        if event.phase == Phase::Verify {
            destination.0.lock().unwrap().refuses = vec!["set_metadata"];
        }
    });
    assert_eq!((ending.outcome, ending.closed, ending.receipt.exit_code), (Outcome::Incomplete, false, 5));
    assert_eq!(ending.receipt.runs_on.as_deref(), Some("b"));
    assert_eq!(
        ending.receipt.summary,
        "vm runs on b, but the state of its devices is lost, and the migration is not finished: pvm's migration lock is still in the \
         guest: set_metadata: scripted; see: pvm recover m-1"
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
        let mut bench = if moves { bench() } else { bench_that_stays() };
        // A file that cannot grow from there on: as on a full disk.
        let file = File::from(memfd_create("journal", MemfdFlags::ALLOW_SEALING).unwrap());
        bench.journal.replace_file(file.try_clone().unwrap());
        let ending = bench.migrate(&plan(), move |event| {
            if event.phase == full_from {
                fcntl_add_seals(&file, SealFlags::GROW).unwrap();
            }
        });
        assert_eq!((ending.outcome, ending.closed, ending.receipt.exit_code), (outcome, false, outcome.code()));
        assert_eq!(ending.receipt.runs_on.as_deref(), Some(if moves { "b" } else { "a" }));
        let summary = &ending.receipt.summary;
        assert!(summary.starts_with(said) && summary.ends_with("; see: pvm recover m-1"), "{summary}");
        assert_eq!(summary.matches("cannot write").count(), 1, "{summary}");
        // Its removal could not be announced: recovery will know the guest by it.
        let carries = bench.hosts.iter().any(|host| host.0.lock().unwrap().mark.is_some());
        assert_eq!(carries, full_from != Phase::Recheck);
    }
}

fn said(event: &Event, text: &str) -> bool {
    matches!(&event.what, What::Note { message } if message.contains(text))
}

#[test]
fn an_abort_that_is_refused_is_tried_again_until_it_is_too_late() {
    let plan = journal::Plan {
        parameters: Options { timeout: Some(Duration::from_millis(100)), ..Options::default() },
        ..plan()
    };
    let endless = || {
        let bench = bench();
        {
            let mut source = bench.hosts[0].0.lock().unwrap();
            (source.endless, source.refused_aborts) = (true, 2);
        }
        bench
    };
    let aborts = |source: &Scripted| source.calls().iter().filter(|call| *call == "abort").count();

    let mut bench = endless();
    let (tell, told) = mpsc::channel();
    let ended = bench.migrate(&plan, move |event| {
        if said(event, "the job could not be aborted, which is tried again: abort: scripted") {
            tell.send(()).unwrap();
        }
    });
    bench.world.hears = Box::new(|_| {});
    assert_eq!((aborts(&bench.hosts[0]), told.iter().count()), (1, 1), "{ended:?}");
    assert_eq!(ended.receipt.summary, "vm stays on a, all was undone: timed out");

    // It meets no switch-over.
    let mut bench = endless();
    let source = bench.hosts[0].clone();
    let ended = bench.migrate(&plan, move |event| {
        if said(event, "the job could not be aborted") {
            let mut source = source.0.lock().unwrap();
            (source.state, source.refused_aborts) = (Some(Now::Paused(PauseReason::Migration)), 0);
        }
        if said(event, "too late to stop") {
            source.0.lock().unwrap().state = Some(Now::Running(RunReason::Other(1)));
            source.end_migration();
        }
    });
    assert_eq!(aborts(&bench.hosts[0]), 0, "{ended:?}");
    assert_eq!(ended.receipt.runs_on.as_deref(), Some("a"));
}

#[test]
fn a_limit_of_the_pause_that_cannot_be_set_back_is_not_set_or_said() {
    let options = Options { max_downtime: Some(Duration::from_secs(5)), ..Options::default() };
    let plan = journal::Plan { parameters: options, ..plan() };
    let mut bench = bench_that_stays();
    bench.hosts[0].0.lock().unwrap().refuses = vec!["max_downtime"];
    let ended = bench.migrate(&plan, |_| {});
    assert_eq!(bench.hosts[0].calls(), [""; 0]);
    assert_eq!(
        ended.receipt.summary,
        "vm stays on a, all was undone: the limit of the pause cannot be read: max_downtime: scripted"
    );

    // What cannot be set back after the failure is said.
    let mut bench = bench_that_stays();
    {
        let mut source = bench.hosts[0].0.lock().unwrap();
        (source.endless, source.max_downtime_ms) = (true, Some(700));
    }
    let (source, (tell, told)) = (bench.hosts[0].clone(), mpsc::channel());
    bench.migrate(&plan, move |event| match &event.what {
        What::Progress(_) => {
            source.0.lock().unwrap().refuses = vec!["set_max_downtime"];
            source.end_migration();
        }
        What::Note { message } => tell.send(message.clone()).unwrap(),
        _ => {}
    });
    bench.world.hears = Box::new(|_| {});
    assert_eq!(bench.hosts[0].calls(), ["set_max_downtime 5000"]);
    let told: Vec<String> = told.iter().collect();
    assert!(
        told.contains(&"the limit of the pause may not be as it was: set_max_downtime: scripted".into()),
        "{told:?}"
    );
}

#[test]
fn a_wish_to_stop_that_comes_after_libvirts_call_hides_no_error() {
    let mut bench = bench_that_stays();
    let (line, failure) = (Line::new(), Failure::Other);
    let sender = line.sender();
    let ended = bench.migrate_on(&plan(), &line, move |event| {
        if event.phase == Phase::Perform && event.what == What::Begun {
            let error = HypervisorError { doing: "migrate".into(), message: "no room".into(), failure };
            for note in [Note::Returned(Err(error)), Note::Stop] {
                sender.send(note).unwrap();
            }
        }
    });
    assert_eq!(bench.hosts[0].calls(), [""; 0], "there is no job of ours to abort");
    assert_eq!(
        (ended.outcome, ended.receipt.summary.as_str()),
        (Outcome::Undone, "vm stays on a, all was undone: no room")
    );
}

#[test]
fn autostart_is_off_on_the_source_while_libvirt_migrates_and_is_where_the_guest_ends_up() {
    let plan = journal::Plan { undefine_source: true, persist_destination: true, autostart: true, ..plan() };
    let defined = |bench: &Bench| {
        let mut source = bench.hosts[0].0.lock().unwrap();
        (source.persistent, source.autostart) = (true, true);
    };
    let mut moves = bench();
    defined(&moves);
    let ended = moves.migrate(&plan, |_| {});
    assert_eq!(ended.outcome, Outcome::Fine, "{ended:#?}");
    assert_eq!(moves.hosts[0].calls(), ["autostart false"]);
    assert_eq!(moves.hosts[1].calls(), ["autostart true"]);

    let mut stays = bench_that_stays();
    defined(&stays);
    let ended = stays.migrate(&plan, |_| {});
    assert_eq!((ended.outcome, ended.closed), (Outcome::Undone, true), "{ended:#?}");
    assert_eq!(stays.hosts[0].calls(), ["autostart false", "autostart true"]);
    let recorded = stays.recorded();
    assert!(recorded.has_no_autostart() && recorded.has_begun(&journal::Step::RestoreAutostart), "{recorded:#?}");

    // One that cannot be taken off moves nothing; one that cannot be given back keeps the record open.
    let mut refused = bench();
    defined(&refused);
    refused.hosts[0].0.lock().unwrap().refuses = vec!["autostart"];
    let ended = refused.migrate(&plan, |_| {});
    assert_eq!((ended.outcome, ended.closed), (Outcome::Undone, true), "{ended:#?}");
    assert_eq!(refused.hosts[0].state(), Some(Now::Running(RunReason::Other(1))));

    let mut lost = bench_that_stays();
    defined(&lost);
    let source = lost.hosts[0].clone();
    let ended = lost.migrate(&plan, move |event| {
        if event.phase == Phase::Verify {
            source.0.lock().unwrap().refuses = vec!["autostart"];
        }
    });
    assert_eq!((ended.outcome, ended.closed), (Outcome::Incomplete, false), "{ended:#?}");
    assert!(ended.receipt.summary.contains("its autostart may not be as it was"), "{ended:#?}");
}

/// Another machine that does not keep to the protocol writes its lock over this one's, at the last moment.
#[test]
fn a_lock_that_is_lost_right_before_an_unplug_or_before_libvirts_call_stops_the_migration() {
    let port = journal::Port {
        source: address("0000:81:00.2"),
        alias: None,
        source_xml: "0000:81:00.2".into(),
        destination_xml: "0000:c1:00.2".into(),
        persistent: false,
        planned: None,
        alternatives: Vec::new(),
    };
    for (ports, phase) in [(vec![port], Phase::Detach), (Vec::new(), Phase::Perform)] {
        let plan = journal::Plan { ports, ..plan() };
        let mut bench = bench();
        let other = Mark { id: "m-2".into(), machine: "ops-2".into(), ..Mark::default() }.element();
        let (source, written) = (bench.hosts[0].clone(), other.clone());
        let ended = bench.migrate(&plan, move |event| {
            if event.phase == phase && event.what == What::Begun {
                source.0.lock().unwrap().mark = Some(written.clone());
            }
        });
        let said = &ended.receipt.summary;
        assert!(said.contains("migration m-2") && said.contains("ops-2"), "{said}");
        assert!(
            !bench.names().contains(&"unplug-requested") && !bench.names().contains(&"perform-intent"),
            "{ended:#?}"
        );
        let source = bench.hosts[0].0.lock().unwrap();
        assert_eq!((source.state.is_some(), source.mark.as_ref()), (true, Some(&other)), "the other's lock stays");
    }
}

#[test]
fn a_rehearsal_ends_when_it_has_shown_enough_and_fails_by_what_was_refused() {
    let rehearsal = || plan().rehearsed(Some(1 << 30)).unwrap();
    let endless = || {
        let bench = bench();
        bench.hosts[0].0.lock().unwrap().endless = true;
        bench
    };
    let mut bench = endless();
    let ended = bench.migrate(&rehearsal(), |_| {});
    assert_eq!((ended.outcome, ended.closed), (Outcome::Fine, true), "{ended:#?}");
    assert_eq!(ended.receipt.summary, "vm stays on a, all was undone: rehearsed");
    assert_eq!(bench.hosts[0].calls()[..2], ["set_max_downtime 1", "abort"]);
    assert_eq!(bench.hosts[0].0.lock().unwrap().max_downtime_ms, Some(300), "it is set back");
    assert!(bench.names().ends_with(&["undone"]), "{:?}", bench.names());

    let mut bench = bench_that_stays();
    let ended = bench.migrate(&rehearsal(), |_| {});
    assert_eq!(
        (ended.outcome, ended.receipt.summary.as_str()),
        (Outcome::Undone, "vm stays on a, all was undone: scripted")
    );

    // It completes nevertheless: a migration, verified and recorded as one.
    let mut moved = self::bench();
    let ended = moved.migrate(&rehearsal(), |_| {});
    assert_eq!((ended.outcome, ended.receipt.summary.as_str()), (Outcome::Fine, "vm runs on b"));
    assert!(moved.names().ends_with(&["done"]), "{:?}", moved.names());
}
