//! Recovery against two scripted hosts: what it does, in which order, and what it leaves alone.

use std::cell::RefCell;

use super::scripted::{CANCELED, Has, OFF, Scripted};
use super::*;
use crate::hypervisor::{Hypervisor, PauseReason, RunReason, State as Now};
use crate::journal::{
    Action as How, Entry, Host, Instance, Journal, Move, PerformIntent, Plan, Port, Receipt, Side, Step, Store,
};
use crate::outcome::Outcome;
use crate::pci::PciAddress;
use crate::proof::evidence::Log;
use crate::proof::{Evidence, Received, Verdict};
use crate::time::Timestamp;

const VF: [&str; 2] = ["0000:81:00.1", "0000:c1:00.1"];
const PORT: [&str; 2] = ["0000:81:00.2", "0000:c1:00.2"];
const BOOTED: Now = Now::Running(RunReason::Other(1));
const MIGRATED: Now = Now::Running(RunReason::Migrated);
const HELD: Now = Now::Paused(PauseReason::Migration);

fn address(text: &str) -> PciAddress {
    text.parse().unwrap()
}

/// What happens to the hosts while recovery waits for the nth time.
type Meanwhile = Box<dyn Fn(u32, &Scripted, &Scripted)>;

struct Bench {
    source: Scripted,
    destination: Scripted,
    log: Vec<String>,
    meanwhile: Meanwhile,
    pauses: RefCell<u32>,
    said: Vec<String>,
    dir: tempfile::TempDir,
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
}

/// A migration whose pvm died after these records, and what the hosts have.
fn bench(source: Option<Now>, destination: Option<Now>) -> Bench {
    let bench = Bench {
        source: Scripted::default(),
        destination: Scripted::default(),
        log: Vec::new(),
        meanwhile: Box::new(|_, _, _| {}),
        pauses: RefCell::default(),
        said: Vec::new(),
        dir: tempfile::tempdir().unwrap(),
    };
    *bench.source.0.lock().unwrap() = Has { state: source, devices: vec![VF[0].into()], ..Has::default() };
    *bench.destination.0.lock().unwrap() = Has { state: destination, devices: vec![VF[1].into()], ..Has::default() };
    bench
}

fn plan(persistent: bool) -> Plan {
    let moved = |pair: [&str; 2], action| Move {
        source: address(pair[0]),
        destination: address(pair[1]),
        guest_address: None,
        action,
    };
    Plan {
        id: "m-1".into(),
        instance: Instance { name: "vm".into(), uuid: "u".into() },
        source: Host { name: "a".into(), uri: "x".into() },
        destination: Host { name: "b".into(), uri: "y".into() },
        map: vec![moved(VF, How::Migrate), moved(PORT, How::Reattach)],
        undefine_source: persistent,
        persist_destination: persistent,
        ..Plan::default()
    }
}

fn perform() -> Entry {
    Entry::PerformIntent(PerformIntent {
        domain_id: Some(3),
        state: BOOTED.word().into(),
        reason: BOOTED.reason().into(),
        attempt: 1,
        max_downtime_ms: Some(300),
    })
}

fn unplugged() -> Vec<Entry> {
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

fn journal(bench: &Bench, plan: Plan, entries: &[Entry]) -> Journal {
    let mut journal = Store::at(bench.dir.path()).create(plan).unwrap();
    for entry in entries {
        journal.append(entry).unwrap();
    }
    journal
}

/// Runs recovery as a new process would: from the file.
fn recover(bench: &mut Bench, orders: Orders) -> Recovered {
    let store = Store::at(bench.dir.path());
    let (mut journal, parsed) = store.open("m-1").unwrap();
    let state = State::of(&parsed.records).unwrap();
    Recovery::new(bench, &mut journal, state, orders).run().unwrap()
}

fn names(bench: &Bench) -> Vec<&'static str> {
    Store::at(bench.dir.path()).read("m-1").unwrap().records.iter().map(|r| r.entry.name()).collect()
}

/// What the journal was closed with.
fn receipt(bench: &Bench) -> Receipt {
    let records = Store::at(bench.dir.path()).read("m-1").unwrap().records;
    State::of(&records).unwrap().receipt.unwrap()
}

const AUTO: Orders = Orders { auto: true, keep: None, abort: false, source_is_dead: false, destination_is_dead: false };
const ASKED: Orders = Orders { auto: false, ..AUTO };

const fn keep(keep: Keep) -> Orders {
    Orders { keep: Some(keep), ..ASKED }
}

