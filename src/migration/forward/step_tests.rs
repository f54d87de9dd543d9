//! The pure step against every order of news a real run can produce.

use proptest::prelude::*;

use super::step::{Action, End, News, Phase, Place, Proof, State, Stopped, Terms, step};
use crate::migration::recover::Answer;
use crate::model::outcome::Outcome;

/// Runs to the end. Each action is answered by `answer`; the actions in order.
fn play(terms: Terms, mut answer: impl FnMut(&Action) -> Vec<News>) -> (Vec<Action>, End) {
    let mut state = State::new(terms);
    let mut waiting = vec![News::Start];
    let mut all = Vec::new();
    for _ in 0..500 {
        let news = if waiting.is_empty() { panic!("nothing to go on with after {all:?}") } else { waiting.remove(0) };
        let (next, actions) = step(state, news);
        state = next;
        for action in actions {
            all.push(action.clone());
            if let Action::End(end) = action {
                assert_eq!(state.phase(), Phase::Done);
                return (all, end);
            }
            waiting.extend(answer(&action));
        }
    }
    panic!("no end: {all:?}");
}

/// What a world without trouble answers.
fn fine(action: &Action) -> Vec<News> {
    match action {
        Action::Claim => vec![News::Claimed],
        Action::Recheck => vec![News::Rechecked],
        Action::Detach(_) => vec![News::Detached],
        Action::Perform => vec![News::Switched, News::Returned(None)],
        Action::Ask => vec![News::Answered { source: Answer::Absent, destination: Answer::RunMigrated }],
        Action::Prove { .. } => vec![News::Proved(Proof::Certain)],
        Action::Attach(_) => vec![News::Attached { done: true }],
        Action::CleanUp => vec![News::Cleaned],
        Action::Reattach(_) | Action::Release => vec![News::Undone { done: true }],
        Action::Abort(_) | Action::SuspendSource | Action::End(_) => Vec::new(),
    }
}

fn returned_failed(action: &Action) -> Vec<News> {
    match action {
        Action::Perform => vec![News::Returned(Some("no".into()))],
        Action::Ask => vec![News::Answered { source: Answer::RunUnchanged, destination: Answer::Absent }],
        other => fine(other),
    }
}

const TWO_PORTS: Terms = Terms { ports: 2, require_proof: false };

#[test]
fn a_good_run_goes_through_every_phase() {
    let (actions, end) = play(TWO_PORTS, fine);
    assert_eq!(
        actions,
        [
            Action::Claim,
            Action::Recheck,
            Action::Detach(0),
            Action::Detach(1),
            Action::Perform,
            Action::Ask,
            Action::Prove { on_source: false },
            Action::Attach(0),
            Action::Attach(1),
            Action::CleanUp,
            Action::End(end.clone()),
        ]
    );
    assert_eq!(end, End { outcome: Outcome::Fine, place: Place::Destination, why: None, open: false });
}

#[test]
fn a_failed_run_is_undone_from_the_last_port_to_the_first() {
    let (actions, end) = play(TWO_PORTS, returned_failed);
    let tail = &actions[actions.len() - 4..];
    assert_eq!(tail, [Action::Reattach(1), Action::Reattach(0), Action::Release, Action::End(end.clone())]);
    assert_eq!((end.outcome, end.place, end.why.as_deref()), (Outcome::Undone, Place::Source, Some("no")));
}

#[test]
fn an_interrupt_aborts_before_switch_over_and_does_nothing_after_it() {
    let interrupted = |action: &Action| match action {
        Action::Perform => vec![News::Stop(Stopped::Operator), News::Returned(Some("canceled".into()))],
        other => returned_failed(other),
    };
    let (actions, end) = play(Terms::default(), interrupted);
    assert!(actions.contains(&Action::Abort(Stopped::Operator)));
    assert_eq!((end.outcome, end.place), (Outcome::Interrupted, Place::Source));

    let too_late = |action: &Action| match action {
        Action::Perform => vec![News::Switched, News::Stop(Stopped::Timeout), News::Returned(None)],
        other => fine(other),
    };
    let (actions, end) = play(Terms::default(), too_late);
    assert!(!actions.iter().any(|action| matches!(action, Action::Abort(_))), "{actions:?}");
    assert_eq!(end.outcome, Outcome::Fine);
}

#[test]
fn an_interrupt_between_two_ports_plugs_the_first_in_again() {
    let interrupted = |action: &Action| match action {
        Action::Detach(0) => vec![News::Stop(Stopped::Operator), News::Detached],
        other => fine(other),
    };
    let (actions, end) = play(TWO_PORTS, interrupted);
    assert!(actions.contains(&Action::Reattach(0)) && !actions.contains(&Action::Detach(1)), "{actions:?}");
    assert_eq!(end.outcome, Outcome::Interrupted);
}

#[test]
fn two_running_copies_suspend_the_source_and_release_nothing() {
    let split = |action: &Action| match action {
        Action::Perform => vec![News::Switched, News::Returned(Some("client socket is closed".into()))],
        Action::Ask => vec![News::Answered { source: Answer::RunUnchanged, destination: Answer::RunMigrated }],
        other => fine(other),
    };
    let (actions, end) = play(TWO_PORTS, split);
    assert!(actions.contains(&Action::SuspendSource));
    assert!(!actions.contains(&Action::Release));
    assert_eq!((end.outcome, end.place), (Outcome::Undecided, Place::Unclear));
}

