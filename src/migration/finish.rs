//! Brings a migration to its end: looks at both hosts, asks the table, does what it says, until nothing is left or somebody
//! has to decide. Each change is in the journal before it is made, so that this can itself be interrupted and repeated. It is
//! the end of every migration, whether the pvm that made it lives or not.

use std::time::Duration;

use super::action::{Action, Exit};
use super::answer::{Answer, Job, Seen};
use super::cancel::Halted;
use super::ending::{Attempt, Ending, Told, last_words, unrecorded};
use super::event::Phase;
use super::ground::Ground;
use super::orders::Orders;
use super::situation::{Decision, Situation, decide};
use super::steps::{Next, carry_out, make};
use super::{mark, words};
use crate::journal::{Entry, JournalError, Receipt, Side, Step, now};
use crate::libvirt::Job as LibvirtJob;
use crate::model::causes::sentence;
use crate::model::outcome::Outcome;
use crate::proof::{self, Verdict};

/// What two looks have to agree over. A daemon that has just been started answers for a while as it was before.
const STEADY: Duration = Duration::from_secs(2);
/// The same with the connections that the migration was made over: their daemons were not started anew, and only need time
/// to agree on where the guest is.
const SETTLE: Duration = Duration::from_secs(10);
/// Between two looks when pvm has just made the migration.
const SOON: Duration = Duration::from_millis(250);
/// So long two looks are waited for that agree; a guest that changes longer than that is in somebody's hands.
const PATIENCE: Duration = Duration::from_secs(60);
/// Rounds through the table; each takes a step, so that this is only reached if the hosts go in circles.
const MOST_ROUNDS: u32 = 20;

/// Brings the migration to its end, as far as the orders allow. `attempt` is what the process knows that has just made it.
pub(crate) fn finish(ground: &mut Ground<'_>, orders: Orders, attempt: Option<Attempt>) -> Ending {
    let mut finish = Finish {
        orders: Orders {
            auto: orders.auto || attempt.is_some(),
            // One whose pvm died is not followed to an end that nobody wants.
            abort: orders.abort || ground.state.plan.rehearsal,
            ..orders
        },
        attempt,
        ground,
        situation: None,
        place: None,
        reconnected: false,
    };
    if finish.attempt.is_some() {
        let performed = finish.ground.state.perform.is_some();
        finish.ground.enter(if performed { Phase::Verify } else { Phase::Undo });
    }
    let mut row = "-";
    let next = finish.run(&mut row).unwrap_or_else(|error| Next::Open {
        // Without its journal nothing was done.
        outcome: if finish.place.is_some() { Outcome::Incomplete } else { Outcome::Undecided },
        why: sentence(&error),
        unanswered: None,
    });
    finish.ending(row, next)
}

struct Finish<'g, 'a> {
    ground: &'g mut Ground<'a>,
    orders: Orders,
    attempt: Option<Attempt>,
    /// What both hosts said last.
    situation: Option<Situation>,
    /// Where the guest was when both hosts said so last. A host that falls silent afterwards makes that not unknown.
    place: Option<Side>,
    /// Whether broken connections were replaced at the end, which is done once.
    reconnected: bool,
}

impl Finish<'_, '_> {
    fn run(&mut self, row: &mut &'static str) -> Result<Next, JournalError> {
        let mut said = None;
        for _ in 0..MOST_ROUNDS {
            let Some((source, destination)) = self.look_until_steady() else {
                return Ok(Next::open(Outcome::Unknown, "the hosts' answers keep changing"));
            };
            self.take_word_of_death(&source, &destination)?;
            let (situation, decision) = self.decide(&source, &destination);
            *row = decision.row.number;
            log::info!("row {row} of the decision table");
            let narrates = self.attempt.is_none() || !decision.action.is_usual();
            // The same row again is news only if it comes with another situation.
            if narrates && said != Some((decision.row.number, situation)) {
                for line in words::explain(&self.ground.state, &source, &destination, situation, &decision) {
                    self.ground.world.say(&line);
                }
                said = Some((decision.row.number, situation));
            }
            if !self.may_do(&decision) {
                let outcome = match decision.exit {
                    Exit::Ends(outcome) => outcome,
                    Exit::FineUnlessMissing | Exit::UndoneUnlessLost | Exit::Again => Outcome::Undecided,
                };
                return Ok(Next::open(
                    outcome,
                    words::left_alone(&self.ground.state, situation, "it needs your decision"),
                ));
            }
            self.record_choice(&decision)?;
            if narrates {
                self.ground.world.say(&format!("  {}", words::intent(decision.action)));
            }
            self.enter(decision.action);
            let hosts = [&source, &destination];
            match carry_out(self.ground, &mut self.orders, &decision, hosts)? {
                Next::Again => {}
                Next::Close { outcome, place, runs, words } => match self.close(outcome, place, runs, words) {
                    Next::Again => {}
                    end => return Ok(end),
                },
                end @ (Next::Open { .. } | Next::Closed { .. }) => return Ok(end),
            }
        }
        Ok(Next::open(Outcome::Undecided, "the hosts go in circles"))
    }

