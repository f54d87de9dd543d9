//! How recovery ends: what is closed, what stays open, and what the last line says of the guest.

use super::bench::{
    ASKED, AUTO, BOOTED, HELD, MIGRATED, PORT, VF, address, bench, journal, keep, names, perform, plan, receipt,
    recover, unplugged,
};
use super::look::definition;
use crate::journal::{Entry, Keep, Mark, PerformIntent, Plan, Port, Side, State, Step, Store};
use crate::libvirt::State as Now;
use crate::libvirt::scripted::OFF;
use crate::model::options::Options;
use crate::model::outcome::Outcome;
use crate::proof::Verdict;

#[test]
fn row_29_the_last_definition_is_never_removed() {
    let mut bench = bench(Some(OFF), None);
    bench.source.0.lock().unwrap().persistent = true;
    journal(&bench, plan(true), &[perform(), Entry::Switched, Entry::Cleanup]);
    let recovered = recover(&mut bench, AUTO);
    assert_eq!((recovered.row, recovered.outcome, recovered.receipt.runs_on.as_deref()), ("29", Outcome::Fine, None));
    assert_eq!(recovered.receipt.summary, "the move is over, but b does not have vm any more");
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
        (Some(BOOTED), "nothing had been touched, vm is where it was", Some("a")),
        (Some(OFF), "nothing had been touched, vm does not run on a any more", None),
        (None, "nothing had been touched, vm does not run on a any more", None),
    ] {
        let mut bench = bench(now, None);
        journal(&bench, plan(false), &[Entry::Claim { map: plan(false).map }]);
        let recovered = recover(&mut bench, AUTO);
        assert_eq!(
            (recovered.receipt.summary.as_str(), recovered.receipt.runs_on.as_deref(), recovered.outcome),
            (words, place, Outcome::Fine)
        );
        assert_eq!(names(&bench).last(), Some(&"undone"));
    }
}

#[test]
fn row_26_a_lost_state_stays_lost() {
    let mut bench = bench(None, Some(MIGRATED));
    bench.log = vec![format!("{}: x. Recover state is ERROR. Resetting device: y", VF[1])];
    journal(&bench, plan(false), &[perform(), Entry::Switched]);
    let recovered = recover(&mut bench, ASKED);
    assert_eq!((recovered.outcome, recovered.closed), (Outcome::Incomplete, true));
    assert_eq!(recovered.receipt.summary, "vm runs on b, but the state of its devices is lost");
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
    let wanted = Plan { parameters: Options { require_proof: true, ..Options::default() }, ..plan(false) };
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
            begun.extend([
                perform(),
                Entry::Switched,
                Entry::PerformReturned { error: None, vfio_bytes: Some(9), peer_unreached: false },
            ]);
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
        assert_eq!((recovered.outcome, recovered.receipt.summary), (outcome, format!("vm runs on b{parts}")));
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
        entries.push(Entry::PerformReturned { error: None, vfio_bytes: Some(9), peer_unreached: false });
        journal(&moved_on, plan, &entries);
        let recovered = recover(&mut moved_on, ASKED);
        assert_eq!((recovered.row, recovered.closed), ("24", true));
        assert_eq!(
            (recovered.outcome, recovered.receipt.summary),
            (outcome, format!("vm was moved on by others{parts}"))
        );
    }
}

#[test]
fn what_stays_open_is_told_with_the_place_and_the_losses() {
    let begun = [
        perform(),
        Entry::Switched,
        Entry::PerformReturned { error: None, vfio_bytes: Some(9), peer_unreached: false },
        judged(lost()),
    ];
    // Unattended a lost state needs the operator's decision.
    let mut left = bench(None, Some(MIGRATED));
    journal(&left, plan(false), &begun);
    let recovered = recover(&mut left, AUTO);
    assert_eq!((recovered.row, recovered.outcome, recovered.closed), ("26", Outcome::Incomplete, false));
    assert_eq!(
        recovered.receipt.summary,
        "vm runs on b, but the state of its devices is lost, and the migration is not finished: it \
         needs your decision"
    );
    // A destination that does not answer is no place, but what is known of the guest is not forgotten.
    left.destination.0.lock().unwrap().silent = true;
    let recovered = recover(&mut left, ASKED);
    assert_eq!((recovered.outcome, recovered.receipt.runs_on.as_deref()), (Outcome::Undecided, None));
    assert_eq!(
        recovered.receipt.summary,
        "vm: the state of its devices is lost; a does not know the guest, and b does not answer: nothing was changed"
    );

    // Nobody says whether the port is in: it is not said to be missing.
    let mut silent = bench(None, Some(MIGRATED));
    silent.destination.0.lock().unwrap().refuses.push("attach");
    let mut entries = unplugged();
    entries.extend(begun);
    journal(&silent, plan(false), &entries);
    let recovered = recover(&mut silent, ASKED);
    assert_eq!((recovered.outcome, &recovered.receipt.missing_ports), (Outcome::Incomplete, &Vec::new()));
    let said = format!(
        "vm runs on b, but the state of its devices is lost, and the migration is not finished: whether port {} is",
        PORT[0]
    );
    assert!(recovered.receipt.summary.starts_with(&said), "{}", recovered.receipt.summary);
}

