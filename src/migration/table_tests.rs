//! The table, row by row and as a whole.

use Answer::{
    Absent, Incoming, Off, OffMigrated, OffOther, PausedByPvm, PausedMigration, PausedOther, RunMigrated, RunOther,
    RunUnchanged, StartedAnew, Unreachable,
};

use super::action::{Action, Changes, Exit};
use super::answer::{Answer, Job};
use super::cancel::Halted;
use super::situation::{Situation, decide};
use super::table::TABLE;
use crate::journal::{Keep, Last};
use crate::model::outcome::Outcome;

fn at(last: Last, source: Answer, destination: Answer, job: Job) -> Situation {
    Situation {
        trouble: false,
        last,
        source,
        destination,
        job,
        ports_there: false,
        never_ran: false,
        halted: None,
        keep: None,
        identified: true,
    }
}

/// Row, action, exit and whether it is AUTO.
fn answer(situation: Situation) -> (&'static str, Action, Exit, bool) {
    let decision = decide(situation);
    (decision.row.number, decision.action, decision.exit, decision.auto)
}

const fn ends(outcome: Outcome) -> Exit {
    Exit::Ends(outcome)
}

/// Every situation the table can be asked.
fn all() -> impl Iterator<Item = Situation> {
    Last::ALL.iter().flat_map(|last| {
        Answer::ALL.iter().flat_map(move |source| {
            Answer::ALL.iter().flat_map(move |destination| {
                Job::ALL.iter().flat_map(move |job| {
                    (0..12).flat_map(move |bits| {
                        [None, Some(Keep::Src), Some(Keep::Dst), Some(Keep::None)].into_iter().map(move |keep| {
                            Situation {
                                ports_there: bits & 1 != 0,
                                never_ran: bits & 2 != 0,
                                halted: [None, Some(Halted::Qemu), Some(Halted::Daemon)][bits / 4],
                                keep,
                                ..at(*last, *source, *destination, *job)
                            }
                        })
                    })
                })
            })
        })
    })
}

#[test]
fn rows_0b_to_4_before_anything_was_touched() {
    let trouble = Situation { trouble: true, ..at(Last::Switched, RunUnchanged, RunMigrated, Job::None) };
    assert_eq!(answer(trouble), ("0b", Action::Show, ends(Outcome::Incomplete), false));
    for last in [Last::Done, Last::Undone] {
        let over = at(last, Unreachable, RunMigrated, Job::Unknown);
        assert_eq!(answer(over), ("1", Action::Nothing, ends(Outcome::Fine), false));
    }
    for last in [Last::UnplugRequested, Last::Switched, Last::Verify, Last::Cleanup, Last::Undo] {
        let silent = at(last, Unreachable, Unreachable, Job::Unknown);
        assert_eq!(answer(silent), ("2", Action::Nothing, ends(Outcome::Unknown), false));
    }
    for last in [Last::Plan, Last::Claim, Last::Recheck] {
        let untouched = at(last, Unreachable, Unreachable, Job::Unknown);
        assert_eq!(answer(untouched), ("3", Action::ReleaseClaims, ends(Outcome::Fine), true));
        let others = at(last, RunUnchanged, Incoming, Job::Out);
        assert_eq!(answer(others), ("4", Action::ReleaseClaims, ends(Outcome::Fine), false));
    }
}

#[test]
fn rows_5_and_6_while_a_port_is_unplugged() {
    let there = Situation { ports_there: true, ..at(Last::UnplugRequested, RunUnchanged, Absent, Job::None) };
    assert_eq!(answer(there), ("5", Action::WaitForUnplug, ends(Outcome::Incomplete), false));
    let gone = Situation { ports_there: false, ..there };
    assert_eq!(answer(gone), ("6", Action::ReattachOnSource, ends(Outcome::Fine), true));
    let detached = Situation { last: Last::Detached, ..there };
    assert_eq!(answer(detached), ("6", Action::ReattachOnSource, ends(Outcome::Fine), true));
    let silent = Situation { destination: Unreachable, ..gone };
    assert_eq!(answer(silent).0, "17");
    let running = Situation { destination: RunMigrated, ..gone };
    assert_eq!(answer(running).0, "15");
    let anew = Situation { source: StartedAnew, ..gone };
    assert_eq!(answer(anew), ("14a", Action::CloseStartedAnew, ends(Outcome::Incomplete), true));
}