    /// Whether this is done now. The process that made the migration may do more than one with nobody there: whatever
    /// destroys, stops and starts no copy.
    fn may_do(&self, decision: &Decision) -> bool {
        !self.orders.auto || decision.auto || (self.attempt.is_some() && decision.action.changes().is_gentle())
    }

    fn enter(&mut self, action: Action) {
        self.ground.enter(match action {
            Action::Attach | Action::AttachInDefinition if !self.ground.state.ports.is_empty() => Phase::Attach,
            Action::Attach | Action::AttachInDefinition | Action::CleanUp | Action::Close => Phase::Cleanup,
            Action::Undo | Action::ReattachOnSource | Action::ReleaseClaims | Action::ResumeSource => Phase::Undo,
            _ => Phase::Verify,
        });
    }

    /// Looks at both until they say clearly where the guest is, or until two looks agree.
    fn look_until_steady(&mut self) -> Option<(Seen, Seen)> {
        let mut before = None;
        let (mut agreed, mut waited) = (Duration::ZERO, Duration::ZERO);
        while waited < PATIENCE {
            let seen = self.ground.look_at_both();
            let situation = Situation::of(&self.ground.state, &seen.0, &seen.1);
            self.take_in(situation);
            let same_connections = self.attempt.is_some() && !self.ground.has_reconnected();
            if same_connections && situation.is_clear() {
                return Some(seen);
            }
            let silent = matches!(seen, (Seen::Unreachable(_), _) | (_, Seen::Unreachable(_)));
            let enough = if same_connections && !silent { SETTLE } else { STEADY };
            if before == Some(situation) && agreed >= enough {
                return Some(seen);
            }
            let between = if self.attempt.is_some() { SOON } else { STEADY };
            agreed = if before == Some(situation) { agreed + between } else { between };
            before = Some(situation);
            self.ground.world.pause(between);
            waited += between;
        }
        None
    }

    fn take_in(&mut self, situation: Situation) {
        self.situation = Some(situation);
        if situation.place().is_some() || !situation.is_silent() {
            self.place = situation.place();
        }
    }

    /// A host is taken for dead on the operator's word, as long as its daemon does not speak for itself.
    fn take_word_of_death(&mut self, source: &Seen, destination: &Seen) -> Result<(), JournalError> {
        let mut is_dead = |said: bool, seen: &Seen, side| {
            let dead = said && matches!(seen, Seen::Unreachable(silence) if !silence.daemon_answers);
            if said && !dead {
                let what = match seen {
                    Seen::Unreachable(silence) => {
                        format!("its libvirt daemon answers, only not for the guest ({})", silence.why)
                    }
                    Seen::Absent | Seen::Present { .. } => "it answers".to_owned(),
                };
                let line = format!("  {} is not dead: {what}.", self.ground.name(side));
                self.ground.world.say(&line);
            }
            dead
        };
        let source_is_dead = is_dead(self.orders.source_is_dead, source, Side::Source);
        let destination_is_dead = is_dead(self.orders.destination_is_dead, destination, Side::Destination);
        let state = &self.ground.state;
        let source_is_dead = source_is_dead && !state.source_is_dead;
        let destination_is_dead = destination_is_dead && !state.destination_is_dead;
        if source_is_dead || destination_is_dead {
            self.ground.record(&Entry::Decision { keep: None, source_is_dead, destination_is_dead })?;
        }
        Ok(())
    }

