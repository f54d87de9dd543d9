//! A guest that runs on both hosts, or in another run than the one that was being migrated.

use super::Decision;
use super::answer::{self, Answer, Seen};
use super::run::{Next, Recovery, Rest};
use crate::journal::{Entry, JournalError, Side, Step};
use crate::model::outcome::Outcome;

impl Recovery<'_> {
    /// Suspends one of two copies, which can be taken back. Which one is kept is a decision.
    pub(super) fn suspend(&mut self, decision: &Decision, side: Side, seen: &Seen) -> Result<Next, JournalError> {
        let (is, step) = match side {
            Side::Source => (answer::source(seen, &self.state), Step::SuspendSource),
            Side::Destination => (answer::destination(seen, &self.state), Step::SuspendDestination),
        };
        if is != Answer::PausedByPvm {
            self.announce(decision, step)?;
            if let Err(why) = self.call(side, |host, uuid| host.suspend(uuid)) {
                return Ok(Next::End(Outcome::Undecided, format!("it runs twice and could not be suspended: {why}")));
            }
        }
        self.show();
        let plan = &self.state.plan;
        let (here, there) = match side {
            Side::Source => ("suspended", "running"),
            Side::Destination => ("running", "suspended"),
        };
        let summary = format!(
            "{} is on {} ({here}) and on {} ({there}): decide with --keep src or --keep dst",
            plan.instance.name, plan.source.name, plan.destination.name
        );
        Ok(Next::End(Outcome::Undecided, summary))
    }

    /// Destroys the source's copy, if it has one, and lets the suspended one of the destination run.
    pub(super) fn keep_destination(
        &mut self,
        decision: &Decision,
        source: &Seen,
        destination: &Seen,
    ) -> Result<Next, JournalError> {
        if matches!(source, Seen::Present { state, .. } if state.is_active())
            && let end @ Next::End(..) = self.destroy(decision, Side::Source, source, destination)?
        {
            return Ok(end);
        }
        match self.look_at(Side::Source) {
            Seen::Absent => {}
            Seen::Present { state, .. } if !state.is_active() => {}
            // Not what was to be destroyed, or not destroyed: the table decides anew.
            Seen::Present { .. } | Seen::Unreachable(_) => return Ok(Next::Again),
        }
        let destination = self.look_at(Side::Destination);
        if answer::destination(&destination, &self.state) == Answer::PausedByPvm {
            self.announce(decision, Step::ResumeDestination)?;
            if let Err(why) = self.call(Side::Destination, |host, uuid| host.resume(uuid)) {
                return Ok(Next::End(Outcome::Undecided, why));
            }
        }
        Ok(Next::Again)
    }

    /// Closes the migration of a guest that runs, but not as the run that was being migrated: what that one's memory and
    /// devices held is gone, and the devices it has now are those of the definition it was started from.
    pub(super) fn close_started_anew(&mut self, source: &Seen, destination: &Seen) -> Result<Next, JournalError> {
        let runs = |seen: &Seen| matches!(seen, Seen::Present { state, .. } if state.is_active());
        let side = if runs(source) { Side::Source } else { Side::Destination };
        let seen = if side == Side::Source { source } else { destination };
        if let Seen::Present { devices, .. } = seen {
            for port in self.state.ports.clone().into_iter().filter(|port| port.detached && !port.reattached) {
                let entry = match side {
                    Side::Source if devices.contains(&port.port.source) => {
                        Entry::UndoDone { step: Step::ReattachOnSource { source: port.port.source } }
                    }
                    Side::Destination => match port.port.planned.filter(|planned| devices.contains(planned)) {
                        Some(device) => Entry::Attached { source: port.port.source, device },
                        None => continue,
                    },
                    Side::Source => continue,
                };
                self.record(&entry)?;
            }
        }
        let plan = &self.state.plan;
        let (guest, host) = match side {
            Side::Source => (&plan.instance.name, &plan.source.name),
            Side::Destination => (&plan.instance.name, &plan.destination.name),
        };
        let head = format!(
            "{guest} runs on {host}, but was started anew or changed by others since the migration began: what its \
             memory and devices held then is not proved to be there"
        );
        let (_, summary) = self.sum_up(Outcome::Incomplete, side, &head, "");
        self.close(Outcome::Incomplete, Rest::Runs(side), summary)
    }
}
