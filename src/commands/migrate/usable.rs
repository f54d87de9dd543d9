//! Whether facts are good enough to move a guest by.

use super::sides::Sides;
use crate::cli::migrate::Migrate;
use crate::commands::Stop;
use crate::journal;
use crate::model::finding::rules;
use crate::model::identity::{self, Identity};
use crate::model::snapshot::{Snapshot, Via};
use crate::model::time::Timestamp;

rules! {
    /// The facts of a host do not say of which host they are.
    ///
    /// # Meaning
    /// Facts and libvirt's answers come over two channels: the facts by ssh, from a command or a file, the answers by the
    /// URI. Only the host's UUID in both shows that they are of one host. Facts of another host (with another UUID) are
    /// refused in any case.
    /// # Check by hand
    /// pvm inventory -o json on the host, field host.uuid; virsh -c URI capabilities, element host/uuid.
    /// # Fix
    /// Run pvm on the host where its libvirt answers, so that the UUID is in the facts. Once you have made sure yourself:
    /// --allow facts-host.
    FACTS_HOST = "facts-host", Error;

    /// The facts of a host are older than ten minutes.
    ///
    /// # Meaning
    /// Devices, owners and versions change. A guest is moved by facts of now; older ones do for a rehearsal (--dry-run,
    /// --save-plan). The age is by the clock of the machine pvm runs on, so a clock that is off counts as well.
    /// # Check by hand
    /// Field taken_at of the facts; date on both machines.
    /// # Fix
    /// Read the facts again, or set the clocks. Once you have made sure that nothing has changed: --allow
    /// stale-facts.
    STALE_FACTS = "stale-facts", Error;
}

/// Facts older than this are not what a guest is moved by.
const MOST_AGE_MS: i64 = 10 * 60_000;

/// The codes that `--allow` may name here; they are no checks of preflight.
pub(super) const CODES: [&str; 2] = [FACTS_HOST.code, STALE_FACTS.code];

/// Whether the facts are the hosts', and of now.
pub(super) fn are_usable([source, destination]: [&Snapshot; 2], sides: &Sides, args: &Migrate) -> Result<(), Stop> {
    let Sides::Live { source: from, destination: to, .. } = sides else { return Ok(()) };
    let mut accepted = args.allow.clone();
    // A rehearsal may be made of older ones.
    let rehearsal = args.dry_run || args.save_plan.is_some();
    accepted.extend(rehearsal.then(|| STALE_FACTS.code.to_owned()));
    judge_facts(source, &from.name, &from.uuid, &accepted)?;
    judge_facts(destination, &to.name, &to.uuid, &accepted)
}

/// Whether the facts are this host's and of now: they come over another channel than libvirt's answers.
fn judge_facts(facts: &Snapshot, name: &str, host: &str, accepted: &[String]) -> Result<(), Stop> {
    let accepted = |code: &str| accepted.iter().any(|given| given == code || given == "all");
    let uuid = facts.host.uuid.as_deref();
    match identity::compare(uuid, Some(host)) {
        Identity::Same => {}
        Identity::Other => {
            return Err(Stop::refused(format!(
                "the facts of {name} are of another host: {} with the UUID {}; libvirt of {name} has {host}",
                facts.host.name,
                uuid.unwrap_or_default(),
            )));
        }
        Identity::Unknown if accepted(FACTS_HOST.code) => {}
        Identity::Unknown => {
            return Err(Stop::unknown(format!(
                "[{}] the facts of {name} do not say by a UUID of which host they are",
                FACTS_HOST.code
            )));
        }
    }
    // What this process has read itself is of now.
    if matches!(facts.via, Via::Local | Via::Libvirt) || accepted(STALE_FACTS.code) {
        return Ok(());
    }
    match facts.taken_at.parse::<Timestamp>().map(|taken| journal::now().since(taken)) {
        Ok(age) if age.abs() <= MOST_AGE_MS => Ok(()),
        Ok(age) => Err(Stop::unknown(format!(
            "[{}] the facts of {name} are of {}, {} minutes from now by this machine's clock; they are to be of the last ten",
            STALE_FACTS.code,
            facts.taken_at,
            age.abs() / 60_000
        ))),
        Err(_) => {
            Err(Stop::unknown(format!("[{}] the facts of {name} do not say when they were read", STALE_FACTS.code)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::outcome::Outcome;

    /// P4: facts of another machine, years old, were what a guest was moved by.
    #[test]
    fn facts_of_another_host_or_of_another_day_move_no_guest() {
        let (host, other) = ("0aeb4c2e-1111-4222-8333-444455556666", "11111111-2222-3333-4444-555555555555");
        let now = journal::now();
        let facts = |uuid: Option<&str>, taken: Timestamp| {
            let mut facts = Snapshot { taken_at: taken.to_string(), via: Via::Ssh, ..Snapshot::default() };
            facts.host.name = "elsewhere".into();
            facts.host.uuid = uuid.map(str::to_owned);
            facts
        };
        let judged = |facts: &Snapshot, accepted: &[&str]| {
            let accepted: Vec<String> = accepted.iter().map(|&code| code.to_owned()).collect();
            judge_facts(facts, "host-b", host, &accepted).map_err(|stop| (stop.outcome, stop.to_string()))
        };
        assert!(judged(&facts(Some(host), now), &[]).is_ok());
        let (outcome, said) = judged(&facts(Some(other), now), &["all"]).unwrap_err();
        assert_eq!(outcome, Outcome::Findings);
        assert!([host, other, "elsewhere", "host-b"].iter().all(|name| said.contains(name)), "{said}");
        for (facts, code) in [
            (facts(None, now), "facts-host"),
            (facts(Some(host), now.plus(-11 * 60_000)), "stale-facts"),
            (facts(Some(host), now.plus(11 * 60_000)), "stale-facts"),
            (Snapshot { taken_at: String::new(), ..facts(Some(host), now) }, "stale-facts"),
        ] {
            let (outcome, said) = judged(&facts, &[]).unwrap_err();
            assert!(outcome == Outcome::Unknown && said.contains(code), "{said}");
            assert!(judged(&facts, &[code]).is_ok());
        }
    }
}