#[test]
fn rows_7_and_8_while_libvirt_is_at_it() {
    let alive = at(Last::PerformIntent, RunUnchanged, Incoming, Job::Out);
    assert_eq!(answer(alive), ("7", Action::Follow, Exit::Again, true));
    let switching = at(Last::Switched, PausedMigration, Incoming, Job::Out);
    assert_eq!(answer(switching), ("8", Action::WaitForSwitchover, Exit::Again, true));
}

#[test]
fn rows_7a_and_8a_a_cancel_that_met_the_switch_over() {
    for last in [Last::PerformIntent, Last::Switched] {
        let running = Situation { halted: Some(Halted::Daemon), ..at(last, RunUnchanged, Absent, Job::Out) };
        assert_eq!(answer(running), ("7a", Action::EndCancelled, Exit::Again, true));
        let paused = Situation { halted: Some(Halted::Qemu), ..at(last, PausedMigration, Absent, Job::Out) };
        assert_eq!(answer(paused), ("8a", Action::EndCancelled, Exit::Again, true));
        // QEMU did not say so: nothing is touched.
        assert_eq!(answer(Situation { halted: None, ..paused }).0, "31");
        assert_ne!(answer(Situation { destination: Incoming, ..paused }).1, Action::EndCancelled);
        assert_ne!(answer(Situation { destination: Unreachable, ..running }).1, Action::EndCancelled);
    }
}

const PERFORMING: [Last; 4] = [Last::PerformIntent, Last::Switched, Last::Returned, Last::Failed];

#[test]
fn rows_9_and_10_the_guest_has_moved() {
    for last in PERFORMING {
        for source in [Absent, OffMigrated, Off] {
            let moved = at(last, source, RunMigrated, Job::None);
            assert_eq!(answer(moved), ("9", Action::Finish, Exit::FineUnlessMissing, true));
        }
        let stale = at(last, PausedMigration, RunMigrated, Job::None);
        assert_eq!(answer(stale), ("10", Action::DestroySourceAndFinish, Exit::FineUnlessMissing, true));
    }
}

#[test]
fn rows_11_and_12_the_source_stands_paused_and_alone() {
    for last in PERFORMING {
        let paused = at(last, PausedMigration, Absent, Job::None);
        let proved = Situation { never_ran: true, ..paused };
        assert_eq!(answer(proved), ("11", Action::ResumeSource, Exit::UndoneUnlessLost, false));
        for destination in [Absent, Off, OffMigrated] {
            let not_proved = Situation { destination, ..paused };
            assert_eq!(answer(not_proved), ("12", Action::Nothing, ends(Outcome::Undecided), false));
            let kept = Situation { keep: Some(Keep::Src), ..not_proved };
            assert_eq!(answer(kept), ("12", Action::ResumeSource, Exit::UndoneUnlessLost, false));
            let given_up = Situation { keep: Some(Keep::None), ..not_proved };
            assert_eq!(answer(given_up), ("12", Action::GiveUp, ends(Outcome::Incomplete), false));
            let useless = Situation { keep: Some(Keep::Dst), ..not_proved };
            assert_eq!(answer(useless).1, Action::Nothing);
        }
        // What pvm itself suspended because the destination ran is never shown to have not run there.
        let split = Situation { source: PausedByPvm, ..proved };
        assert_eq!(answer(split).0, "12");
    }
}

#[test]
fn rows_13_and_14_the_source_runs_on() {
    for last in PERFORMING {
        let left_over = at(last, RunUnchanged, Incoming, Job::None);
        assert_eq!(answer(left_over), ("13", Action::DestroyIncoming, Exit::Again, true));
    }
    for last in [Last::PerformIntent, Last::Switched, Last::Failed] {
        for destination in [Absent, Off] {
            let failed = at(last, RunUnchanged, destination, Job::None);
            assert_eq!(answer(failed), ("14", Action::Undo, Exit::UndoneUnlessLost, true));
        }
    }
    // libvirt reported success: that the source runs is then nobody's clean failure.
    assert_eq!(answer(at(Last::Returned, RunUnchanged, Absent, Job::None)).0, "31");
}