#[test]
fn row_9_a_guest_that_moved_is_proved_completed_and_cleaned_up_after() {
    let mut bench = bench(Some(OFF), Some(MIGRATED));
    bench.source.0.lock().unwrap().persistent = true;
    let mut entries = unplugged();
    entries.extend([perform(), Entry::Switched, Entry::PerformReturned { error: None, vfio_bytes: Some(9) }]);
    journal(&bench, Plan { autostart: true, ..plan(true) }, &entries);
    let recovered = recover(&mut bench, AUTO);
    assert_eq!((recovered.outcome, recovered.row, recovered.closed), (Outcome::Fine, "27", true));
    assert_eq!(bench.destination.calls(), [format!("attach {} Live", PORT[1]), "autostart true".into()]);
    assert_eq!(bench.source.calls(), ["undefine"]);
    assert_eq!(names(&bench)[6..], ["verify", "attach-intent", "attached", "cleanup", "done"]);
    // Once more: nothing.
    assert_eq!(recover(&mut bench, ASKED).row, "1");
    assert_eq!(bench.source.calls().len() + bench.destination.calls().len(), 3);
}

#[test]
fn row_29_the_last_definition_is_never_removed() {
    let mut bench = bench(Some(OFF), None);
    bench.source.0.lock().unwrap().persistent = true;
    journal(&bench, plan(true), &[perform(), Entry::Switched, Entry::Cleanup]);
    let recovered = recover(&mut bench, AUTO);
    assert_eq!((recovered.row, recovered.outcome, recovered.place), ("29", Outcome::Fine, None));
    assert_eq!(recovered.summary, "the move is over, but b does not have vm any more");
    assert_eq!(names(&bench).last(), Some(&"done"));
    assert!(bench.source.calls().is_empty());
}

#[test]
fn row_29_a_destination_that_falls_silent_at_the_end_keeps_the_migration_open() {
    let mut bench = bench(Some(OFF), Some(MIGRATED));
    bench.source.0.lock().unwrap().persistent = true;
    journal(&bench, plan(true), &[perform(), Entry::Switched, Entry::Cleanup]);
    // After the two looks that agree.
    bench.destination.0.lock().unwrap().silent_after = Some(2);
    let recovered = recover(&mut bench, AUTO);
    assert_eq!((recovered.outcome, recovered.closed), (Outcome::Incomplete, false));
    assert!(bench.source.calls().is_empty(), "the definition on the source goes only once the other one is seen");
}

#[test]
fn row_3_tells_where_the_guest_is_and_where_not() {
    for (now, words, place) in [
        (Some(BOOTED), "nothing had been touched, vm is where it was", Some(Side::Source)),
        (Some(OFF), "nothing had been touched, vm does not run on a any more", None),
        (None, "nothing had been touched, vm does not run on a any more", None),
    ] {
        let mut bench = bench(now, None);
        journal(&bench, plan(false), &[Entry::Claim { map: plan(false).map }]);
        let recovered = recover(&mut bench, AUTO);
        assert_eq!((recovered.summary.as_str(), recovered.place, recovered.outcome), (words, place, Outcome::Fine));
        assert_eq!(names(&bench).last(), Some(&"undone"));
    }
}

#[test]
fn row_10_a_destination_that_stops_at_the_last_moment_keeps_the_source_from_being_destroyed() {
    let mut bench = bench(Some(HELD), Some(MIGRATED));
    // Both looks agree; the third, right before the act, does not.
    bench.destination.0.lock().unwrap().gone_after = Some(2);
    journal(&bench, plan(false), &[perform(), Entry::Switched]);
    let recovered = recover(&mut bench, AUTO);
    assert_eq!((recovered.outcome, recovered.row), (Outcome::Undecided, "12"));
    assert!(bench.source.calls().is_empty(), "{:?}", bench.source.calls());
}

#[test]
fn row_10_the_stale_paused_copy_is_destroyed_after_it_was_announced() {
    let mut bench = bench(Some(HELD), Some(MIGRATED));
    journal(&bench, plan(false), &[perform(), Entry::Switched]);
    let recovered = recover(&mut bench, AUTO);
    assert_eq!((recovered.outcome, recovered.closed), (Outcome::Fine, true));
    assert_eq!((bench.source.calls(), bench.source.state()), (vec!["destroy".to_owned()], None));
    assert_eq!(names(&bench)[3..], ["recover-intent", "verify", "cleanup", "done"]);
}

#[test]
fn row_10_is_looked_at_twice_before_anything_is_destroyed() {
    // As after a restart of the source's daemon: paused at first, cancelled and running two seconds later.
    let mut bench = bench(Some(HELD), Some(MIGRATED));
    bench.meanwhile = Box::new(|_, source, destination| {
        source.0.lock().unwrap().state = Some(CANCELED);
        destination.0.lock().unwrap().state = None;
    });
    journal(&bench, plan(false), &[perform(), Entry::Switched]);
    let recovered = recover(&mut bench, AUTO);
    assert_eq!((recovered.row, recovered.outcome), ("14", Outcome::Incomplete));
    assert!(bench.source.calls().is_empty() && bench.destination.calls().is_empty());
}

