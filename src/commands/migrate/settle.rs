//! What becomes of a migration whose journal its own run left open.

use crate::commands::{Context, recover};
use crate::journal::{Journal, Receipt, Side, State};
use crate::migrate::Ended;
use crate::outcome::Outcome;
use crate::output::text::printable;
use crate::recover::Recovered;

/// Does at once what is safe unattended, by the decision table and with fresh connections. The rest waits for a decision.
pub(super) fn settle(context: &Context, journal: &mut Journal, ended: Ended) -> (Outcome, Receipt) {
    context.printer.note(&printable(&ended.receipt.summary));
    match recover::unattended(context, journal) {
        Ok((recovered, state)) => settled(ended, recovered, state),
        Err(error) => {
            context.printer.note(&printable(&format!("it cannot be recovered now: {error:#}")));
            (ended.outcome, ended.receipt)
        }
    }
}

/// How it ends after recovery. One that learned less of where the guest is than the migration knew changes nothing, and what
/// stays open is not fine.
fn settled(ended: Ended, recovered: Recovered, state: State) -> (Outcome, Receipt) {
    if let Some(receipt) = state.receipt {
        return (recovered.outcome, receipt);
    }
    if recovered.place.is_none() && ended.receipt.runs_on.is_some() {
        return (ended.outcome, ended.receipt);
    }
    let outcome = if recovered.outcome == Outcome::Fine { ended.outcome } else { recovered.outcome };
    let receipt = Receipt {
        exit_code: outcome.code(),
        summary: format!("{}; see: pvm recover {}", recovered.summary, state.plan.id),
        runs_on: recovered.place.map(|side| match side {
            Side::Source => state.plan.source.name,
            Side::Destination => state.plan.destination.name,
        }),
        verdict: state.verdict.or(state.source_verdict),
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
    use crate::proof::Verdict;
    use crate::time::Timestamp;

    fn state(more: &[Entry]) -> State {
        let host = |name: &str| Host { name: name.into(), uri: String::new() };
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
    fn a_recovery_that_closed_it_has_the_last_word() {
        let receipt = Receipt { summary: "done".into(), ..Receipt::default() };
        let state = state(&[Entry::Done { receipt: receipt.clone() }]);
        let ended = ended(Outcome::Incomplete, Some("b"));
        let settled = settled(ended, recovered(Outcome::Fine, Some(Side::Destination)), state);
        assert_eq!(settled, (Outcome::Fine, receipt));
    }

    #[test]
    fn a_host_that_does_not_answer_now_makes_a_known_place_not_unknown() {
        let ended = ended(Outcome::Incomplete, Some("b"));
        let own = ended.receipt.clone();
        for outcome in [Outcome::Undecided, Outcome::Unknown] {
            let settled = settled(ended.clone(), recovered(outcome, None), state(&[]));
            assert_eq!(settled, (Outcome::Incomplete, own.clone()));
        }
    }

    #[test]
    fn what_recovery_learned_is_told_and_what_is_open_is_not_fine() {
        let lost = Verdict::Lost { why: "x".into() };
        let state = state(&[Entry::Proof { verdict: lost.clone() }]);
        for (outcome, place, code, runs_on) in [
            (Outcome::Incomplete, Some(Side::Destination), 5, Some("b")),
            (Outcome::Incomplete, Some(Side::Source), 5, Some("a")),
            (Outcome::Undecided, None, 6, None),
            // libvirt is still at it.
            (Outcome::Fine, None, 6, None),
        ] {
            let own = ended(Outcome::Undecided, None);
            let (outcome, receipt) = settled(own, recovered(outcome, place), state.clone());
            assert_eq!((outcome.code(), receipt.exit_code, receipt.runs_on.as_deref()), (code, code, runs_on));
            assert_eq!(receipt.summary, "recovery's words; see: pvm recover m-1");
            assert_eq!((receipt.verdict, receipt.total_ms), (Some(lost.clone()), Some(7)));
        }
    }
}