#[test]
fn rows_15_both_have_it_and_one_runs_or_both() {
    for last in PERFORMING {
        for (number, source, destination) in [
            ("15", RunUnchanged, RunMigrated),
            ("15", PausedByPvm, RunMigrated),
            // P3: the source's host lost power after the switch-over and started its definition again.
            ("15", StartedAnew, RunMigrated),
            ("15a", RunUnchanged, RunOther),
            ("15d", StartedAnew, StartedAnew),
            ("15d", PausedByPvm, StartedAnew),
        ] {
            let split = at(last, source, destination, Job::None);
            assert_eq!(answer(split), (number, Action::SuspendSource, ends(Outcome::Undecided), true));
            let keep = |keep| answer(Situation { keep: Some(keep), ..split });
            assert_eq!(keep(Keep::Dst), (number, Action::DestroySourceAndFinish, Exit::FineUnlessMissing, false));
            let kept = (number, Action::DestroyDestinationAndKeepSource, Exit::UndoneUnlessLost, false);
            assert_eq!(keep(Keep::Src), kept);
            assert_eq!(keep(Keep::None).1, Action::SuspendSource);
        }
        for (number, source, destination) in
            [("15b", RunUnchanged, StartedAnew), ("15b", RunUnchanged, PausedByPvm), ("15c", StartedAnew, PausedByPvm)]
        {
            let split = at(last, source, destination, Job::None);
            assert_eq!(answer(split), (number, Action::SuspendDestination, ends(Outcome::Undecided), true));
            let keep = |keep| answer(Situation { keep: Some(keep), ..split }).1;
            assert_eq!(keep(Keep::Dst), Action::KeepDestination);
            assert_eq!(keep(Keep::Src), Action::DestroyDestinationAndKeepSource);
        }
    }
}

/// The table is complete in the sense that matters: whatever either host says of why it runs the guest, at whatever point
/// of an open migration, with or without a job, whoever wrote the journal.
#[test]
fn two_copies_that_run_always_have_a_row_that_suspends_exactly_one_and_a_decision_that_can_be_given() {
    let mut pairs = std::collections::BTreeSet::new();
    for situation in all().filter(|s| s.source.runs() && s.destination.runs()) {
        if matches!(situation.last, Last::Done | Last::Undone) {
            continue;
        }
        pairs.insert((situation.source.words(), situation.destination.words()));
        for identified in [true, false] {
            let asked = Situation { identified, keep: None, ..situation };
            let decision = decide(asked);
            let changes = decision.action.changes();
            assert!(decision.auto, "{asked:?}: row {}", decision.row.number);
            assert!(changes.suspends_source != changes.suspends_destination, "{asked:?}: row {}", decision.row.number);
            // By what evidence: the copy that was started anew, else the source's.
            let anew = (situation.source == StartedAnew, situation.destination == StartedAnew);
            assert_eq!(changes.suspends_destination, anew == (false, true), "{asked:?}");
            let kept = |keep| decide(Situation { keep: Some(keep), ..asked }).action.changes();
            let (source, destination) = (kept(Keep::Src), kept(Keep::Dst));
            assert!(source.destroys_destination && !source.destroys_source, "{asked:?}");
            assert!(destination.destroys_source && !destination.destroys_destination, "{asked:?}");
        }
    }
    assert_eq!(pairs.len(), 16, "every pair");
}

#[test]
fn rows_16_to_21_somebody_else_acted_or_does_not_answer() {
    let undecided = ends(Outcome::Undecided);
    for last in PERFORMING {
        for destination in [RunOther, StartedAnew] {
            let other = at(last, Off, destination, Job::None);
            assert_eq!(answer(other), ("16", Action::Nothing, undecided, false));
            let kept = answer(Situation { keep: Some(Keep::Dst), ..other });
            assert_eq!(kept, ("16", Action::CloseStartedAnew, ends(Outcome::Incomplete), false));
            let silent = at(last, Unreachable, destination, Job::Unknown);
            assert_eq!(answer(silent), ("16a", Action::Nothing, undecided, false));
        }
        let suspended = at(last, Off, PausedByPvm, Job::None);
        assert_eq!(answer(Situation { keep: Some(Keep::Dst), ..suspended }).1, Action::KeepDestination);
        let anew = at(last, StartedAnew, Absent, Job::None);
        assert_eq!(answer(anew), ("14a", Action::CloseStartedAnew, ends(Outcome::Incomplete), true));
        let silent = Situation { destination: Unreachable, ..anew };
        assert_eq!(answer(silent), ("17", Action::Nothing, ends(Outcome::Unknown), false));
        let deaf = at(last, RunUnchanged, Unreachable, Job::None);
        assert_eq!(answer(deaf), ("17", Action::Nothing, ends(Outcome::Unknown), false));
        let paused = at(last, PausedMigration, Unreachable, Job::Out);
        assert_eq!(answer(paused), ("18", Action::Nothing, undecided, false));
        let arrived = at(last, Unreachable, RunMigrated, Job::Unknown);
        assert_eq!(answer(arrived), ("19", Action::RecordProof, undecided, false));
        for destination in [Incoming, Absent, Off] {
            let nobody = at(last, Unreachable, destination, Job::Unknown);
            assert_eq!(answer(nobody), ("20", Action::Nothing, ends(Outcome::Unknown), false));
        }
        for destination in [Absent, Unreachable] {
            let own_reason = at(last, PausedOther, destination, Job::None);
            assert_eq!(answer(own_reason), ("21", Action::Nothing, undecided, false));
        }
    }
}