#[test]
fn row_14_a_late_failure_is_proved_on_the_source() {
    let mut bench = bench(Some(CANCELED), None);
    bench.log = vec![format!("{}: initiating migration", crate::journal::now().plus(500))];
    journal(&bench, plan(false), &[perform(), Entry::Switched]);
    assert_eq!(recover(&mut bench, AUTO).outcome, Outcome::Undone);
    assert_eq!(names(&bench)[3..], ["verify", "undone"]);
}

#[test]
fn row_14_an_early_failure_plugs_the_ports_in_again() {
    let mut bench = bench(Some(CANCELED), None);
    let mut entries = unplugged();
    entries.push(perform());
    journal(&bench, plan(false), &entries);
    let recovered = recover(&mut bench, AUTO);
    assert_eq!((recovered.outcome, recovered.closed), (Outcome::Undone, true));
    assert_eq!(bench.source.calls(), [format!("attach {} Live", PORT[0])]);
    assert_eq!(names(&bench)[4..], ["undo-intent", "undo-done", "undone"]);
}

#[test]
fn row_14_the_guest_gets_the_limit_of_the_pause_back_that_it_had() {
    for (now, calls) in [(None, vec![]), (Some(9600), vec!["set_max_downtime 300"])] {
        let mut bench = bench(Some(BOOTED), None);
        bench.source.0.lock().unwrap().max_downtime_ms = now;
        journal(&bench, plan(false), &[perform()]);
        assert_eq!(recover(&mut bench, AUTO).outcome, Outcome::Undone);
        assert_eq!(bench.source.calls(), calls);
    }
    let mut silent = bench(Some(BOOTED), None);
    silent.source.0.lock().unwrap().refuses = vec!["max_downtime"];
    journal(&silent, plan(false), &[perform()]);
    assert_eq!(recover(&mut silent, AUTO).outcome, Outcome::Undone);
    assert!(
        silent.said.iter().any(|line| line.contains("the limit of the pause is not as it was")),
        "{:?}",
        silent.said
    );
}

#[test]
fn row_15_a_split_is_suspended_and_each_decision_leaves_one_copy() {
    for (keep_which, kept_on_source) in [(Keep::Src, true), (Keep::Dst, false)] {
        let mut bench = bench(Some(CANCELED), Some(MIGRATED));
        journal(&bench, plan(false), &[perform(), Entry::Switched]);
        let unattended = recover(&mut bench, AUTO);
        assert_eq!((unattended.outcome, unattended.row), (Outcome::Undecided, "15"));
        assert_eq!(bench.source.calls(), ["suspend"]);
        for _ in 0..2 {
            let split = recover(&mut bench, ASKED);
            assert_eq!((split.outcome, split.row, split.closed), (Outcome::Undecided, "15", false));
            assert_eq!(bench.source.calls(), ["suspend"]);
            assert!(bench.destination.calls().is_empty());
        }
        let decided = recover(&mut bench, keep(keep_which));
        assert!(decided.closed, "{decided:?}");
        if kept_on_source {
            assert_eq!(bench.destination.calls(), ["destroy"]);
            assert_eq!(bench.source.calls(), ["suspend", "resume"]);
            assert_eq!(bench.source.state(), Some(Now::Running(RunReason::Unpaused)));
        } else {
            assert_eq!(bench.source.calls(), ["suspend", "destroy"]);
            assert_eq!((bench.source.state(), bench.destination.state()), (None, Some(MIGRATED)));
        }
    }
}

#[test]
fn row_15_a_decision_interrupted_halfway_is_carried_on() {
    let mut bench = bench(Some(Now::Paused(PauseReason::User)), None);
    let intent = |step| Entry::RecoverIntent { row: "15".into(), step };
    let entries = [
        perform(),
        Entry::Switched,
        intent(Step::SuspendSource),
        Entry::Decision { keep: Some(Keep::Src), source_is_dead: false, destination_is_dead: false },
        intent(Step::DestroyDestination),
    ];
    journal(&bench, plan(false), &entries);
    let recovered = recover(&mut bench, ASKED);
    assert!(recovered.closed, "{recovered:?}");
    assert_eq!(bench.source.calls(), ["resume"]);
}

#[test]
fn rows_11_and_12_the_source_is_resumed_only_with_proof_or_on_the_operators_word() {
    let ended = |bench: &mut Bench| bench.log = vec![format!("{}: shutting down, reason=failed", Timestamp(0))];
    let mut proved = bench(Some(HELD), None);
    ended(&mut proved);
    journal(&proved, plan(false), &[perform(), Entry::Switched]);
    assert_eq!(recover(&mut proved, AUTO).row, "11");
    assert!(proved.source.calls().is_empty());
    recover(&mut proved, ASKED);
    assert_eq!(proved.source.calls(), ["resume"]);

    let mut not_proved = bench(Some(HELD), None);
    journal(&not_proved, plan(false), &[perform(), Entry::Switched]);
    let asked = recover(&mut not_proved, ASKED);
    assert_eq!((asked.outcome, asked.row), (Outcome::Undecided, "12"));
    recover(&mut not_proved, keep(Keep::Dst));
    assert!(not_proved.source.calls().is_empty());
    recover(&mut not_proved, keep(Keep::None));
    assert_eq!(not_proved.source.calls(), ["destroy"]);
}

