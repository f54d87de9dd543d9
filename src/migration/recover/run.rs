//! Recovers one migration: looks at both hosts, asks the table, does what it says, until nothing is left or somebody has to
//! decide. Each change is in the journal before it is made, so that recovery can itself be interrupted and repeated.

use std::time::Duration;

use super::answer::{Answer, Seen};
use super::look::look;
use super::{Action, Decision, Exit, Halted, Situation, answer, decide, mark, words};
use crate::journal::{Entry, Journal, JournalError, Keep, Receipt, Side, State, Step, now};
use crate::libvirt::Hypervisor;
use crate::model::outcome::Outcome;
use crate::model::pci::PciAddress;
use crate::model::time::Timestamp;
use crate::proof::{self, Received, Verdict};

/// Between the two looks that have to agree.
pub(super) const BETWEEN_LOOKS: Duration = Duration::from_secs(2);
/// Looks until two agree; a guest that changes longer than that is in somebody's hands.
const MOST_LOOKS: u32 = 30;
/// Between two looks at a migration that is alive.
const FOLLOWING: Duration = Duration::from_secs(2);
/// Rounds through the table; each takes a step, so that this is only reached if the hosts go in circles.
const MOST_ROUNDS: u32 = 20;

/// What recovery needs besides the journal.
pub trait World {
    /// Connects to a host.
    fn connect(&self, side: Side) -> Result<Box<dyn Hypervisor>, String>;
    /// Reads a host's logs about the guest.
    fn evidence(&self, side: Side, since: Timestamp) -> Received;
    /// Waits.
    fn pause(&self, time: Duration);
    /// Tells the operator.
    fn say(&mut self, line: &str);
}

/// What the operator asked for.
#[derive(Debug, Clone, Copy, Default)]
pub struct Orders {
    /// Only what is safe with nobody there.
    pub auto: bool,
    /// Which copy to keep, where the table asks.
    pub keep: Option<Keep>,
    /// End a migration that is alive and not in switch-over.
    pub abort: bool,
    /// The source will not come back.
    pub source_is_dead: bool,
    /// The destination will not come back.
    pub destination_is_dead: bool,
}

/// How it came out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovered {
    /// The exit code's meaning.
    pub outcome: Outcome,
    /// The last row taken.
    pub row: &'static str,
    /// One sentence.
    pub summary: String,
    /// Whether nothing is left to do.
    pub closed: bool,
    /// Where the guest runs, when both hosts said so.
    pub place: Option<Side>,
    /// Ports it is known to be without: addresses on the source.
    pub missing: Vec<PciAddress>,
}

/// Where the guest is when a migration is closed.
#[derive(Debug, Clone, Copy)]
pub(super) enum Rest {
    /// It runs here.
    Runs(Side),
    /// It is defined here, switched off.
    Off(Side),
    /// On neither host, or nobody asked.
    Elsewhere,
}

impl Rest {
    fn place(self) -> Option<Side> {
        match self {
            Self::Runs(side) | Self::Off(side) => Some(side),
            Self::Elsewhere => None,
        }
    }
}

/// What comes after an action.
pub(super) enum Next {
    /// The table again.
    Again,
    /// The end, with a sentence.
    End(Outcome, String),
}

/// One recovery under way. The caller holds the guest's lock.
pub struct Recovery<'a> {
    pub(super) world: &'a mut dyn World,
    pub(super) journal: &'a mut Journal,
    pub(super) state: State,
    pub(super) orders: Orders,
    pub(super) source: Option<Box<dyn Hypervisor>>,
    pub(super) destination: Option<Box<dyn Hypervisor>>,
    /// A port of which nobody says whether it is plugged in.
    pub(super) unanswered: Option<PciAddress>,
    /// What both hosts said last.
    situation: Option<Situation>,
}

impl std::fmt::Debug for Recovery<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recovery").field("state", &self.state).field("orders", &self.orders).finish_non_exhaustive()
    }
}

impl<'a> Recovery<'a> {
    /// Takes up the migration of this journal.
    pub fn new(world: &'a mut dyn World, journal: &'a mut Journal, state: State, orders: Orders) -> Self {
        Self { world, journal, state, orders, source: None, destination: None, unanswered: None, situation: None }
    }

