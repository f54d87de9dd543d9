//! Recovery against two scripted hosts: what it does, in which order, and what it leaves alone.

use super::bench::{
    ASKED, AUTO, BOOTED, Bench, HELD, MIGRATED, PORT, VF, address, bench, journal, keep, names, perform, plan, recover,
    unplugged,
};
use super::finish::finish;
use super::ground::Ground;
use super::orders::Orders;
use crate::journal::{Entry, Keep, Mark, PerformIntent, Plan, Port, Side, State, Step, Store};
use crate::libvirt::scripted::{CANCELED, Has, OFF};
use crate::libvirt::{PauseReason, RunReason, State as Now};
use crate::model::outcome::Outcome;
use crate::model::time::Timestamp;
use crate::proof::Verdict;

#[test]
fn row_9_a_guest_that_moved_is_proved_completed_and_cleaned_up_after() {
    let mut bench = bench(Some(OFF), Some(MIGRATED));
    bench.source.0.lock().unwrap().persistent = true;
    let mut entries = unplugged();
    entries.extend([
        perform(),
        Entry::Switched,
        Entry::PerformReturned { error: None, vfio_bytes: Some(9), peer_unreached: false },
    ]);
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
        silent.said.iter().any(|line| line.contains("the limit of the pause may not be as it was")),
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
fn a_host_whose_daemon_answers_is_not_dead_whatever_the_operator_says() {
    for (source, orders) in
        [(true, Orders { source_is_dead: true, ..ASKED }), (false, Orders { destination_is_dead: true, ..ASKED })]
    {
        let mut bench = bench(Some(CANCELED), Some(MIGRATED));
        // Only the guest's QEMU hangs there: it may run on.
        let hung = if source { &bench.source } else { &bench.destination };
        hung.0.lock().unwrap().hung = true;
        journal(&bench, plan(false), &[perform()]);
        let recovered = recover(&mut bench, orders);
        assert!(!recovered.closed && !names(&bench).contains(&"decision"), "{recovered:#?}");
        assert!(bench.source.calls().is_empty() && bench.destination.calls().is_empty());
        let said = bench.said.join("\n");
        assert!(said.contains("is not dead: its libvirt daemon answers, only not for the guest"), "{said}");
    }
}

#[test]
fn row_19_the_proof_is_kept_for_the_day_the_source_is_known_to_be_dead() {
    let mut bench = bench(None, Some(MIGRATED));
    bench.source.0.lock().unwrap().silent = true;
    let returned = Entry::PerformReturned { error: None, vfio_bytes: Some(9), peer_unreached: false };
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
        let returned = Entry::PerformReturned { error: None, vfio_bytes: Some(9), peer_unreached: false };
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
            assert!(recovered.receipt.summary.starts_with(&said), "{recovered:#?}");
            assert_eq!(
                (recovered.receipt.runs_on.as_deref(), recovered.receipt.missing_ports),
                (Some("b"), vec![address(PORT[0])])
            );
            // Once one is free again, a second run plugs it in.
            bench.destination.0.lock().unwrap().taken.clear();
            assert_eq!(recover(&mut bench, AUTO).outcome, Outcome::Fine);
        }
    }
}