    fn decide(&mut self, source: &Seen, destination: &Seen) -> (Situation, Decision) {
        let mut situation = Situation::of(&self.ground.state, source, destination);
        situation.keep = self.orders.keep.or(situation.keep);
        situation.halted = Halted::find(self.ground, source, destination);
        if situation.source == Answer::PausedMigration && situation.destination == Answer::Absent {
            let since = self.ground.performed();
            situation.never_ran = proof::never_ran(&self.ground.world.evidence(Side::Destination, since), since);
        }
        (situation, decide(situation))
    }

    /// The operator's choice goes into the journal where the table asks for one.
    fn record_choice(&mut self, decision: &Decision) -> Result<(), JournalError> {
        let Some(keep) = self.orders.keep else { return Ok(()) };
        if !decision.row.choices.iter().any(|(choice, _)| *choice == keep) {
            self.ground.world.say("  --keep has no meaning here.");
        } else if self.ground.state.keep != Some(keep) {
            self.ground.record(&Entry::Decision {
                keep: Some(keep),
                source_is_dead: false,
                destination_is_dead: false,
            })?;
        }
        Ok(())
    }

    /// Ends with a receipt: nothing is left to do. `words` say it where neither host's name and the losses do.
    fn close(&mut self, outcome: Outcome, place: Option<Side>, runs: Option<Side>, words: Option<String>) -> Next {
        let closing = self.closing_outcome(outcome, place, runs);
        if place != Some(Side::Destination)
            && let Err(why) = self.restore_autostart()
        {
            return Next::open(unrecorded(closing), format!("its autostart may not be as it was: {why}"));
        }
        // From here on a guest without the mark may still be the run that was being migrated. Without this record the mark
        // stays: recovery would take a guest that lacks it for one that was started anew.
        if self.ground.state.marked
            && let Err(error) = self.ground.announce("-", Step::RemoveMark)
        {
            return Next::open(unrecorded(closing), sentence(&error));
        }
        if let Err(why) = self.unmark(place) {
            // The connection may be all that is broken.
            if self.attempt.is_some() && !self.reconnected {
                self.reconnected = true;
                self.ground.give_up(Side::Source);
                self.ground.give_up(Side::Destination);
                return Next::Again;
            }
            let outcome = if place.is_some() { Outcome::Incomplete } else { Outcome::Unknown };
            return Next::open(outcome, format!("pvm's migration lock is still in the guest: {why}"));
        }
        let outcome = closing;
        let receipt = self.receipt(outcome, place, runs, self.closing_words(outcome, place, words));
        let entry = match place {
            Some(Side::Source) => Entry::Undone { receipt: receipt.clone() },
            // Nothing was undone where the guest has left the source, wherever it is now.
            None if self.ground.state.perform.is_none() => Entry::Undone { receipt: receipt.clone() },
            Some(Side::Destination) | None => Entry::Done { receipt: receipt.clone() },
        };
        match self.ground.record(&entry) {
            Ok(()) => Next::Closed { outcome, receipt: Box::new(receipt) },
            Err(error) => Next::open(unrecorded(outcome), sentence(&error)),
        }
    }

    /// Lets a guest that did not move start with the source again, where it is still defined.
    fn restore_autostart(&mut self) -> Result<(), String> {
        if !self.ground.state.has_no_autostart() || self.ground.is_dead(Side::Source) {
            return Ok(());
        }
        let there = self.ground.call(Side::Source, |host, uuid| host.domain(uuid))?;
        if !there.is_some_and(|guest| guest.persistent && !guest.autostart) {
            return Ok(());
        }
        make(self.ground, Some("-"), Step::RestoreAutostart).unwrap_or_else(|error| Err(sentence(&error)))
    }