#[test]
fn row_13_a_left_over_process_is_watched_for_a_minute_first() {
    let mut left = bench(Some(CANCELED), Some(Now::Paused(PauseReason::StartingUp)));
    journal(&left, plan(false), &[perform()]);
    assert!(recover(&mut left, AUTO).closed);
    assert_eq!(left.destination.calls(), ["destroy"]);
    assert!(*left.pauses.borrow() > 30);

    let mut comes = bench(Some(CANCELED), Some(Now::Paused(PauseReason::StartingUp)));
    comes.meanwhile = Box::new(|pause, _, destination| {
        if pause > 5 {
            destination.0.lock().unwrap().state = Some(MIGRATED);
        }
    });
    journal(&comes, plan(false), &[perform()]);
    assert_eq!(recover(&mut comes, AUTO).row, "15");
    assert!(comes.destination.calls().is_empty());
}

#[test]
fn rows_7_and_8_a_migration_that_is_alive_is_followed_or_aborted_on_request() {
    let alive = |last: &[Entry]| {
        // The daemon of a destination refuses to give a job's numbers: that is how it says that one comes in.
        let mut bench = bench(Some(BOOTED), Some(HELD));
        bench.source.0.lock().unwrap().job = Some(5);
        bench.destination.0.lock().unwrap().job = Some(4);
        bench.meanwhile = Box::new(|pause, source, destination| {
            let mut source = source.0.lock().unwrap();
            if pause == 8 && source.job.is_some() {
                source.job = None;
                source.state = None;
                let mut destination = destination.0.lock().unwrap();
                destination.state = Some(MIGRATED);
                destination.job = None;
            }
        });
        journal(&bench, plan(false), last);
        bench
    };
    let mut followed = alive(&[perform()]);
    assert_eq!(recover(&mut followed, AUTO).outcome, Outcome::Fine);
    assert!(!names(&followed).contains(&"done"));
    assert!(recover(&mut followed, ASKED).closed);
    assert!(followed.source.calls().is_empty());

    let mut aborted = alive(&[perform()]);
    aborted.meanwhile = Box::new(|_, source, destination| {
        if source.calls().contains(&"abort".to_owned()) {
            destination.0.lock().unwrap().state = None;
        }
    });
    assert_eq!(recover(&mut aborted, Orders { abort: true, ..ASKED }).outcome, Outcome::Undone);
    assert_eq!(aborted.source.calls(), ["abort"]);

    let mut switching = alive(&[perform(), Entry::Switched]);
    switching.source.0.lock().unwrap().state = Some(HELD);
    assert!(recover(&mut switching, Orders { abort: true, ..ASKED }).closed);
    assert!(!switching.source.calls().contains(&"abort".to_owned()));
}

#[test]
fn rows_7a_and_8a_a_cancelled_migration_that_does_not_end_is_ended_once_qemu_says_so() {
    for (state, migration, row, told) in [
        (HELD, "cancelling", "8a", "go on cancelling"),
        (Now::Running(RunReason::Unpaused), "cancelled", "7a", "suspend"),
    ] {
        let mut bench = bench(Some(state), None);
        bench.log = vec![format!("{}: initiating migration", crate::journal::now().plus(500))];
        *bench.source.0.lock().unwrap() =
            Has { state: Some(state), job: Some(5), migration, devices: vec![VF[0].into()], ..Has::default() };
        journal(&bench, plan(false), &[perform(), Entry::Switched]);
        let recovered = recover(&mut bench, AUTO);
        assert_eq!((recovered.row, recovered.outcome, recovered.closed), ("14", Outcome::Undone, true), "{row}");
        assert_eq!(bench.source.calls(), [told]);
        assert!(bench.destination.calls().is_empty());
        assert_eq!(names(&bench)[3..], ["recover-intent", "verify", "undone"], "announced first");
    }
    // A switch-over that QEMU is at is left alone.
    let mut bench = bench(Some(HELD), None);
    *bench.source.0.lock().unwrap() = Has { state: Some(HELD), job: Some(5), migration: "device", ..Has::default() };
    journal(&bench, plan(false), &[perform(), Entry::Switched]);
    assert_eq!(recover(&mut bench, AUTO).row, "31");
    assert!(bench.source.calls().is_empty());
}

