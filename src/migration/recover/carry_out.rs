//! The actions of the table.

use std::time::Duration;

use super::answer::{Answer, Seen};
use super::port::{self, Plugged};
use super::run::{Next, Recovery, Rest};
use super::{Action, Decision, Exit, Situation, answer, downtime, words};
use crate::journal::{Entry, JournalError, Port, PortState, Side, Step, now};
use crate::libvirt::{Affect, Hypervisor, HypervisorError, State};
use crate::model::outcome::Outcome;
use crate::proof::{self, Question, Verdict};

/// How long a left-over incoming process is watched before it is destroyed.
const LEFT_OVER: Duration = Duration::from_secs(60);
/// How long the guest is given to let go of a port.
const UNPLUG: Duration = Duration::from_secs(60);
/// Between two looks while waiting.
const STEP: Duration = Duration::from_secs(2);

impl Recovery<'_> {
    /// Does what the table says. `source` and `destination` are what was seen for it.
    pub(super) fn act(
        &mut self,
        action: Action,
        decision: &Decision,
        source: &Seen,
        destination: &Seen,
    ) -> Result<Next, JournalError> {
        let guest = self.state.plan.instance.name.clone();
        match action {
            Action::Nothing => Ok(self.nothing(decision, source, destination)),
            Action::Show | Action::ShowXml => {
                self.show();
                Ok(self.nothing(decision, source, destination))
            }
            Action::ReleaseClaims => {
                let host = &self.state.plan.source.name;
                let (rest, is) = match source {
                    Seen::Present { state, .. } if state.is_active() => {
                        (Rest::Runs(Side::Source), format!("{guest} is where it was"))
                    }
                    Seen::Present { .. } => {
                        (Rest::Off(Side::Source), format!("{guest} does not run on {host} any more"))
                    }
                    Seen::Absent => (Rest::Elsewhere, format!("{guest} does not run on {host} any more")),
                    Seen::Unreachable(_) => {
                        (Rest::Elsewhere, format!("{host} does not answer, so nobody has looked where {guest} is"))
                    }
                };
                self.close(Outcome::Fine, rest, format!("nothing had been touched, {is}"))
            }
            Action::WaitForUnplug => Ok(self.wait_for_unplug()),
            Action::ReattachOnSource | Action::Undo => self.undo(action, source),
            Action::Follow | Action::WaitForSwitchover => self.follow(decision, source),
            Action::EndCancelled => self.end_cancelled(decision, source, destination),
            Action::Finish => self.prove_arrival(),
            Action::DestroySourceAndFinish => self.destroy(decision, Side::Source, source, destination),
            Action::ResumeSource => self.resume_source(decision),
            Action::DestroyIncoming => self.destroy_incoming(decision),
            Action::SuspendSource => self.suspend(decision, Side::Source, source),
            Action::SuspendDestination => self.suspend(decision, Side::Destination, destination),
            Action::KeepDestination => self.keep_destination(decision, source, destination),
            Action::CloseStartedAnew => self.close_started_anew(source, destination),
            Action::DestroyDestinationAndKeepSource => self.keep_source(decision, source, destination),
            Action::GiveUp => self.give_up(decision, source, destination),
            Action::RecordProof => self.record_proof(),
            Action::ResumeDestination => self.resume_destination(decision, destination),
            Action::AttachInDefinition => self.attach(destination, Affect::Config),
            Action::Attach => self.attach(destination, Affect::Live),
            Action::Close => self.close_moved_on(),
            Action::CleanUp => {
                self.note_plugged(destination)?;
                self.clean_up()
            }
        }
    }

    /// The end of a row that changes nothing.
    fn nothing(&self, decision: &Decision, source: &Seen, destination: &Seen) -> Next {
        let nothing = "nothing was changed";
        match decision.exit {
            // What is over needs no look at the hosts.
            Exit::Ends(Outcome::Fine) => Next::End(Outcome::Fine, nothing.into()),
            exit => {
                let outcome = match exit {
                    Exit::Ends(outcome) => outcome,
                    Exit::FineUnlessMissing | Exit::UndoneUnlessLost | Exit::Again => Outcome::Undecided,
                };
                let situation = Situation::of(&self.state, source, destination);
                Next::End(outcome, words::left_alone(&self.state, situation, nothing))
            }
        }
    }

    /// Calls a host. `Err`: its words.
    pub(super) fn call(
        &mut self,
        side: Side,
        call: impl FnOnce(&dyn Hypervisor, &str) -> Result<(), HypervisorError>,
    ) -> Result<(), String> {
        let uuid = self.state.plan.instance.uuid.clone();
        self.host(side).and_then(|host| call(host, &uuid).map_err(|e| e.to_string()))
    }

    pub(super) fn show(&mut self) {
        for line in words::commands(&self.state) {
            self.world.say(&line);
        }
        for port in self.state.ports.clone() {
            self.world.say(&format!("    port {}:", port.port.source));
            for line in port.port.source_xml.lines() {
                self.world.say(&format!("      {line}"));
            }
        }
    }

    /// Makes the proof on one side.
    fn prove(&mut self, side: Side) -> Verdict {
        let on_side = if side == Side::Source { proof::Device::on_source } else { proof::Device::on_destination };
        let devices: Vec<_> = self.state.map.iter().filter(|moved| moved.moves_state()).map(on_side).collect();
        if devices.is_empty() {
            return Verdict::NothingToProve;
        }
        let vfio_bytes = self.state.vfio_bytes;
        let (since, running) = (self.performed(), now());
        let received = self.world.evidence(side, since);
        let question = Question { devices: &devices, since, running, vfio_bytes };
        match side {
            Side::Source => proof::stayed(&received, &question),
            Side::Destination => proof::arrived(&received, &question),
        }
    }

    fn prove_arrival(&mut self) -> Result<Next, JournalError> {
        // A verdict once recorded stands: logs rotate.
        let verdict = match self.state.verdict.clone() {
            Some(verdict) => verdict,
            None => self.prove(Side::Destination),
        };
        self.world.say(&format!("  Device state: {verdict}."));
        self.record(&Entry::Verify { side: Side::Destination, verdict })?;
        Ok(Next::Again)
    }

    fn record_proof(&mut self) -> Result<Next, JournalError> {
        if self.state.verdict.is_none() {
            let verdict = self.prove(Side::Destination);
            self.world.say(&format!("  Device state: {verdict}."));
            // What could not be shown now may be shown later.
            if verdict.is_lost() || verdict.is_certain() {
                self.record(&Entry::Proof { verdict })?;
            }
        }
        let (source, destination) = (&self.state.plan.source.name, &self.state.plan.destination.name);
        let summary = format!("it runs on {destination}; {source} does not answer and may run it too");
        Ok(Next::End(Outcome::Undecided, summary))
    }

    /// Destroys one copy after a last look: both hosts have to be as they were when the table was asked.
    pub(super) fn destroy(
        &mut self,
        decision: &Decision,
        side: Side,
        source: &Seen,
        destination: &Seen,
    ) -> Result<Next, JournalError> {
        if self.look_at(Side::Source) != *source || self.look_at(Side::Destination) != *destination {
            return Ok(Next::Again);
        }
        let step = if side == Side::Source { Step::DestroySource } else { Step::DestroyDestination };
        self.announce(decision, step)?;
        Ok(match self.call(side, |host, uuid| host.destroy(uuid)) {
            Ok(()) => Next::Again,
            Err(why) => Next::End(Outcome::Undecided, why),
        })
    }

    /// Ends a cancelled migration that waits for ever, if it still does.
    fn end_cancelled(&mut self, decision: &Decision, source: &Seen, destination: &Seen) -> Result<Next, JournalError> {
        let Some(halted) = self.halted(source, destination) else { return Ok(Next::Again) };
        self.announce(decision, halted.step())?;
        Ok(match self.call(Side::Source, |host, uuid| halted.end(host, uuid)) {
            Ok(()) => Next::Again,
            Err(why) => Next::End(Outcome::Undecided, why),
        })
    }

    fn destroy_incoming(&mut self, decision: &Decision) -> Result<Next, JournalError> {
        let mut waited = Duration::ZERO;
        loop {
            let (source, destination) = (self.look_at(Side::Source), self.look_at(Side::Destination));
            let as_before = answer::source(&source, &self.state) == Answer::RunUnchanged
                && source.job() == answer::Job::None
                && answer::destination(&destination, &self.state) == Answer::Incoming;
            if !as_before {
                return Ok(Next::Again);
            }
            if waited >= LEFT_OVER {
                return self.destroy(decision, Side::Destination, &source, &destination);
            }
            self.world.pause(STEP);
            waited += STEP;
        }
    }

    fn resume_source(&mut self, decision: &Decision) -> Result<Next, JournalError> {
        self.announce(decision, Step::ResumeSource)?;
        if let Err(why) = self.call(Side::Source, |host, uuid| host.resume(uuid)) {
            return Ok(Next::End(Outcome::Undecided, why));
        }
        // From here on it is an undo.
        self.record(&Entry::UndoDone { step: Step::ResumeSource })?;
        Ok(Next::Again)
    }

    fn resume_destination(&mut self, decision: &Decision, destination: &Seen) -> Result<Next, JournalError> {
        let refused = |why: String| Ok(Next::End(Outcome::Undecided, why));
        if answer::destination(destination, &self.state) != Answer::PausedMigration {
            return refused("it still waits for its state: it cannot be resumed".into());
        }
        let verdict = self.prove(Side::Destination);
        if !verdict.is_certain() {
            return refused(format!("it is not resumed, its device state is {verdict}"));
        }
        self.announce(decision, Step::ResumeDestination)?;
        match self.call(Side::Destination, |host, uuid| host.resume(uuid)) {
            Ok(()) => Ok(Next::Again),
            Err(why) => refused(why),
        }
    }

    /// Destroys the source's copy, which is the last one.
    fn give_up(&mut self, decision: &Decision, source: &Seen, destination: &Seen) -> Result<Next, JournalError> {
        if let end @ Next::End(..) = self.destroy(decision, Side::Source, source, destination)? {
            return Ok(end);
        }
        match self.look_at(Side::Source) {
            Seen::Present { state, .. } if state.is_active() => Ok(Next::Again),
            // Not what was to be destroyed, or not destroyed: the table decides anew.
            Seen::Unreachable(_) => Ok(Next::Again),
            Seen::Present { .. } | Seen::Absent => {
                let summary = format!("{} was given up: it runs nowhere", self.state.plan.instance.name);
                self.close(Outcome::Incomplete, Rest::Elsewhere, summary)
            }
        }
    }

    /// Others have taken it further: nothing of theirs is touched.
    fn close_moved_on(&mut self) -> Result<Next, JournalError> {
        let head = format!("{} was moved on by others", self.state.plan.instance.name);
        let (outcome, summary) = self.sum_up(Outcome::Fine, Side::Destination, &head, "");
        self.close(outcome, Rest::Elsewhere, summary)
    }

    fn keep_source(&mut self, decision: &Decision, source: &Seen, destination: &Seen) -> Result<Next, JournalError> {
        if let end @ Next::End(..) = self.destroy(decision, Side::Destination, source, destination)? {
            return Ok(end);
        }
        match self.look_at(Side::Destination) {
            Seen::Absent => {}
            Seen::Present { state, .. } if !state.is_active() => {}
            // Not what was to be destroyed, or not destroyed: the table decides anew.
            Seen::Present { .. } | Seen::Unreachable(_) => return Ok(Next::Again),
        }
        let source = self.look_at(Side::Source);
        if answer::source(&source, &self.state) == Answer::PausedByPvm {
            return self.resume_source(decision);
        }
        self.record(&Entry::UndoDone { step: Step::DestroyDestination })?;
        Ok(Next::Again)
    }

    fn wait_for_unplug(&mut self) -> Next {
        let mut waited = Duration::ZERO;
        while waited < UNPLUG {
            self.world.pause(STEP);
            waited += STEP;
            let seen = self.look_at(Side::Source);
            if !answer::ports_there(&seen, &self.state) {
                return Next::Again;
            }
        }
        Next::End(
            Outcome::Incomplete,
            "the guest still has the port it was asked to give back; it may yet obey, so the record stays open".into(),
        )
    }

    /// Makes the source whole again and closes.
    fn undo(&mut self, action: Action, source: &Seen) -> Result<Next, JournalError> {
        let switched = self.state.switched.is_some();
        if switched && self.state.source_verdict.is_none() {
            let verdict = self.prove(Side::Source);
            self.world.say(&format!("  Device state: {verdict}."));
            self.record(&Entry::Verify { side: Side::Source, verdict })?;
        }
        let there = match source {
            Seen::Present { devices, .. } => devices.clone(),
            Seen::Absent | Seen::Unreachable(_) => Vec::new(),
        };
        let (plugged, missing): (Vec<PortState>, Vec<PortState>) = (self.state.ports.iter())
            .filter(|port| !port.reattached)
            .cloned()
            .partition(|port| there.contains(&port.port.source));
        // What is in again may lack only its record.
        for PortState { port, .. } in plugged.iter().filter(|port| port.detached) {
            self.record(&Entry::UndoDone { step: Step::ReattachOnSource { source: port.source } })?;
        }
        for PortState { port, .. } in missing {
            let step = Step::ReattachOnSource { source: port.source };
            self.record(&Entry::UndoIntent { step: step.clone() })?;
            let plugged =
                self.call(Side::Source, |host, uuid| host.attach_device(uuid, &port.source_xml, Affect::Live));
            if let Err(why) = plugged {
                let summary = format!("port {} could not be plugged in again: {why}", port.source);
                return Ok(Next::End(Outcome::Incomplete, summary));
            }
            self.record(&Entry::UndoDone { step })?;
        }
        let limit = self.state.perform.as_ref().and_then(|(_, intent)| intent.max_downtime_ms);
        if let Err(why) = self.call(Side::Source, |host, uuid| downtime::restore(host, uuid, limit)) {
            self.world.say(&format!("  the limit of the pause is not as it was: {why}"));
        }
        if let Some(PortState { port, .. }) = plugged.iter().find(|port| !port.detached) {
            let summary = format!("the guest was asked to let go of port {} and may yet obey", port.source);
            return Ok(Next::End(Outcome::Incomplete, summary));
        }
        let (guest, host) = (self.state.plan.instance.name.clone(), self.state.plan.source.name.clone());
        let outcome = if action == Action::ReattachOnSource { Outcome::Fine } else { Outcome::Undone };
        let (outcome, summary) =
            self.sum_up(outcome, Side::Source, &format!("{guest} runs on {host}"), ", all is undone");
        let copies = match self.state.perform {
            Some(_) => self.state.plan.left_of_copies(),
            None => String::new(),
        };
        self.close(outcome, Rest::Runs(Side::Source), summary + &copies)
    }

    /// Records the ports that are in the guest on the destination, and of which only the record is missing.
    fn note_plugged(&mut self, destination: &Seen) -> Result<(), JournalError> {
        let Seen::Present { devices: there, .. } = destination else { return Ok(()) };
        for PortState { port, attached, attach_intent, .. } in self.state.ports.clone() {
            let planned = self.state.map.iter().find(|m| m.source == port.source).map(|m| m.destination);
            let tried = [attached, attach_intent, planned, port.planned].into_iter().flatten();
            let is_in = tried.chain(port.alternatives.iter().copied()).find(|device| there.contains(device));
            if let Some(device) = is_in.filter(|device| attached != Some(*device)) {
                self.record(&Entry::Attached { source: port.source, device })?;
            }
        }
        Ok(())
    }

    /// Plugs missing ports in on the destination, then cleans up and closes.
    fn attach(&mut self, destination: &Seen, affect: Affect) -> Result<Next, JournalError> {
        self.note_plugged(destination)?;
        let there = match destination {
            Seen::Present { devices, .. } => devices.clone(),
            Seen::Absent | Seen::Unreachable(_) => Vec::new(),
        };
        for PortState { port, attached, .. } in self.state.ports.clone() {
            if attached.is_some_and(|device| there.contains(&device)) {
                continue;
            }
            let summary = match self.plug_in(&port, affect)? {
                Plugged::In(_) => continue,
                Plugged::Missing(why) => format!("port {} could not be plugged in: {why}", port.source),
                Plugged::Unanswered(why) => {
                    self.unanswered = Some(port.source);
                    format!("whether port {} is plugged in is not known: {why}", port.source)
                }
            };
            return Ok(Next::End(Outcome::Incomplete, summary));
        }
        self.clean_up()
    }

    fn plug_in(&mut self, port: &Port, affect: Affect) -> Result<Plugged, JournalError> {
        if let Err(why) = self.host(Side::Destination) {
            return Ok(Plugged::Unanswered(why));
        }
        let Some(host) = self.destination.take() else { return Ok(Plugged::Unanswered("no connection".into())) };
        let (uuid, map) = (self.state.plan.instance.uuid.clone(), self.state.map.clone());
        let plugged = port::plug_in(host.as_ref(), &uuid, port, &map, affect, |entry| self.record(entry));
        self.destination = Some(host);
        plugged
    }

    /// Removes what the move leaves over, and closes.
    fn clean_up(&mut self) -> Result<Next, JournalError> {
        self.record(&Entry::Cleanup)?;
        let (guest, host) = (self.state.plan.instance.name.clone(), self.state.plan.destination.name.clone());
        let (rest, head) = match self.look_at(Side::Destination) {
            Seen::Present { state: State::ShutOff { migrated: true }, .. } => return self.close_moved_on(),
            Seen::Present { state, .. } if state.is_active() => {
                (Rest::Runs(Side::Destination), format!("{guest} is on {host}"))
            }
            Seen::Present { .. } => (Rest::Off(Side::Destination), format!("{guest} is on {host}, switched off")),
            // It was switched off, or its host lost power. The last definition, if there is one, is not removed.
            Seen::Absent => {
                let summary = format!("the move is over, but {host} does not have {guest} any more");
                return self.close(Outcome::Fine, Rest::Elsewhere, summary);
            }
            Seen::Unreachable(why) => {
                return Ok(Next::End(Outcome::Incomplete, format!("{host} does not answer: {why}")));
            }
        };
        if self.state.plan.undefine_source && !self.state.source_is_dead {
            let source = self.state.plan.source.name.clone();
            let removed = match self.look_at(Side::Source) {
                Seen::Unreachable(why) => {
                    Err(format!("{source} does not answer, its old definition may be there: {why}"))
                }
                // The definition goes only where it is off: a copy that runs is another row's matter.
                Seen::Present { state, .. } if !state.is_active() => self
                    .call(Side::Source, |host, uuid| host.undefine(uuid))
                    .map_err(|why| format!("its old definition is still on {source}: {why}")),
                Seen::Present { .. } | Seen::Absent => Ok(()),
            };
            if let Err(why) = removed {
                return Ok(Next::End(Outcome::Incomplete, why));
            }
        }
        if self.state.plan.autostart && self.state.plan.persist_destination {
            let carried = self.call(Side::Destination, |host, uuid| host.set_autostart(uuid, true));
            if let Err(why) = carried {
                return Ok(Next::End(Outcome::Incomplete, format!("autostart was not carried over: {why}")));
            }
        }
        let (outcome, summary) = self.sum_up(Outcome::Fine, Side::Destination, &head, "");
        self.close(outcome, rest, summary)
    }
}
