//! What a migration by Nova came to, from what was seen at its end. Pure: Nova's word is no proof in either direction.

use super::left::of_server;
use crate::journal::Side;
use crate::migration::answer::Seen;
use crate::model::outcome::Outcome;
use crate::openstack::{Migration, Server, Stage};
use crate::proof::Verdict;

/// What was seen at the end.
#[derive(Debug, Clone)]
pub(super) struct End<'a> {
    /// Where both hypervisors say that the guest is; none when they do not.
    pub(super) place: Option<Side>,
    /// Whether both say that they do not know the guest.
    pub(super) gone: bool,
    /// What Nova says of the server, or why it does not.
    pub(super) server: Result<Option<Server>, String>,
    /// Nova's record of the migration.
    pub(super) record: Option<&'a Migration>,
    /// What became of the devices' state where the guest is.
    pub(super) verdict: Option<&'a Verdict>,
    pub(super) requires_proof: bool,
    /// How a run ends that comes to nothing and leaves nothing.
    pub(super) failed: Outcome,
    /// Nova's names of both hosts.
    pub(super) hosts: [&'a str; 2],
}

/// What it came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Judged {
    pub(super) outcome: Outcome,
    /// What is wrong, each in words that follow "but".
    pub(super) wrong: Vec<String>,
    /// Whether nothing is left to be looked at again.
    pub(super) closed: bool,
}

/// The host on which a guest is that was looked for on both; `Err` says what they answered.
pub(super) fn place(source: &Seen, destination: &Seen, names: [&str; 2]) -> Result<Side, String> {
    let active = |seen: &Seen| matches!(seen, Seen::Present { state, .. } if state.is_active());
    let absent = |seen: &Seen| match seen {
        Seen::Absent => true,
        Seen::Present { state, .. } => !state.is_active(),
        Seen::Unreachable(_) => false,
    };
    match (active(source) && absent(destination), absent(source) && active(destination)) {
        (true, _) => Ok(Side::Source),
        (_, true) => Ok(Side::Destination),
        _ => {
            let words = |name: &str, seen: &Seen| match seen {
                Seen::Unreachable(silence) => format!("{name} does not answer ({})", silence.why),
                Seen::Absent => format!("{name} does not know the guest"),
                Seen::Present { state, .. } => format!("on {name} it is {state}"),
            };
            Err(format!("{}, {}", words(names[0], source), words(names[1], destination)))
        }
    }
}

/// Judges the end.
pub(super) fn judge(end: &End<'_>) -> Judged {
    let Some(place) = end.place else {
        if end.gone && end.server == Ok(None) {
            let wrong = vec!["it is gone: neither host knows it, and Nova has no such server any more".to_owned()];
            return Judged { outcome: Outcome::Incomplete, wrong, closed: true };
        }
        return Judged { outcome: Outcome::Undecided, wrong: Vec::new(), closed: false };
    };
    let moved = place == Side::Destination;
    let mut wrong = Vec::new();
    match end.verdict {
        Some(Verdict::Lost { .. }) => wrong.push("the state of its devices is lost".to_owned()),
        Some(Verdict::NotVerified { .. }) if end.requires_proof || !moved => {
            wrong.push("the state of its devices is not proved".to_owned());
        }
        Some(Verdict::Verified | Verdict::NothingToProve | Verdict::NotVerified { .. }) | None => {}
    }
    let mut closed = true;
    match end.record.map(Migration::stage) {
        Some(Stage::Completed) if !moved => wrong.push("Nova's record says completed".to_owned()),
        Some(Stage::Failed) if moved => {
            let status = end.record.map_or("", |record| record.status.as_str());
            wrong.push(format!("Nova's record of the migration says {status}"));
        }
        Some(Stage::UnderWay) => {
            let status = end.record.map_or("", |record| record.status.as_str());
            wrong.push(format!("Nova's record of the migration still says {status}"));
            closed = false;
        }
        Some(Stage::Completed | Stage::Failed) | None => {}
    }
    match &end.server {
        Ok(Some(server)) => wrong.extend(of_server(server, end.hosts[usize::from(moved)])),
        Ok(None) => wrong.push("Nova has no such server any more".to_owned()),
        Err(why) => {
            wrong.push(format!("what Nova makes of it is not known ({why})"));
            closed = false;
        }
    }
    let outcome = match (wrong.is_empty(), moved) {
        (true, true) => Outcome::Fine,
        (true, false) => end.failed,
        (false, _) => Outcome::Incomplete,
    };
    Judged { outcome, wrong, closed }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(status: &str, host: &str) -> Server {
        Server { id: "u-1".into(), status: status.into(), host: Some(host.into()), ..Server::default() }
    }

    fn record(status: &str) -> Migration {
        Migration { id: 1, status: status.into(), ..Migration::default() }
    }

    /// Nova's word and status, the place, the proof; the outcome, whether it is closed, and a part of what is said.
    #[test]
    fn novas_completed_is_no_proof_and_its_error_no_failure() {
        use Outcome::{Fine, Incomplete, Interrupted, Undecided};
        use Side::{Destination, Source};
        let lost = Verdict::Lost { why: "x".into() };
        let unproved = Verdict::not_verified("x");
        let (src, dst) = (Some(Source), Some(Destination));
        for (word, status, host, place, verdict, outcome, closed, said) in [
            ("completed", "ACTIVE", "b", dst, &Verdict::Verified, Fine, true, ""),
            ("completed", "ACTIVE", "b", dst, &unproved, Fine, true, ""),
            ("completed", "ACTIVE", "b", dst, &lost, Incomplete, true, "is lost"),
            (
                "completed",
                "ACTIVE",
                "b",
                src,
                &Verdict::Verified,
                Incomplete,
                true,
                "says completed and Nova says that it is on b",
            ),
            (
                "error",
                "ERROR",
                "a",
                src,
                &Verdict::NothingToProve,
                Incomplete,
                true,
                "openstack server set --state active u-1",
            ),
            ("error", "ACTIVE", "a", src, &Verdict::NothingToProve, Interrupted, true, ""),
            ("error", "ERROR", "a", dst, &Verdict::Verified, Incomplete, true, "says error"),
            ("running", "MIGRATING", "a", dst, &Verdict::Verified, Incomplete, false, "still says running"),
            ("completed", "ACTIVE", "b", None, &Verdict::Verified, Undecided, false, ""),
        ] {
            let record = record(word);
            let end = End {
                place,
                gone: false,
                server: Ok(Some(server(status, host))),
                record: Some(&record),
                verdict: Some(verdict),
                requires_proof: false,
                failed: Interrupted,
                hosts: ["a", "b"],
            };
            let judged = judge(&end);
            let words = judged.wrong.join(" and ");
            assert_eq!((judged.outcome, judged.closed), (outcome, closed), "{word} {status} {place:?}: {words}");
            assert!(words.contains(said) && words.is_empty() == said.is_empty(), "{words}");
            let gone = End { place: None, gone: true, ..end.clone() };
            assert!(!judge(&gone).closed && judge(&End { server: Ok(None), ..gone }).closed, "deleted by its user");
            let silent = judge(&End { server: Err("silence".into()), ..end });
            assert!(!silent.closed, "what Nova makes of it is still to be found out");
        }
    }
}