#[test]
fn silence_changes_nothing_until_the_operator_says_that_the_host_is_dead() {
    let mut bench = bench(Some(CANCELED), Some(MIGRATED));
    bench.destination.0.lock().unwrap().silent = true;
    journal(&bench, plan(false), &[perform()]);
    for orders in [AUTO, ASKED, keep(Keep::Src), Orders { source_is_dead: true, ..ASKED }] {
        let recovered = recover(&mut bench, orders);
        assert_eq!((recovered.row, recovered.outcome), ("17", Outcome::Unknown));
    }
    assert!(bench.source.calls().is_empty());
    assert!(!names(&bench).contains(&"decision"));
    let dead = recover(&mut bench, Orders { destination_is_dead: true, ..ASKED });
    assert_eq!((dead.outcome, dead.closed), (Outcome::Undone, true));
}

#[test]
fn row_19_the_proof_is_kept_for_the_day_the_source_is_known_to_be_dead() {
    let mut bench = bench(None, Some(MIGRATED));
    bench.source.0.lock().unwrap().silent = true;
    let returned = Entry::PerformReturned { error: None, vfio_bytes: Some(9) };
    journal(&bench, plan(true), &[perform(), Entry::Switched, returned]);
    let recovered = recover(&mut bench, ASKED);
    assert_eq!((recovered.row, recovered.outcome), ("19", Outcome::Undecided));
    assert_eq!(*names(&bench).last().unwrap(), "proof");
    bench.log = vec!["0000:c1:00.1: Resetting device".into()];
    let dead = recover(&mut bench, Orders { source_is_dead: true, ..ASKED });
    // The log of today says another thing; the verdict stands.
    assert_eq!((dead.outcome, dead.closed), (Outcome::Fine, true));
    assert!(bench.source.calls().is_empty());
}

#[test]
fn row_27_a_port_whose_device_is_taken_gets_another_of_its_network_or_is_named() {
    let element = |function: &str| {
        format!(
            "<interface type='hostdev'><source><address type='pci' domain='0x0000' bus='0xc1' slot='0x00' \
             function='0x{function}'/></source></interface>"
        )
    };
    for (taken, outcome, has) in [
        (vec![PORT[1]], Outcome::Fine, Some("0000:c1:00.7")),
        (vec![PORT[1], "0000:c1:00.7"], Outcome::Incomplete, None),
    ] {
        let mut bench = bench(None, Some(MIGRATED));
        bench.destination.0.lock().unwrap().taken = taken.iter().map(|device| (*device).to_owned()).collect();
        let Entry::UnplugRequested { port } = unplugged().remove(0) else { panic!() };
        let (planned, alternatives) = (Some(address(PORT[1])), vec![address("0000:c1:00.7")]);
        let port = Port { destination_xml: element("2"), planned, alternatives, ..port };
        let gone = Entry::Detached { source: port.source };
        let verdict = Entry::Verify { side: Side::Destination, verdict: Verdict::Verified };
        let returned = Entry::PerformReturned { error: None, vfio_bytes: Some(9) };
        let begun = [Entry::UnplugRequested { port }, gone, perform(), Entry::Switched, returned, verdict];
        journal(&bench, plan(false), &begun);
        let recovered = recover(&mut bench, AUTO);
        assert_eq!((recovered.outcome, recovered.row), (outcome, "27"), "{recovered:#?}");
        let calls: Vec<_> = has.iter().map(|device| format!("attach {device} Live")).collect();
        assert_eq!(bench.destination.calls(), calls);
        if has.is_some() {
            assert_eq!(
                names(&bench)[7..],
                ["attach-intent", "reclaim", "attach-intent", "attached", "cleanup", "done"]
            );
        } else {
            let said = format!(
                "vm runs on b, but it has no port in place of {0}, and the migration is not finished: port {0} could",
                PORT[0]
            );
            assert!(recovered.summary.starts_with(&said), "{recovered:#?}");
            assert_eq!((recovered.place, recovered.missing), (Some(Side::Destination), vec![address(PORT[0])]));
            // Once one is free again, a second run plugs it in.
            bench.destination.0.lock().unwrap().taken.clear();
            assert_eq!(recover(&mut bench, AUTO).outcome, Outcome::Fine);
        }
    }
}

#[test]
fn row_26_a_lost_state_stays_lost() {
    let mut bench = bench(None, Some(MIGRATED));
    bench.log = vec![format!("{}: x. Recover state is ERROR. Resetting device: y", VF[1])];
    journal(&bench, plan(false), &[perform(), Entry::Switched]);
    let recovered = recover(&mut bench, ASKED);
    assert_eq!((recovered.outcome, recovered.closed), (Outcome::Incomplete, true));
    assert_eq!(recovered.summary, "vm is on b, but the state of its devices is lost");
    let told = |line: &&String| line.contains("device state: lost") && line.contains("Resetting device");
    assert!(bench.said.iter().any(|line| told(&line)), "{:#?}", bench.said);
}

/// The verdict of the destination, as the journal keeps it.
fn judged(verdict: Verdict) -> Entry {
    Entry::Verify { side: Side::Destination, verdict }
}

fn lost() -> Verdict {
    Verdict::Lost { why: "x".into() }
}