    /// Recovers as far as possible. An error: the journal could not be written, and nothing was done without it.
    pub fn run(mut self) -> Result<Recovered, JournalError> {
        let mut said = None;
        for _ in 0..MOST_ROUNDS {
            let Some((source, destination)) = self.look_until_steady() else {
                return Ok(self.recovered("-", Outcome::Unknown, "the hosts' answers keep changing".into()));
            };
            self.take_word_of_death(&source, &destination)?;
            let (situation, decision) = self.decide(&source, &destination);
            self.situation = Some(situation);
            // The same row again is news only if it comes with another situation.
            if said != Some((decision.row.number, situation)) {
                for line in words::explain(&self.state, &source, &destination, situation, &decision) {
                    self.world.say(&line);
                }
                said = Some((decision.row.number, situation));
            }
            if self.orders.auto && !decision.auto {
                let outcome = match decision.exit {
                    Exit::Ends(outcome) => outcome,
                    Exit::FineUnlessMissing | Exit::UndoneUnlessLost | Exit::Again => Outcome::Undecided,
                };
                let summary = words::left_alone(&self.state, situation, "it is left for the operator");
                return Ok(self.recovered(decision.row.number, outcome, summary));
            }
            self.record_choice(&decision)?;
            self.world.say(&format!("  {}", words::intent(decision.action)));
            match self.act(decision.action, &decision, &source, &destination)? {
                Next::Again => {}
                Next::End(outcome, summary) => return Ok(self.recovered(decision.row.number, outcome, summary)),
            }
        }
        Ok(self.recovered("-", Outcome::Undecided, "the hosts go in circles".into()))
    }

    /// The result. What stays open is told with where the guest is and what it has lost so far.
    fn recovered(&self, row: &'static str, outcome: Outcome, why: String) -> Recovered {
        let closed = self.state.is_closed();
        let place = self.situation.and_then(|situation| situation.place());
        let missing = self.missing();
        let guest = &self.state.plan.instance.name;
        let summary = match place {
            _ if closed || outcome == Outcome::Fine => why,
            Some(side) => {
                let mut parts = self.losses(side);
                parts.push(format!("the migration is not finished: {why}"));
                words::but(&format!("{guest} runs on {}", self.name(side)), &parts)
            }
            None => {
                let losses = words::losses(self.state.verdict_at(None), &missing, Side::Source);
                if losses.is_empty() { why } else { format!("{guest}: {}; {why}", words::list(losses)) }
            }
        };
        Recovered { outcome, row, summary, closed, place, missing }
    }

    fn name(&self, side: Side) -> &str {
        match side {
            Side::Source => &self.state.plan.source.name,
            Side::Destination => &self.state.plan.destination.name,
        }
    }

    fn missing(&self) -> Vec<PciAddress> {
        let missing = self.state.missing_ports().into_iter();
        missing.filter(|port| Some(*port) != self.unanswered).collect()
    }

    fn losses(&self, side: Side) -> Vec<String> {
        words::losses(self.state.verdict_at(Some(side)), &self.missing(), side)
    }

    /// Writes a record and takes it in.
    pub(super) fn record(&mut self, entry: &Entry) -> Result<(), JournalError> {
        let record = self.journal.append(entry)?;
        self.state.apply(&record);
        Ok(())
    }

    /// Announces a change that is not a phase.
    pub(super) fn announce(&mut self, decision: &Decision, step: Step) -> Result<(), JournalError> {
        self.record(&Entry::RecoverIntent { row: decision.row.number.to_owned(), step })
    }

    pub(super) fn host(&mut self, side: Side) -> Result<&dyn Hypervisor, String> {
        let slot = match side {
            Side::Source => &mut self.source,
            Side::Destination => &mut self.destination,
        };
        let host = match slot.take() {
            Some(host) => host,
            None => self.world.connect(side)?,
        };
        Ok(&**slot.insert(host))
    }