    /// How it ends, with what the guest has lost. A state that is only not proved counts after a late failure, and on the
    /// destination if the operator wished so. What recovery calls a good end is one of a migration only if the guest has moved.
    fn closing_outcome(&self, outcome: Outcome, place: Option<Side>, runs: Option<Side>) -> Outcome {
        let state = &self.ground.state;
        let lost = match place.and_then(|side| state.verdict_at(Some(side))) {
            Some(Verdict::Lost { .. }) => true,
            Some(Verdict::NotVerified { .. }) => place == Some(Side::Source) || state.requires_proof(),
            Some(Verdict::Verified | Verdict::NothingToProve) | None => false,
        };
        if lost || (place.is_some() && !state.missing_ports().is_empty()) {
            return Outcome::Incomplete;
        }
        let Some(attempt) = &self.attempt else { return outcome };
        let moved = runs == Some(Side::Destination) && place == Some(Side::Destination);
        let undone = place == Some(Side::Source) || state.perform.is_none();
        match outcome {
            Outcome::Fine | Outcome::Undone if undone => {
                let own = attempt.failed.as_ref().map_or(Outcome::Undone, |failed| failed.outcome);
                let touched = state.perform.is_some() || state.ports.iter().any(|port| port.detached);
                match own {
                    Outcome::Interrupted if state.switched.is_none() => Outcome::Interrupted,
                    Outcome::Fine | Outcome::Unknown if state.plan.rehearsal && state.switched.is_none() => own,
                    Outcome::Findings | Outcome::Unknown if !touched => own,
                    _ => Outcome::Undone,
                }
            }
            // It was switched off since, or is gone with its host.
            Outcome::Fine if !moved => Outcome::Incomplete,
            outcome => outcome,
        }
    }

    fn closing_words(&self, outcome: Outcome, place: Option<Side>, words: Option<String>) -> String {
        let state = &self.ground.state;
        let losses = place.map_or(Vec::new(), |side| self.losses(side));
        match (words, place) {
            // Nothing was to be done: what the process knows comes first.
            (Some(words), _) if state.perform.is_none() && state.ports.is_empty() => match self.failed() {
                Some(why) if place.is_none() => format!("nothing was changed: {why}; {words}"),
                Some(why) => {
                    let told = self.told(place, Vec::new());
                    last_words(&Told { failed: Some(why), ..told }, outcome)
                }
                None => format!("nothing had been touched, {words}"),
            },
            (Some(words), _) => words::but(&words, &losses),
            (None, _) => {
                let mut text = last_words(&Told { failed: self.failed(), ..self.told(place, losses) }, outcome);
                if place == Some(Side::Source) && state.perform.is_some() {
                    text.push_str(&state.plan.left_of_copies());
                }
                text
            }
        }
    }