#[test]
fn whatever_row_ends_it_the_last_line_and_the_exit_code_tell_what_is_lost() {
    let (not_proved, proved) = (Verdict::not_verified("x"), Verdict::Verified);
    let wanted = Plan { parameters: [("require_proof".to_owned(), true.into())].into(), ..plan(false) };
    let attached = Entry::Attached { source: address(PORT[0]), device: address(PORT[1]) };
    let no_port = format!("it has no port in place of {}", PORT[0]);
    let state = |what: &str| format!("the state of its devices is {what}");
    for (plan, verdict, more, outcome, parts) in [
        (plan(false), &proved, vec![attached.clone()], Outcome::Fine, String::new()),
        (plan(false), &not_proved, vec![attached.clone()], Outcome::Fine, format!(", but {}", state("not proved"))),
        (
            wanted.clone(),
            &not_proved,
            vec![attached.clone()],
            Outcome::Incomplete,
            format!(", but {}", state("not proved")),
        ),
        (plan(false), &lost(), vec![attached], Outcome::Incomplete, format!(", but {}", state("lost"))),
        (plan(false), &proved, Vec::new(), Outcome::Incomplete, format!(", but {no_port}")),
        (plan(false), &lost(), Vec::new(), Outcome::Incomplete, format!(", but {}, and {no_port}", state("lost"))),
    ] {
        let begun = || {
            let mut begun = unplugged();
            begun.extend([perform(), Entry::Switched, Entry::PerformReturned { error: None, vfio_bytes: Some(9) }]);
            begun
        };
        // Row 29: only left-overs are to be removed.
        let mut cleaning = bench(None, Some(MIGRATED));
        let mut entries = begun();
        entries.push(judged(verdict.clone()));
        entries.extend(more.clone());
        entries.push(Entry::Cleanup);
        journal(&cleaning, plan.clone(), &entries);
        let recovered = recover(&mut cleaning, AUTO);
        assert_eq!((recovered.row, recovered.closed), ("29", true));
        assert_eq!((recovered.outcome, recovered.summary), (outcome, format!("vm is on b{parts}")));
        let records = Store::at(cleaning.dir.path()).read("m-1").unwrap().records;
        let receipt = State::of(&records).unwrap().receipt.unwrap();
        assert_eq!(receipt.exit_code, outcome.code());
        assert_eq!(receipt.missing_ports.len(), usize::from(more.is_empty()));

        // Row 24: others have moved it on before anything was proved, which a proof of row 19 may have been.
        let mut moved_on = bench(None, Some(Now::ShutOff { migrated: true }));
        let mut entries = begun();
        entries.push(Entry::Proof { verdict: verdict.clone() });
        entries.extend(more.iter().cloned());
        // The phase is that of the perform still: a port that is in is only remembered.
        entries.push(Entry::PerformReturned { error: None, vfio_bytes: Some(9) });
        journal(&moved_on, plan, &entries);
        let recovered = recover(&mut moved_on, ASKED);
        assert_eq!((recovered.row, recovered.closed), ("24", true));
        assert_eq!((recovered.outcome, recovered.summary), (outcome, format!("vm was moved on by others{parts}")));
    }
}

#[test]
fn what_stays_open_is_told_with_the_place_and_the_losses() {
    let begun =
        [perform(), Entry::Switched, Entry::PerformReturned { error: None, vfio_bytes: Some(9) }, judged(lost())];
    // Unattended a lost state is left for the operator.
    let mut left = bench(None, Some(MIGRATED));
    journal(&left, plan(false), &begun);
    let recovered = recover(&mut left, AUTO);
    assert_eq!((recovered.row, recovered.outcome, recovered.closed), ("26", Outcome::Incomplete, false));
    assert_eq!(
        recovered.summary,
        "vm runs on b, but the state of its devices is lost, and the migration is not finished: it is \
         left for the operator"
    );
    // A destination that does not answer is no place, but what is known of the guest is not forgotten.
    left.destination.0.lock().unwrap().silent = true;
    let recovered = recover(&mut left, ASKED);
    assert_eq!((recovered.outcome, recovered.place), (Outcome::Undecided, None));
    assert_eq!(
        recovered.summary,
        "vm: the state of its devices is lost; a does not know the guest, and b does not answer: nothing was changed"
    );

    // Nobody says whether the port is in: it is not said to be missing.
    let mut silent = bench(None, Some(MIGRATED));
    silent.destination.0.lock().unwrap().refuses.push("attach");
    let mut entries = unplugged();
    entries.extend(begun);
    journal(&silent, plan(false), &entries);
    let recovered = recover(&mut silent, ASKED);
    assert_eq!((recovered.outcome, &recovered.missing), (Outcome::Incomplete, &Vec::new()));
    let said = format!(
        "vm runs on b, but the state of its devices is lost, and the migration is not finished: whether port {} is",
        PORT[0]
    );
    assert!(recovered.summary.starts_with(&said), "{}", recovered.summary);
}