    /// Looks at one host. A connection that does not answer is given up, so that the next look opens another.
    pub(super) fn look_at(&mut self, side: Side) -> Seen {
        let uuid = self.state.plan.instance.uuid.clone();
        let seen = match self.host(side) {
            Ok(host) => look(host, &uuid),
            Err(why) => Seen::Unreachable(why),
        };
        if matches!(seen, Seen::Unreachable(_)) {
            match side {
                Side::Source => self.source = None,
                Side::Destination => self.destination = None,
            }
        }
        seen
    }

    /// Looks at both until two looks agree. A daemon that has just been started answers for a while as it was before.
    fn look_until_steady(&mut self) -> Option<(Seen, Seen)> {
        let mut before = None;
        for _ in 0..MOST_LOOKS {
            let seen = (self.look_at(Side::Source), self.look_at(Side::Destination));
            let situation = Situation::of(&self.state, &seen.0, &seen.1);
            if before == Some(situation) {
                return Some(seen);
            }
            before = Some(situation);
            self.world.pause(BETWEEN_LOOKS);
        }
        None
    }

    /// A host is taken for dead on the operator's word, as long as it does not answer.
    fn take_word_of_death(&mut self, source: &Seen, destination: &Seen) -> Result<(), JournalError> {
        let silent = |seen: &Seen| matches!(seen, Seen::Unreachable(_));
        let source_is_dead = self.orders.source_is_dead && silent(source) && !self.state.source_is_dead;
        let destination_is_dead =
            self.orders.destination_is_dead && silent(destination) && !self.state.destination_is_dead;
        for (said, seen, host) in [
            (self.orders.source_is_dead, source, &self.state.plan.source.name),
            (self.orders.destination_is_dead, destination, &self.state.plan.destination.name),
        ] {
            if said && !silent(seen) {
                self.world.say(&format!("  {host} is not dead: it answers."));
            }
        }
        if source_is_dead || destination_is_dead {
            self.record(&Entry::Decision { keep: None, source_is_dead, destination_is_dead })?;
        }
        Ok(())
    }

    fn decide(&mut self, source: &Seen, destination: &Seen) -> (Situation, Decision) {
        let mut situation = Situation::of(&self.state, source, destination);
        situation.keep = self.orders.keep.or(situation.keep);
        situation.halted = self.halted(source, destination);
        if situation.source == Answer::PausedMigration && situation.destination == Answer::Absent {
            let since = self.performed();
            situation.never_ran = proof::never_ran(&self.world.evidence(Side::Destination, since), since);
        }
        (situation, decide(situation))
    }

    /// Whether the migration is cancelled and does not end. QEMU is asked only where it can be so.
    pub(super) fn halted(&mut self, source: &Seen, destination: &Seen) -> Option<Halted> {
        let answers = (answer::source(source, &self.state), answer::destination(destination, &self.state));
        if !Halted::is_possible(answers.0, answers.1, source.job()) {
            return None;
        }
        let uuid = self.state.plan.instance.uuid.clone();
        self.host(Side::Source).ok().and_then(|host| Halted::ask(host, &uuid, answers.0))
    }

    /// The operator's choice goes into the journal where the table asks for one.
    fn record_choice(&mut self, decision: &Decision) -> Result<(), JournalError> {
        let Some(keep) = self.orders.keep else { return Ok(()) };
        if !decision.row.choices.iter().any(|(choice, _)| *choice == keep) {
            self.world.say("  --keep has no meaning here.");
        } else if self.state.keep != Some(keep) {
            self.record(&Entry::Decision { keep: Some(keep), source_is_dead: false, destination_is_dead: false })?;
        }
        Ok(())
    }

    /// When libvirt was told to migrate.
    pub(super) fn performed(&self) -> Timestamp {
        self.state.perform.as_ref().map_or(self.state.begun, |(when, _)| *when)
    }