    fn told(&self, place: Option<Side>, losses: Vec<String>) -> Told<'_> {
        let guest = &self.ground.state.plan.instance.name;
        Told { guest, place: place.map(|side| (side, self.ground.name(side))), losses, ..Told::default() }
    }

    /// Why the guest did not move, as far as somebody said.
    fn failed(&self) -> Option<&str> {
        let own = self.attempt.as_ref().and_then(|attempt| attempt.failed.as_ref()).map(|failed| failed.why.as_str());
        own.or_else(|| self.ground.state.returned.as_ref()?.as_ref().err().map(String::as_str))
    }

    fn losses(&self, side: Side) -> Vec<String> {
        words::losses(self.ground.state.verdict_at(Some(side)), &self.ground.state.missing_ports(), side)
    }

    /// The end. What stays open is told with where the guest is and what it has lost so far.
    fn ending(&mut self, row: &'static str, next: Next) -> Ending {
        let (outcome, why, unanswered) = match next {
            Next::Closed { outcome, receipt } => {
                return Ending { outcome, row, closed: true, receipt: *receipt, taken: None };
            }
            Next::Open { outcome, why, unanswered } => (outcome, why, unanswered),
            Next::Again | Next::Close { .. } => unreachable!("the rounds go on until there is an end"),
        };
        let closed = self.ground.state.is_closed();
        let place = self.place;
        let outcome = self.open_outcome(outcome);
        let state = &self.ground.state;
        let missing: Vec<_> = state.missing_ports().into_iter().filter(|port| Some(*port) != unanswered).collect();
        let verdict = state.verdict_at(place);
        let losses = words::losses(verdict, &missing, place.unwrap_or(Side::Source));
        let see = self.attempt.as_ref().map(|_| format!("pvm recover {}", state.plan.id));
        let summary = if closed || (outcome == Outcome::Fine && self.attempt.is_none()) {
            why
        } else {
            let failed = self.attempt.as_ref().and_then(|_| self.failed());
            let open = match self.attempt {
                Some(_) if place.is_none() => format!("{why}; nothing is released"),
                _ => why,
            };
            let head = match self.attempt {
                Some(_) if place.is_none() => format!("where {} runs is not clear: ", state.plan.instance.name),
                _ => String::new(),
            };
            let told = Told { failed, open: Some(&open), see: see.as_deref(), ..self.told(place, losses) };
            head + &last_words(&told, outcome)
        };
        let receipt = self.receipt(outcome, place, place, summary);
        Ending { outcome, row, closed, receipt: Receipt { missing_ports: missing, ..receipt }, taken: None }
    }

    /// How it ends when something is still to come. For the process that made the migration that is never fine, and "nothing
    /// was changed" is only true when the guest was not touched.
    fn open_outcome(&self, outcome: Outcome) -> Outcome {
        let Some(attempt) = &self.attempt else { return outcome };
        let state = &self.ground.state;
        let untouched = !state.marked && state.ports.is_empty() && state.perform.is_none();
        let now = self.situation.and_then(|situation| situation.place());
        match (outcome, self.place) {
            (Outcome::Unknown | Outcome::Findings, _) if untouched => {
                attempt.failed.as_ref().map_or(Outcome::Unknown, |failed| unrecorded(failed.outcome))
            }
            (Outcome::Fine | Outcome::Unknown | Outcome::Findings, Some(_)) => Outcome::Incomplete,
            (Outcome::Fine | Outcome::Unknown | Outcome::Findings, None) => Outcome::Undecided,
            // It was known a moment ago, and only a host has fallen silent since.
            (Outcome::Undecided, Some(_)) if now.is_none() => Outcome::Incomplete,
            (outcome, _) => outcome,
        }
    }

    fn receipt(&self, outcome: Outcome, place: Option<Side>, runs: Option<Side>, summary: String) -> Receipt {
        let state = &self.ground.state;
        let job = self.attempt.as_ref().and_then(|attempt| attempt.job.as_ref());
        let number = |name| job.and_then(|job: &LibvirtJob| job.get(name));
        Receipt {
            exit_code: outcome.code(),
            summary,
            runs_on: runs.map(|side| self.ground.name(side).to_owned()),
            phases: self.ground.clock.as_ref().map_or(Vec::new(), super::event::Clock::phases),
            total_ms: match &self.ground.clock {
                Some(clock) => Some(super::event::milliseconds(clock.elapsed())),
                None => u64::try_from(now().since(state.begun)).ok(),
            },
            downtime_ms: number("downtime"),
            memory_bytes: number("memory_processed"),
            vfio_bytes: state.vfio_bytes.or(number("vfio_data_transferred")),
            verdict: state.verdict_at(place).cloned(),
            map: state.map.clone(),
            missing_ports: state.missing_ports(),
        }
    }

    /// Takes the mark off the guest, where it is or may be. A dead host, or one that the guest is not on, does not keep
    /// the migration open.
    fn unmark(&mut self, place: Option<Side>) -> Result<(), String> {
        if !self.ground.state.marked {
            return Ok(());
        }
        let id = self.ground.state.plan.id.clone();
        for side in [Side::Source, Side::Destination] {
            // Before libvirt was told to migrate, the guest was on the source, whether it answers or not.
            let untold = self.ground.state.perform.is_none();
            let needed = place == Some(side) || (side == Side::Source && untold);
            if side == Side::Destination && untold && !needed {
                continue;
            }
            match self.ground.call(side, |host, uuid| mark::remove(host, uuid, &id)) {
                Err(why) if needed && !self.ground.is_dead(side) => return Err(why),
                Ok(()) | Err(_) => {}
            }
        }
        Ok(())
    }
}

impl Situation {
    /// Whether both hosts say clearly, and in a way that only a finished call of libvirt leaves behind, who runs the guest.
    fn is_clear(&self) -> bool {
        let gone = |answer| matches!(answer, Answer::Absent | Answer::Off | Answer::OffMigrated);
        self.job == Job::None
            && match (self.source, self.destination) {
                (source, Answer::RunMigrated) => gone(source) || source == Answer::RunUnchanged,
                (Answer::RunUnchanged, destination) => gone(destination) || destination == Answer::OffOther,
                _ => false,
            }
    }
}