#[test]
fn row_22_only_a_complete_copy_is_started_on_the_destination() {
    let mut waiting = bench(None, Some(Now::Paused(PauseReason::StartingUp)));
    journal(&waiting, plan(false), &[perform(), Entry::Switched]);
    assert_eq!(recover(&mut waiting, keep(Keep::Dst)).outcome, Outcome::Undecided);
    assert!(waiting.destination.calls().is_empty());

    let mut complete = bench(None, Some(HELD));
    let returned = Entry::PerformReturned { error: Some("lost".into()), vfio_bytes: Some(9), peer_unreached: false };
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
    let ending = finish(&mut Ground::new(&mut bench, &mut held, state), AUTO, None);
    assert_eq!((ending.outcome, ending.closed), (Outcome::Undecided, false));
    assert!(ending.receipt.summary.contains("m-1.ndjson"), "{ending:?}");
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

/// P5: the source's host crashed while libvirt migrated, came up and started the guest: the number fits, the lock does not.
#[test]
fn row_14a_a_guest_that_was_started_anew_is_told_as_such_and_not_as_undone() {
    let mut bench = bench(Some(BOOTED), None);
    let mut entries = vec![Entry::MarkIntent];
    entries.extend(unplugged());
    entries.push(perform());
    journal(&bench, plan(true), &entries);
    // The definition it was started from has the port that was unplugged from the run before.
    bench.source.0.lock().unwrap().devices.push(PORT[0].into());
    let recovered = recover(&mut bench, AUTO);
    assert_eq!((recovered.outcome, recovered.row, recovered.closed), (Outcome::Incomplete, "14a", true));
    assert!(
        recovered.receipt.summary.starts_with("vm runs on a, but was started anew"),
        "{}",
        recovered.receipt.summary
    );
    assert!(recovered.receipt.missing_ports.is_empty() && bench.source.calls().is_empty());
    assert!(bench.said.iter().any(|line| line.contains("it was started anew since")), "{:?}", bench.said);
}

fn with_lock(host: &crate::libvirt::scripted::Scripted) {
    host.0.lock().unwrap().mark = Some(Mark { id: "m-1".into(), ..Mark::default() }.element());
}

/// P3: the source's host lost power after the switch-over and started its old definition again.
#[test]
fn rows_15_two_copies_of_which_one_was_started_anew_are_one_after_a_decision() {
    for source_is_anew in [true, false] {
        for kept in [Keep::Src, Keep::Dst] {
            let mut bench = bench(Some(BOOTED), Some(if source_is_anew { MIGRATED } else { BOOTED }));
            with_lock(if source_is_anew { &bench.destination } else { &bench.source });
            journal(&bench, plan(true), &[Entry::MarkIntent, perform(), Entry::Switched]);
            let unattended = recover(&mut bench, AUTO);
            assert_eq!((unattended.outcome, unattended.closed), (Outcome::Undecided, false));
            assert_eq!(unattended.row, if source_is_anew { "15" } else { "15b" });
            let calls = [bench.source.calls(), bench.destination.calls()];
            let suspended = [vec!["suspend".to_owned()], Vec::new()];
            assert_eq!(calls, if source_is_anew { suspended } else { [Vec::new(), vec!["suspend".to_owned()]] });
            let decided = recover(&mut bench, keep(kept));
            assert!(decided.closed, "{source_is_anew} {kept:?}: {decided:?}");
            let runs = |host: &crate::libvirt::scripted::Scripted| matches!(host.state(), Some(Now::Running(_)));
            assert_eq!([runs(&bench.source), runs(&bench.destination)], [kept == Keep::Src, kept == Keep::Dst]);
            // Only the run that was being migrated has kept what it held.
            let kept_is_anew = (kept == Keep::Src) == source_is_anew;
            assert_eq!(decided.receipt.summary.contains("started anew"), kept_is_anew, "{decided:?}");
        }
    }
}

#[test]
fn row_23c_a_guest_that_is_switched_off_where_it_was_is_closed_and_starts_with_its_host_again() {
    let Entry::PerformIntent(intent) = perform() else { unreachable!() };
    let told = Entry::PerformIntent(PerformIntent { autostart_off: true, ..intent });
    let mut bench = bench(Some(OFF), None);
    {
        let mut source = bench.source.0.lock().unwrap();
        (source.persistent, source.devices) = (true, vec![VF[0].into(), PORT[0].into()]);
    }
    journal(&bench, plan(true), &[unplugged(), vec![told.clone()]].concat());
    let recovered = recover(&mut bench, AUTO);
    assert_eq!((recovered.row, recovered.outcome, recovered.closed), ("23c", Outcome::Incomplete, true));
    assert_eq!(recovered.receipt.summary, "vm did not move and is switched off on a");
    assert_eq!(bench.source.calls(), ["autostart true"]);

    // With a definition on the destination, too, nothing shows where it ran last: neither is removed.
    let mut both = super::bench::bench(Some(OFF), Some(OFF));
    for host in [&both.source, &both.destination] {
        host.0.lock().unwrap().persistent = true;
    }
    journal(&both, plan(true), &[told]);
    let recovered = recover(&mut both, AUTO);
    assert_eq!((recovered.row, recovered.outcome, recovered.closed), ("23b", Outcome::Undecided, false));
    assert!(both.source.calls().is_empty() && both.destination.calls().is_empty());
    let kept = recover(&mut both, keep(Keep::Src));
    assert_eq!(
        (kept.outcome, kept.closed, both.source.calls()),
        (Outcome::Incomplete, true, vec!["autostart true".into()])
    );
}