    /// Follows a migration that is alive.
    pub(super) fn follow(&mut self, decision: &Decision, seen: &Seen) -> Result<Next, JournalError> {
        let alive = matches!(decision.action, Action::Follow);
        if self.orders.abort && alive {
            self.announce(decision, Step::AbortJob)?;
            let uuid = self.state.plan.instance.uuid.clone();
            let aborted = self.host(Side::Source).and_then(|host| host.abort_job(&uuid).map_err(|e| e.to_string()));
            if let Err(why) = aborted {
                self.world.say(&format!("  the job could not be aborted: {why}"));
            }
            self.orders.abort = false;
        } else if self.orders.auto {
            return Ok(Next::End(Outcome::Fine, "libvirt is still migrating it".into()));
        }
        let job = seen.job();
        loop {
            self.world.pause(FOLLOWING);
            let source = self.look_at(Side::Source);
            if source.job() != job {
                return Ok(Next::Again);
            }
            let destination = self.look_at(Side::Destination);
            if self.halted(&source, &destination).is_some() {
                return Ok(Next::Again);
            }
        }
    }

    /// Takes the mark off the guest, where it is or may be. A dead host, or one that the guest is not on, does not keep
    /// the migration open.
    fn unmark(&mut self, place: Option<Side>) -> Result<(), String> {
        if !self.state.marked {
            return Ok(());
        }
        let (uuid, id) = (self.state.plan.instance.uuid.clone(), self.state.plan.id.clone());
        // From here on a guest without it may still be the run that was being migrated.
        self.record(&Entry::RecoverIntent { row: "-".to_owned(), step: Step::RemoveMark })
            .map_err(|e| e.to_string())?;
        for side in [Side::Source, Side::Destination] {
            let dead = if side == Side::Source { self.state.source_is_dead } else { self.state.destination_is_dead };
            // Before libvirt was told to migrate, the guest was on the source, whether it answers or not.
            let needed = place == Some(side) || (side == Side::Source && self.state.perform.is_none());
            let removed = self.host(side).and_then(|host| mark::remove(host, &uuid, &id).map_err(|e| e.to_string()));
            match removed {
                Err(why) if needed && !dead => return Err(why),
                Ok(()) | Err(_) => {}
            }
        }
        Ok(())
    }

    /// How it ends for a guest on this host, with what it has lost: `head` and `whole` are the sentence when that is nothing.
    /// A state that is only not proved counts after a late failure, and on the destination if the operator wished so.
    pub(super) fn sum_up(&self, outcome: Outcome, side: Side, head: &str, whole: &str) -> (Outcome, String) {
        let (losses, missing) = (self.losses(side), self.missing());
        let counts = match self.state.verdict_at(Some(side)) {
            Some(Verdict::Lost { .. }) => true,
            Some(Verdict::NotVerified { .. }) => side == Side::Source || self.state.requires_proof(),
            Some(Verdict::Verified | Verdict::NothingToProve) | None => false,
        };
        let outcome = if counts || !missing.is_empty() { Outcome::Incomplete } else { outcome };
        (outcome, if losses.is_empty() { format!("{head}{whole}") } else { words::but(head, &losses) })
    }

    /// Ends with a receipt: nothing is left to do.
    pub(super) fn close(&mut self, outcome: Outcome, rest: Rest, summary: String) -> Result<Next, JournalError> {
        let place = rest.place();
        if let Err(why) = self.unmark(place) {
            let outcome = if place.is_some() { Outcome::Incomplete } else { Outcome::Unknown };
            return Ok(Next::End(outcome, format!("pvm's mark is still in the guest: {why}")));
        }
        let runs_on = match rest {
            Rest::Runs(side) => Some(self.name(side).to_owned()),
            Rest::Off(_) | Rest::Elsewhere => None,
        };
        let receipt = Receipt {
            exit_code: outcome.code(),
            runs_on,
            summary: summary.clone(),
            total_ms: u64::try_from(now().since(self.state.begun)).ok(),
            vfio_bytes: self.state.vfio_bytes,
            verdict: self.state.verdict_at(place).cloned(),
            map: self.state.map.clone(),
            missing_ports: self.missing(),
            ..Receipt::default()
        };
        let entry = match place {
            Some(Side::Source) => Entry::Undone { receipt },
            // Nothing was undone where the guest has left the source, wherever it is now.
            None if self.state.perform.is_none() => Entry::Undone { receipt },
            Some(Side::Destination) | None => Entry::Done { receipt },
        };
        self.record(&entry)?;
        Ok(Next::End(outcome, summary))
    }
}