#[test]
fn rows_22_to_25_the_source_has_let_go() {
    for last in PERFORMING {
        for destination in [PausedMigration, Incoming] {
            let waiting = at(last, Absent, destination, Job::None);
            assert_eq!(answer(waiting), ("22", Action::Nothing, ends(Outcome::Undecided), false));
            let kept = Situation { keep: Some(Keep::Dst), ..waiting };
            assert_eq!(answer(kept), ("22", Action::ResumeDestination, Exit::FineUnlessMissing, false));
        }
        let off = at(last, OffMigrated, Off, Job::None);
        assert_eq!(answer(off), ("23", Action::AttachInDefinition, ends(Outcome::Fine), true));
        // An old definition on the destination is no sign of a move while the source has its own.
        let both = Situation { source: Off, ..off };
        if last == Last::Returned {
            assert_eq!(answer(both), ("23a", Action::AttachInDefinition, ends(Outcome::Fine), true));
        } else {
            assert_eq!(answer(both), ("23b", Action::Nothing, ends(Outcome::Undecided), false));
            let keep = |keep| answer(Situation { keep: Some(keep), ..both });
            assert_eq!(keep(Keep::Src), ("23b", Action::CloseOff, ends(Outcome::Incomplete), false));
            assert_eq!(keep(Keep::Dst), ("23b", Action::AttachInDefinition, Exit::FineUnlessMissing, false));
            let alone = Situation { destination: Absent, ..both };
            assert_eq!(answer(alone), ("23c", Action::CloseOff, ends(Outcome::Incomplete), true));
        }
        let moved_on = at(last, Absent, OffMigrated, Job::None);
        assert_eq!(answer(moved_on), ("24", Action::Close, ends(Outcome::Fine), false));
        let nowhere = at(last, Absent, Absent, Job::None);
        assert_eq!(answer(nowhere), ("25", Action::ShowXml, ends(Outcome::Undecided), false));
    }
}

#[test]
fn rows_26_to_31_after_the_proof() {
    let lost = at(Last::VerifyLost, Absent, RunMigrated, Job::None);
    assert_eq!(answer(lost), ("26", Action::Attach, ends(Outcome::Incomplete), false));
    for last in [Last::Verify, Last::AttachIntent, Last::Attached] {
        let attaching = at(last, OffMigrated, RunMigrated, Job::None);
        assert_eq!(answer(attaching), ("27", Action::Attach, Exit::FineUnlessMissing, true));
        for destination in [Off, OffOther] {
            let off = Situation { destination, ..attaching };
            assert_eq!(answer(off), ("28", Action::AttachInDefinition, ends(Outcome::Fine), true));
        }
    }
    let cleaning = at(Last::Cleanup, Absent, RunMigrated, Job::None);
    assert_eq!(answer(cleaning), ("29", Action::CleanUp, ends(Outcome::Fine), true));
    assert_eq!(answer(Situation { destination: Unreachable, ..cleaning }).0, "31");
    let undoing = at(Last::Undo, RunUnchanged, Absent, Job::None);
    assert_eq!(answer(undoing), ("30", Action::Undo, Exit::UndoneUnlessLost, true));
    let strange = at(Last::Undo, RunMigrated, RunMigrated, Job::None);
    assert_eq!(answer(strange), ("15", Action::SuspendSource, ends(Outcome::Undecided), true));
    let other = at(Last::Undo, PausedOther, Absent, Job::None);
    assert_eq!(answer(other), ("31", Action::Show, ends(Outcome::Undecided), false));
}

#[test]
fn every_row_is_taken_somewhere_and_has_words_and_a_number_of_its_own() {
    let mut taken: Vec<&str> = all().map(|s| decide(s).row.number).collect();
    taken.push(decide(Situation { trouble: true, ..at(Last::Plan, Absent, Absent, Job::None) }).row.number);
    taken.sort_unstable();
    taken.dedup();
    let mut numbers: Vec<&str> = TABLE.iter().map(|row| row.number).collect();
    numbers.sort_unstable();
    assert_eq!(taken, numbers);
    assert!(TABLE.iter().all(|row| row.words.ends_with('.')));
}