#[test]
fn a_late_failure_is_proved_on_the_source() {
    for (proof, outcome) in
        [(Proof::Certain, Outcome::Undone), (Proof::Open, Outcome::Incomplete), (Proof::Lost, Outcome::Incomplete)]
    {
        let late = |action: &Action| match action {
            Action::Perform => vec![News::Switched, News::Returned(Some("no".into()))],
            Action::Prove { on_source } => {
                assert!(on_source);
                vec![News::Proved(proof)]
            }
            other => returned_failed(other),
        };
        assert_eq!(play(Terms::default(), late).1.outcome, outcome);
    }
}

#[test]
fn a_lost_answer_is_not_a_failure_when_the_guest_is_there() {
    let lost = |action: &Action| match action {
        Action::Perform => vec![News::Switched, News::Returned(Some("connection reset".into()))],
        other => fine(other),
    };
    assert_eq!(
        play(Terms::default(), lost).1,
        End { outcome: Outcome::Fine, place: Place::Destination, why: None, open: false }
    );
}

#[test]
fn a_port_the_guest_keeps_leaves_the_journal_open_and_touches_nothing() {
    let silent = |action: &Action| match action {
        Action::Detach(1) => vec![News::Pending { why: "no answer".into() }],
        other => fine(other),
    };
    let (actions, end) = play(TWO_PORTS, silent);
    assert!(end.open && end.outcome == Outcome::Incomplete && end.place == Place::Source);
    assert!(
        !actions.iter().any(|a| matches!(a, Action::Reattach(_) | Action::Release | Action::Perform)),
        "{actions:?}"
    );
}

fn answers() -> impl Strategy<Value = Answer> {
    prop::sample::select(Answer::ALL)
}

proptest! {
    /// Whatever happens: it ends; nothing is released or plugged in while the place is not clear; nothing is aborted past
    /// the point of no return; every port that was unplugged is plugged in again somewhere, or said to be missing.
    #[test]
    fn invariants(
        ports in 0_usize..4,
        fails_at in 0_usize..12,
        stop_at in 0_usize..12,
        switched: bool,
        error: bool,
        source in answers(),
        destination in answers(),
        plugged: bool,
        lost: bool,
    ) {
        let terms = Terms { ports, require_proof: false };
        let mut count = 0;
        let mut has_switched = false;
        let (actions, end) = play(terms, |action| {
            count += 1;
            let mut news = match action {
                Action::Claim | Action::Recheck | Action::Detach(_) if count == fails_at => {
                    vec![News::Failed { why: "x".into(), outcome: Outcome::Unknown }]
                }
                Action::Perform => {
                    has_switched = switched;
                    let returned = News::Returned(error.then(|| "x".into()));
                    if switched { vec![News::Switched, returned] } else { vec![returned] }
                }
                Action::Ask => vec![News::Answered { source, destination }],
                Action::Prove { .. } => vec![News::Proved(if lost { Proof::Lost } else { Proof::Certain })],
                Action::Attach(_) => vec![News::Attached { done: plugged }],
                Action::Reattach(_) => vec![News::Undone { done: plugged }],
                Action::Abort(_) => {
                    assert!(!has_switched, "aborted past the point of no return");
                    Vec::new()
                }
                other => fine(other),
            };
            if count == stop_at {
                // Behind switch-over when there is one.
                news.insert(usize::from(switched && *action == Action::Perform), News::Stop(Stopped::Operator));
            }
            news
        });
        let number = |wanted: fn(&Action) -> bool| actions.iter().filter(|action| wanted(action)).count();
        let detached = number(|a| matches!(a, Action::Detach(_)));
        let attached = number(|a| matches!(a, Action::Attach(_)));
        let reattached = number(|a| matches!(a, Action::Reattach(_)));
        match end.place {
            Place::Destination => {
                prop_assert_eq!((attached, reattached), (ports, 0));
                prop_assert_eq!(destination, Answer::RunMigrated);
                prop_assert!(matches!(source, Answer::Absent | Answer::Off | Answer::OffMigrated));
            }
            Place::Source => {
                prop_assert_eq!(attached, 0);
                // The last one may be the one that failed.
                prop_assert!(reattached == detached || reattached + 1 == detached);
                prop_assert_eq!(number(|a| *a == Action::Release), 1);
                prop_assert_ne!(end.outcome, Outcome::Fine);
            }
            Place::Unclear => {
                prop_assert_eq!((attached, reattached, number(|a| *a == Action::Release)), (0, 0, 0));
                prop_assert_eq!(end.outcome, Outcome::Undecided);
            }
        }
        if end.outcome == Outcome::Fine {
            prop_assert!(!lost && (plugged || ports == 0));
        }
        let split = source == Answer::RunUnchanged && destination == Answer::RunMigrated;
        let asked = actions.contains(&Action::Ask);
        prop_assert_eq!(actions.contains(&Action::SuspendSource), split && asked);
    }
}

#[test]
fn a_destination_that_falls_silent_leaves_the_rest_to_recovery() {
    let silent = || vec![News::Pending { why: "no answer".into() }];
    let (actions, end) = play(TWO_PORTS, |action| if *action == Action::Attach(0) { silent() } else { fine(action) });
    assert_eq!((end.outcome, end.place, end.open), (Outcome::Incomplete, Place::Destination, true));
    assert!(!actions.contains(&Action::CleanUp) && !actions.contains(&Action::Attach(1)), "{actions:?}");
    let (_, end) = play(TWO_PORTS, |action| if *action == Action::CleanUp { silent() } else { fine(action) });
    assert_eq!((end.outcome, end.place, end.open), (Outcome::Incomplete, Place::Destination, true));

    // The same on the way back: the mark stays in the guest on the source.
    let (_, end) =
        play(TWO_PORTS, |action| if *action == Action::Release { silent() } else { returned_failed(action) });
    assert_eq!((end.outcome, end.place, end.open), (Outcome::Incomplete, Place::Source, true));
    assert_eq!(end.why.as_deref(), Some("no; no answer"));
}