#[test]
fn a_mark_that_stays_is_no_ignorance_of_the_place() {
    let mut bench = bench(None, Some(MIGRATED));
    bench.destination.0.lock().unwrap().refuses.push("metadata");
    let returned = Entry::PerformReturned { error: None, vfio_bytes: Some(9) };
    journal(&bench, plan(false), &[Entry::MarkIntent, perform(), Entry::Switched, returned]);
    let recovered = recover(&mut bench, AUTO);
    assert_eq!((recovered.outcome, recovered.closed), (Outcome::Incomplete, false));
    assert!(
        recovered
            .summary
            .starts_with("vm runs on b, but the migration is not finished: pvm's mark is still in the guest"),
        "{}",
        recovered.summary
    );
}

#[test]
fn row_22_only_a_complete_copy_is_started_on_the_destination() {
    let mut waiting = bench(None, Some(Now::Paused(PauseReason::StartingUp)));
    journal(&waiting, plan(false), &[perform(), Entry::Switched]);
    assert_eq!(recover(&mut waiting, keep(Keep::Dst)).outcome, Outcome::Undecided);
    assert!(waiting.destination.calls().is_empty());

    let mut complete = bench(None, Some(HELD));
    let returned = Entry::PerformReturned { error: Some("lost".into()), vfio_bytes: Some(9) };
    journal(&complete, plan(false), &[perform(), Entry::Switched, returned]);
    assert!(recover(&mut complete, keep(Keep::Dst)).closed);
    assert_eq!(complete.destination.calls(), ["resume"]);
}

#[test]
fn rows_3_and_6_before_libvirt_was_told_anything() {
    let mut untouched = bench(Some(BOOTED), None);
    journal(&untouched, plan(false), &[Entry::Claim { map: plan(false).map }]);
    assert_eq!(recover(&mut untouched, AUTO).outcome, Outcome::Fine);
    assert_eq!(names(&untouched), ["plan", "claim", "undone"]);

    let mut detached = bench(Some(BOOTED), None);
    journal(&detached, plan(false), &unplugged());
    assert_eq!(recover(&mut detached, AUTO).outcome, Outcome::Fine);
    assert_eq!(detached.source.calls(), [format!("attach {} Live", PORT[0])]);
}

#[test]
fn a_port_that_may_still_be_let_go_of_keeps_the_record_open() {
    let mut bench = bench(Some(BOOTED), None);
    let mut entries = unplugged();
    let Entry::UnplugRequested { port } = entries[0].clone() else { panic!() };
    let second = Port { source: address("0000:81:00.3"), source_xml: "0000:81:00.3".into(), ..port };
    entries.push(Entry::UnplugRequested { port: second });
    journal(&bench, plan(false), &entries);
    bench.source.0.lock().unwrap().devices.push("0000:81:00.3".into());
    let recovered = recover(&mut bench, AUTO);
    assert_eq!((recovered.outcome, recovered.closed, recovered.row), (Outcome::Incomplete, false, "6"));
    assert!(recovered.summary.contains("let go of port 0000:81:00.3"), "{recovered:?}");
    assert_eq!(recovered.missing, []);
    // It obeys.
    bench.source.0.lock().unwrap().devices.retain(|device| device != "0000:81:00.3");
    let recovered = recover(&mut bench, AUTO);
    assert_eq!((recovered.outcome, recovered.closed, recovered.row), (Outcome::Undone, true, "30"));
    let plugged = [PORT[0], "0000:81:00.3"].map(|port| format!("attach {port} Live"));
    assert_eq!(bench.source.calls(), plugged);
}

#[test]
fn row_30_a_port_that_lacks_only_its_record_is_not_missing() {
    let mut bench = bench(Some(BOOTED), None);
    let mut entries = unplugged();
    let step = Step::ReattachOnSource { source: address(PORT[0]) };
    entries.extend([perform(), Entry::UndoIntent { step }]);
    journal(&bench, plan(false), &entries);
    bench.source.0.lock().unwrap().devices.push(PORT[0].into());
    let recovered = recover(&mut bench, AUTO);
    assert_eq!((recovered.outcome, recovered.row, recovered.missing.len()), (Outcome::Undone, "30", 0));
    assert_eq!(recovered.summary, "vm runs on a, all is undone");
    assert!(bench.source.calls().is_empty());
}

#[test]
fn row_29_what_others_have_moved_on_is_theirs() {
    let mut bench = bench(Some(OFF), Some(Now::ShutOff { migrated: true }));
    bench.source.0.lock().unwrap().persistent = true;
    journal(&bench, Plan { autostart: true, ..plan(true) }, &[perform(), Entry::Switched, Entry::Cleanup]);
    let recovered = recover(&mut bench, AUTO);
    assert_eq!((recovered.outcome, recovered.closed, recovered.place), (Outcome::Fine, true, None));
    assert!(bench.source.calls().is_empty() && bench.destination.calls().is_empty());
    assert_eq!(receipt(&bench).runs_on, None);
}

