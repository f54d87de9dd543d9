//! What becomes of a migration whose journal its own run left open.

use crate::commands::{Context, recover};
use crate::journal::{Journal, Last, Receipt, Side, State};
use crate::migration::forward::Ended;
use crate::migration::recover::Recovered;
use crate::model::outcome::Outcome;
use crate::output::text::printable;

/// Does at once what is safe unattended, by the decision table and with fresh connections. The rest waits for a decision.
pub(super) fn settle(context: &Context, journal: &mut Journal, source_label: &str, ended: Ended) -> (Outcome, Receipt) {
    context.printer.note(&printable(&ended.receipt.summary));
    match recover::unattended(context, journal) {
        Ok((recovered, state)) => settled(ended, recovered, &state, source_label),
        Err(error) => {
            context.printer.note(&printable(&format!("it cannot be recovered now: {}", error.sentence())));
            (ended.outcome, ended.receipt)
        }
    }
}

/// How it ends after recovery. What recovery calls a good end is one of a migration only if the guest has moved; one that
/// learned less of where the guest is than the migration knew changes nothing, and what stays open is not fine.
fn settled(ended: Ended, recovered: Recovered, state: &State, source_label: &str) -> (Outcome, Receipt) {
    let destination = &state.plan.destination.name;
    if let Some(receipt) = &state.receipt {
        let moved = receipt.runs_on.as_ref() == Some(destination);
        let outcome = match (recovered.outcome, ended.outcome) {
            (Outcome::Fine, _) if moved => Outcome::Fine,
            // Switched off since, or gone with its host.
            (Outcome::Fine, _) if state.last == Last::Done => Outcome::Incomplete,
            // Nothing had been changed, or the operator had stopped it.
            (Outcome::Fine, own @ (Outcome::Findings | Outcome::Unknown | Outcome::Interrupted)) => own,
            (Outcome::Fine, _) => Outcome::Undone,
            (other, _) => other,
        };
        // The journal calls the source by the word it was given by.
        let runs_on = receipt.runs_on.clone().map(|host| if moved { host } else { source_label.to_owned() });
        return (outcome, Receipt { exit_code: outcome.code(), runs_on, ..receipt.clone() });
    }
    if recovered.place.is_none() && ended.receipt.runs_on.is_some() {
        return (ended.outcome, ended.receipt);
    }
    let outcome = match recovered.outcome {
        // libvirt is still at it, or a host does not answer: "nothing was changed" is true of recovery only.
        Outcome::Fine | Outcome::Unknown => ended.outcome,
        other => other,
    };
    let receipt = Receipt {
        exit_code: outcome.code(),
        summary: format!("{}; see: pvm recover {}", recovered.summary, state.plan.id),
        runs_on: recovered.place.map(|side| match side {
            Side::Source => source_label.to_owned(),
            Side::Destination => destination.clone(),
        }),
        verdict: state.verdict_at(recovered.place).cloned(),
        missing_ports: recovered.missing,
        ..ended.receipt
    };
    (outcome, receipt)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::record::VERSION;
    use crate::journal::{Entry, Host, Plan, Record};
    use crate::model::time::Timestamp;
    use crate::proof::Verdict;

    fn state(more: &[Entry]) -> State {
        let host = |name: &str| Host { name: name.into(), ..Host::default() };
        let plan = Plan { id: "m-1".into(), source: host("a"), destination: host("b"), ..Plan::default() };
        let entries = std::iter::once(Entry::Plan(Box::new(plan))).chain(more.iter().cloned());
        let record = |(at, entry)| Record { v: VERSION, seq: at, time: Timestamp(0), entry };
        State::of(&(1..).zip(entries).map(record).collect::<Vec<_>>()).unwrap()
    }

    fn ended(outcome: Outcome, runs_on: Option<&str>) -> Ended {
        let receipt = Receipt {
            exit_code: outcome.code(),
            runs_on: runs_on.map(str::to_owned),
            summary: "the migration's own words".into(),
            total_ms: Some(7),
            ..Receipt::default()
        };
        Ended { outcome, receipt, open: true }
    }

    fn recovered(outcome: Outcome, place: Option<Side>) -> Recovered {
        Recovered { outcome, row: "1", summary: "recovery's words".into(), closed: false, place, missing: Vec::new() }
    }

    #[test]
    fn a_recovery_that_closed_it_has_the_last_word_but_only_a_guest_that_moved_is_fine() {
        use Outcome::{Findings, Fine, Incomplete, Interrupted, Undecided, Undone, Unknown};
        let closed = |done: bool, runs_on: Option<&str>| {
            let runs_on = runs_on.map(str::to_owned);
            let receipt = Receipt { summary: "closed".into(), runs_on, ..Receipt::default() };
            state(&[if done { Entry::Done { receipt } } else { Entry::Undone { receipt } }])
        };
        for (journal, recovery, own, outcome, runs_on) in [
            (closed(true, Some("b")), Fine, Incomplete, Fine, Some("b")),
            (closed(true, Some("b")), Incomplete, Undecided, Incomplete, Some("b")),
            (closed(true, None), Fine, Undecided, Incomplete, None),
            (closed(false, Some("a")), Fine, Incomplete, Undone, Some("host-a")),
            (closed(false, Some("a")), Fine, Interrupted, Interrupted, Some("host-a")),
            (closed(false, Some("a")), Fine, Unknown, Unknown, Some("host-a")),
            (closed(false, None), Fine, Findings, Findings, None),
            (closed(false, Some("a")), Undone, Undecided, Undone, Some("host-a")),
        ] {
            let (ended, recovered) = (ended(own, None), recovered(recovery, None));
            let (is, receipt) = settled(ended, recovered, &journal, "host-a");
            assert_eq!((is, receipt.exit_code, receipt.runs_on.as_deref()), (outcome, outcome.code(), runs_on));
            assert_eq!(receipt.summary, "closed");
        }
    }

    #[test]
    fn a_host_that_does_not_answer_now_makes_a_known_place_not_unknown() {
        let ended = ended(Outcome::Incomplete, Some("b"));
        let own = ended.receipt.clone();
        for outcome in [Outcome::Undecided, Outcome::Unknown] {
            let settled = settled(ended.clone(), recovered(outcome, None), &state(&[]), "host-a");
            assert_eq!(settled, (Outcome::Incomplete, own.clone()));
        }
    }

    #[test]
    fn what_recovery_learned_is_told_and_what_is_open_is_not_fine() {
        let lost = Verdict::Lost { why: "x".into() };
        let state = state(&[Entry::Proof { verdict: lost.clone() }]);
        for (outcome, place, code, runs_on) in [
            (Outcome::Incomplete, Some(Side::Destination), 5, Some("b")),
            (Outcome::Incomplete, Some(Side::Source), 5, Some("host-a")),
            (Outcome::Undecided, None, 6, None),
            // libvirt is still at it.
            (Outcome::Fine, None, 6, None),
            // Recovery changed nothing; the migration had.
            (Outcome::Unknown, None, 6, None),
            (Outcome::Unknown, Some(Side::Source), 6, Some("host-a")),
        ] {
            let own = ended(Outcome::Undecided, None);
            let (outcome, receipt) = settled(own, recovered(outcome, place), &state, "host-a");
            assert_eq!((outcome.code(), receipt.exit_code, receipt.runs_on.as_deref()), (code, code, runs_on));
            assert_eq!(receipt.summary, "recovery's words; see: pvm recover m-1");
            // The verdict is the destination's: it says nothing of a guest that stays.
            let wanted = Some(lost.clone()).filter(|_| place != Some(Side::Source));
            assert_eq!((receipt.verdict, receipt.total_ms), (wanted, Some(7)));
        }
    }
}