/// The one thing that must never happen: acting on a host because another was silent.
#[test]
fn a_host_that_does_not_answer_never_leads_to_a_change_of_a_host() {
    for situation in all().filter(|s| s.source == Unreachable || s.destination == Unreachable) {
        let decision = decide(situation);
        assert_eq!(decision.action.changes(), Changes::default(), "{situation:?}: row {}", decision.row.number);
        let outcome = match decision.exit {
            Exit::Ends(outcome) => outcome,
            other => panic!("{situation:?}: {other:?}"),
        };
        let over = matches!(situation.last, Last::Plan | Last::Claim | Last::Recheck | Last::Done | Last::Undone);
        assert!(over || matches!(outcome, Outcome::Unknown | Outcome::Undecided), "{situation:?}");
    }
}

#[test]
fn with_nobody_there_only_stale_copies_that_do_not_run_are_destroyed_and_nothing_is_resumed() {
    for situation in all() {
        let decision = decide(situation);
        if !decision.auto {
            continue;
        }
        let changes = decision.action.changes();
        assert!(!changes.resumes_source && !changes.resumes_destination, "{situation:?}");
        if changes.suspends_source {
            assert!(situation.source.runs() || situation.source == PausedByPvm, "{situation:?}");
            assert!(situation.destination.runs(), "{situation:?}");
        }
        if changes.suspends_destination {
            assert!(situation.destination.runs() || situation.destination == PausedByPvm, "{situation:?}");
            assert!(situation.source.runs(), "{situation:?}");
        }
        if changes.destroys_source {
            assert_eq!((situation.source, situation.destination), (PausedMigration, RunMigrated), "{situation:?}");
        }
        if changes.destroys_destination {
            assert_eq!((situation.source, situation.destination), (RunUnchanged, Incoming), "{situation:?}");
        }
    }
}

/// However it is asked, with whatever decision: one copy is left, or the operator said that none is to be.
#[test]
fn no_decision_starts_a_second_copy_or_destroys_the_last() {
    for situation in all() {
        let decision = decide(situation);
        let changes = decision.action.changes();
        if changes.resumes_source {
            assert!(!situation.destination.runs() || changes.destroys_destination, "{situation:?}");
        }
        if changes.resumes_destination {
            let gone = matches!(situation.source, Absent | Off | OffMigrated);
            assert!(gone || changes.destroys_source, "{situation:?}");
        }
        if changes.destroys_source && decision.action != Action::GiveUp {
            assert!(situation.destination.runs() || situation.destination == PausedByPvm, "{situation:?}");
        }
        if changes.destroys_destination {
            assert!(situation.source.runs() || situation.source == PausedByPvm, "{situation:?}");
        }
        assert!(decision.action != Action::GiveUp || situation.keep == Some(Keep::None), "{situation:?}");
        if changes.ends_cancelled {
            assert!(Halted::is_possible(situation.source, situation.destination, situation.job), "{situation:?}");
            assert!(situation.halted.is_some(), "{situation:?}");
        } else if !(situation.source.runs() && situation.destination.runs()) {
            let of_a_split = matches!(decision.row.number, "15" | "15a" | "15b" | "15c" | "15d");
            assert!(of_a_split || situation.job == Job::None || changes == Changes::default(), "{situation:?}");
        }
    }
}

/// A journal of pvm 0.1 does not say which hosts it means: "does not know the guest" may be another host's answer.
#[test]
fn with_nobody_there_an_absence_counts_only_of_a_host_that_is_known_to_be_the_migrations() {
    let gone = |answer| matches!(answer, Absent | Off | OffMigrated | OffOther);
    for situation in all().filter(|s| gone(s.source) || gone(s.destination)) {
        let decision = decide(Situation { identified: false, ..situation });
        let by_source_alone = decision.row.destination.is_empty() && !gone(situation.source);
        assert!(!decision.auto || by_source_alone, "{situation:?}: row {}", decision.row.number);
    }
    // P1: the name of the destination leads to an empty host while the guest runs on both.
    let wrong_host = at(Last::Switched, RunUnchanged, Absent, Job::None);
    assert!(decide(wrong_host).auto && !decide(Situation { identified: false, ..wrong_host }).auto);
}

#[test]
fn a_running_migration_is_left_to_itself() {
    // Two copies that run are stopped whatever else goes on; one that pvm suspended is told of, and acted on if asked.
    let split = |s: &Situation| {
        let either = |answer: Answer| answer.runs() || answer == PausedByPvm;
        either(s.source) && either(s.destination)
    };
    for situation in all().filter(|s| s.job == Job::Out && s.halted.is_none() && !split(s)) {
        assert_eq!(decide(situation).action.changes(), Changes::default(), "{situation:?}");
    }
}