#[test]
fn row_29_a_guest_that_is_switched_off_there_runs_nowhere() {
    let mut bench = bench(Some(OFF), Some(OFF));
    bench.source.0.lock().unwrap().persistent = true;
    journal(&bench, plan(true), &[perform(), Entry::Switched, Entry::Cleanup]);
    assert_eq!(recover(&mut bench, AUTO).summary, "vm is on b, switched off");
    assert_eq!(bench.source.calls(), ["undefine"]);
    assert_eq!(receipt(&bench).runs_on, None);
}

#[test]
fn row_29_a_source_that_falls_silent_may_still_have_its_definition() {
    let mut bench = bench(Some(OFF), Some(MIGRATED));
    bench.source.0.lock().unwrap().persistent = true;
    // After the two looks that agree.
    bench.source.0.lock().unwrap().silent_after = Some(2);
    journal(&bench, plan(true), &[perform(), Entry::Switched, Entry::Cleanup]);
    let recovered = recover(&mut bench, AUTO);
    assert_eq!((recovered.outcome, recovered.closed), (Outcome::Incomplete, false));
    assert!(recovered.summary.contains("its old definition may be there"), "{recovered:?}");
}

#[test]
fn row_12_a_guest_is_given_up_only_once_its_last_copy_is_gone() {
    let mut bench = bench(Some(HELD), None);
    journal(&bench, plan(false), &[perform(), Entry::Switched]);
    // The last look before the copy is destroyed meets a destination that does not answer, once.
    bench.destination.0.lock().unwrap().silent_after = Some(2);
    bench.meanwhile = Box::new(|pause, _, destination| {
        if pause == 2 {
            let mut host = destination.0.lock().unwrap();
            (host.silent, host.silent_after) = (false, None);
        }
    });
    let recovered = recover(&mut bench, keep(Keep::None));
    assert_eq!((recovered.outcome, recovered.closed), (Outcome::Incomplete, true));
    assert_eq!((bench.source.calls(), bench.source.state()), (vec!["destroy".to_owned()], None));
}

#[test]
fn row_5_a_guest_that_obeys_late_gets_its_port_back() {
    let mut bench = bench(Some(BOOTED), None);
    bench.source.0.lock().unwrap().devices.push(PORT[0].into());
    journal(&bench, plan(false), &unplugged()[..1]);
    let open = recover(&mut bench, ASKED);
    assert_eq!((open.outcome, open.row, open.closed), (Outcome::Incomplete, "5", false));
    bench.meanwhile = Box::new(|pause, source, _| {
        if pause == 40 {
            source.0.lock().unwrap().devices.retain(|device| device != PORT[0]);
        }
    });
    assert!(recover(&mut bench, ASKED).closed);
    assert_eq!(bench.source.calls(), [format!("attach {} Live", PORT[0])]);
}

#[test]
fn a_journal_that_cannot_be_written_stops_everything() {
    let mut bench = bench(Some(HELD), Some(MIGRATED));
    let mut held = journal(&bench, plan(false), &[perform(), Entry::Switched]);
    let parsed = Store::at(bench.dir.path()).read("m-1").unwrap();
    // A file opened for reading only: as a disk that has become read-only.
    #[expect(clippy::disallowed_methods, reason = "the test breaks the journal")]
    held.replace_file(std::fs::File::open(held.path()).unwrap());
    let state = State::of(&parsed.records).unwrap();
    let error = Recovery::new(&mut bench, &mut held, state, AUTO).run().unwrap_err();
    assert!(error.to_string().contains("m-1.ndjson"), "{error}");
    assert!(bench.source.calls().is_empty() && bench.destination.calls().is_empty());
}

#[test]
fn hosts_that_keep_changing_are_left_alone() {
    let mut bench = bench(Some(CANCELED), Some(MIGRATED));
    bench.meanwhile = Box::new(|pause, source, _| {
        source.0.lock().unwrap().state = Some(if pause % 2 == 0 { CANCELED } else { HELD });
    });
    journal(&bench, plan(false), &[perform(), Entry::Switched]);
    assert_eq!(recover(&mut bench, ASKED).outcome, Outcome::Unknown);
    assert!(bench.source.calls().is_empty());
}

#[test]
fn the_verdict_on_a_guest_without_devices_is_that_there_is_nothing_to_prove() {
    let mut bench = bench(None, Some(MIGRATED));
    bench.destination.0.lock().unwrap().devices.clear();
    journal(&bench, Plan { map: Vec::new(), ..plan(false) }, &[perform(), Entry::Switched]);
    assert_eq!(recover(&mut bench, AUTO).outcome, Outcome::Fine);
    let records = Store::at(bench.dir.path()).read("m-1").unwrap().records;
    let state = State::of(&records).unwrap();
    assert_eq!(state.verdict, Some(Verdict::NothingToProve));
}