#[test]
fn a_mark_that_stays_is_no_ignorance_of_the_place() {
    let mut bench = bench(None, Some(MIGRATED));
    {
        let mut destination = bench.destination.0.lock().unwrap();
        let mark = Mark { id: "m-1".into(), ..Mark::default() };
        destination.mark = Some(mark.element());
        destination.refuses.push("set_metadata");
    }
    let returned = Entry::PerformReturned { error: None, vfio_bytes: Some(9), peer_unreached: false };
    journal(&bench, plan(false), &[Entry::MarkIntent, perform(), Entry::Switched, returned]);
    let recovered = recover(&mut bench, AUTO);
    assert_eq!((recovered.outcome, recovered.closed), (Outcome::Incomplete, false));
    assert!(
        recovered
            .receipt
            .summary
            .starts_with("vm runs on b, but the migration is not finished: pvm's migration lock is still in the guest"),
        "{}",
        recovered.receipt.summary
    );
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
    assert!(recovered.receipt.summary.contains("let go of port 0000:81:00.3"), "{recovered:?}");
    assert_eq!(recovered.receipt.missing_ports, []);
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
    assert_eq!((recovered.outcome, recovered.row, recovered.receipt.missing_ports.len()), (Outcome::Undone, "30", 0));
    assert_eq!(recovered.receipt.summary, "vm stays on a, all was undone");
    assert!(bench.source.calls().is_empty());
}

#[test]
fn row_29_what_others_have_moved_on_is_theirs() {
    let mut bench = bench(Some(OFF), Some(Now::ShutOff { migrated: true }));
    bench.source.0.lock().unwrap().persistent = true;
    journal(&bench, Plan { autostart: true, ..plan(true) }, &[perform(), Entry::Switched, Entry::Cleanup]);
    let recovered = recover(&mut bench, AUTO);
    assert_eq!(
        (recovered.outcome, recovered.closed, recovered.receipt.runs_on.as_deref()),
        (Outcome::Fine, true, None)
    );
    assert!(bench.source.calls().is_empty() && bench.destination.calls().is_empty());
    assert_eq!(receipt(&bench).runs_on, None);
}

#[test]
fn row_29_a_guest_that_is_switched_off_there_runs_nowhere() {
    let mut bench = bench(Some(OFF), Some(OFF));
    bench.source.0.lock().unwrap().persistent = true;
    journal(&bench, plan(true), &[perform(), Entry::Switched, Entry::Cleanup]);
    assert_eq!(recover(&mut bench, AUTO).receipt.summary, "vm is on b, switched off");
    assert_eq!(bench.source.calls(), ["undefine"]);
    assert_eq!(receipt(&bench).runs_on, None);
}

/// S5: somebody who defines the guest on the source again while the record is open means it.
#[test]
fn row_29_a_definition_made_anew_is_left() {
    for (is_same, calls) in [(true, &["undefine"][..]), (false, &[])] {
        let mut bench = bench(Some(OFF), Some(MIGRATED));
        bench.source.0.lock().unwrap().persistent = true;
        let recorded = definition(&bench.source, "u").unwrap();
        let Entry::PerformIntent(intent) = perform() else { panic!() };
        let intent = Entry::PerformIntent(PerformIntent { definition: Some(recorded), ..intent });
        journal(&bench, plan(true), &[intent, Entry::Switched, Entry::Cleanup]);
        if !is_same {
            bench.source.0.lock().unwrap().devices.push("0000:81:00.1".into());
        }
        let recovered = recover(&mut bench, AUTO);
        assert_eq!((recovered.outcome, recovered.closed), (Outcome::Fine, true));
        assert_eq!(bench.source.calls(), calls);
        assert_eq!(bench.said.iter().any(|line| line.contains("defined anew on a")), !is_same, "{:?}", bench.said);
    }
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
    assert!(recovered.receipt.summary.contains("its old definition may be there"), "{recovered:?}");
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
fn the_verdict_on_a_guest_without_devices_is_that_there_is_nothing_to_prove() {
    let mut bench = bench(None, Some(MIGRATED));
    bench.destination.0.lock().unwrap().devices.clear();
    journal(&bench, Plan { map: Vec::new(), ..plan(false) }, &[perform(), Entry::Switched]);
    assert_eq!(recover(&mut bench, AUTO).outcome, Outcome::Fine);
    let records = Store::at(bench.dir.path()).read("m-1").unwrap().records;
    let state = State::of(&records).unwrap();
    assert_eq!(state.verdict, Some(Verdict::NothingToProve));
}
