//! What a journal's records come to: how far the migration is, and what recovery has to know of it. Pure.

use super::record::{Entry, Keep, PerformIntent, Plan, Port, Receipt, Record, Side, Step};
use crate::model::device_move::DeviceMove;
use crate::model::outcome::Outcome;
use crate::model::pci::PciAddress;
use crate::model::time::Timestamp;
use crate::proof::Verdict;

/// The last phase that was recorded: the first column of the decision table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Last {
    /// `plan`.
    Plan,
    /// `claim`.
    Claim,
    /// `recheck`.
    Recheck,
    /// `unplug-requested`.
    UnplugRequested,
    /// `detached`.
    Detached,
    /// `perform-intent`.
    PerformIntent,
    /// `switched`.
    Switched,
    /// `perform-returned` without an error.
    Returned,
    /// `perform-returned` with an error.
    Failed,
    /// `verify` of the destination, with the verdict lost.
    VerifyLost,
    /// `verify` of the destination, with any other verdict.
    Verify,
    /// `attach-intent`.
    AttachIntent,
    /// `attached`.
    Attached,
    /// `cleanup`.
    Cleanup,
    /// `undo-intent` or `undo-done`.
    Undo,
    /// `done`.
    Done,
    /// `undone`.
    Undone,
}

impl Last {
    /// Every value, in the order of a migration.
    pub const ALL: &[Self] = &[
        Self::Plan,
        Self::Claim,
        Self::Recheck,
        Self::UnplugRequested,
        Self::Detached,
        Self::PerformIntent,
        Self::Switched,
        Self::Returned,
        Self::Failed,
        Self::VerifyLost,
        Self::Verify,
        Self::AttachIntent,
        Self::Attached,
        Self::Cleanup,
        Self::Undo,
        Self::Done,
        Self::Undone,
    ];

    /// The record's name, for people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plan => "plan",
            Self::Claim => "claim",
            Self::Recheck => "recheck",
            Self::UnplugRequested => "unplug-requested",
            Self::Detached => "detached",
            Self::PerformIntent => "perform-intent",
            Self::Switched => "switched",
            Self::Returned => "perform-returned (success)",
            Self::Failed => "perform-returned (error)",
            Self::VerifyLost => "verify (lost)",
            Self::Verify => "verify",
            Self::AttachIntent => "attach-intent",
            Self::Attached => "attached",
            Self::Cleanup => "cleanup",
            Self::Undo => "undo",
            Self::Done => "done",
            Self::Undone => "undone",
        }
    }
}

/// A port and what was done to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortState {
    /// The port.
    pub port: Port,
    /// Whether the guest was seen to have let go of it.
    pub detached: bool,
    /// The device it was about to get on the destination.
    pub attach_intent: Option<PciAddress>,
    /// The device it has on the destination.
    pub attached: Option<PciAddress>,
    /// Whether it was plugged in on the source again.
    pub reattached: bool,
}

/// What a journal's records come to.
#[derive(Debug, Clone, PartialEq)]
pub struct State {
    /// The plan.
    pub plan: Plan,
    /// The last phase recorded.
    pub last: Last,
    /// When the first record was written.
    pub begun: Timestamp,
    /// When the last record was written.
    pub touched: Timestamp,
    /// The device map in force; its destinations are claimed until the end.
    pub map: Vec<DeviceMove>,
    /// Whether the guest was about to be marked.
    pub marked: bool,
    /// Whether that mark was about to be taken off again.
    pub unmarked: bool,
    /// Ports, in the order in which they were unplugged.
    pub ports: Vec<PortState>,
    /// The guest when libvirt was told to migrate it, and when that was. The last try counts.
    pub perform: Option<(Timestamp, PerformIntent)>,
    /// The id under which Nova files the migration that it was told to make.
    pub request: Option<String>,
    /// Whether Nova was about to be told to abort it.
    pub aborted: bool,
    /// When the source was seen paused for migration.
    pub switched: Option<Timestamp>,
    /// What libvirt's call came to: an error, or success.
    pub returned: Option<Result<(), String>>,
    /// Whether the source's daemon did not reach the destination's.
    pub peer_unreached: bool,
    /// Bytes of device state the source sent.
    pub vfio_bytes: Option<u64>,
    /// The verdict on the destination.
    pub verdict: Option<Verdict>,
    /// The verdict on the source, after a late failure.
    pub source_verdict: Option<Verdict>,
    /// Steps back that were made.
    pub undone_steps: Vec<Step>,
    /// Steps that recovery was about to make.
    pub recover_steps: Vec<Step>,
    /// Which copy the operator keeps.
    pub keep: Option<Keep>,
    /// Whether the operator said that the source will not come back.
    pub source_is_dead: bool,
    /// Whether the operator said that the destination will not come back.
    pub destination_is_dead: bool,
    /// The receipt, when it is over.
    pub receipt: Option<Receipt>,
}

/// What a migration came to, in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Came {
    /// The guest runs on the destination, and nothing is missing.
    Migrated,
    /// It is over, but something is missing or lost.
    Incomplete,
    /// The guest stayed on the source.
    Undone,
    /// It was a rehearsal.
    Rehearsed,
    /// It is under way, or has to be finished or undone.
    Unfinished,
}

impl Came {
    /// Each of them.
    pub(crate) const ALL: [Self; 5] =
        [Self::Migrated, Self::Incomplete, Self::Undone, Self::Rehearsed, Self::Unfinished];

    /// The word.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Migrated => "migrated",
            Self::Incomplete => "incomplete",
            Self::Undone => "undone",
            Self::Rehearsed => "rehearsed",
            Self::Unfinished => "unfinished",
        }
    }

    /// The one that has this word.
    pub(crate) fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|came| came.name() == word)
    }
}

impl State {
    /// What the migration came to.
    pub(crate) fn came(&self) -> Came {
        match (self.last, &self.receipt) {
            (Last::Done | Last::Undone, _) if self.plan.rehearsal => Came::Rehearsed,
            (Last::Done, Some(receipt)) if receipt.exit_code == Outcome::Fine.code() => Came::Migrated,
            (Last::Done, _) => Came::Incomplete,
            (Last::Undone, _) => Came::Undone,
            _ => Came::Unfinished,
        }
    }

    /// The state after these records; none when there is no plan, so that nothing had begun.
    pub fn of(records: &[Record]) -> Option<Self> {
        let (first, rest) = records.split_first()?;
        let Entry::Plan(plan) = &first.entry else { return None };
        let mut state = Self::begun((**plan).clone(), first.time);
        for record in rest {
            state.apply(record);
        }
        Some(state)
    }

    /// The state of a migration of which nothing but its plan is recorded.
    pub fn begun(plan: Plan, time: Timestamp) -> Self {
        Self {
            last: Last::Plan,
            begun: time,
            touched: time,
            map: plan.map.clone(),
            plan,
            marked: false,
            unmarked: false,
            ports: Vec::new(),
            perform: None,
            request: None,
            aborted: false,
            switched: None,
            returned: None,
            peer_unreached: false,
            vfio_bytes: None,
            verdict: None,
            source_verdict: None,
            undone_steps: Vec::new(),
            recover_steps: Vec::new(),
            keep: None,
            source_is_dead: false,
            destination_is_dead: false,
            receipt: None,
        }
    }

    /// Whether the autostart of the guest was about to be taken off on the source.
    pub fn has_no_autostart(&self) -> bool {
        self.perform.as_ref().is_some_and(|(_, intent)| intent.autostart_off)
    }

    /// Whether it is over.
    pub const fn is_closed(&self) -> bool {
        matches!(self.last, Last::Done | Last::Undone)
    }

    /// Ports the guest is without, as far as is recorded: unplugged, and plugged in nowhere since. Addresses on the source.
    pub fn missing_ports(&self) -> Vec<PciAddress> {
        let missing = |port: &&PortState| port.detached && port.attached.is_none() && !port.reattached;
        self.ports.iter().filter(missing).map(|port| port.port.source).collect()
    }

    /// The verdict on the devices of the guest on this host, as far as there is one; where the guest's place is not known, the
    /// one there is.
    pub fn verdict_at(&self, place: Option<Side>) -> Option<&Verdict> {
        // Before switch-over nothing had happened to them on the source.
        let on_source = self.source_verdict.as_ref().filter(|_| self.switched.is_some());
        match place {
            Some(Side::Source) => on_source,
            Some(Side::Destination) => self.verdict.as_ref(),
            None => self.verdict.as_ref().or(on_source),
        }
    }

    /// Whether a device state that could not be proved counts as lost.
    pub fn requires_proof(&self) -> bool {
        self.plan.parameters.require_proof
    }

    /// Whether the guest that this migration began with carries its mark, wherever it runs: it was set before the first
    /// change, and a guest that is started anew does not have it.
    pub fn must_be_marked(&self) -> bool {
        self.marked && !self.unmarked && (self.perform.is_some() || !self.ports.is_empty())
    }

    /// Whether recovery was about to make this step.
    pub fn has_begun(&self, step: &Step) -> bool {
        self.recover_steps.contains(step)
    }

    /// Takes one record in.
    pub fn apply(&mut self, record: &Record) {
        self.touched = record.time;
        match &record.entry {
            // The reader refuses a second plan.
            Entry::Plan(_) => {}
            Entry::Claim { map } => {
                self.map.clone_from(map);
                self.last = Last::Claim;
            }
            Entry::Recheck => self.last = Last::Recheck,
            Entry::MarkIntent => {
                self.marked = true;
                self.unmarked = false;
            }
            Entry::UnplugRequested { port } => {
                self.ports.push(PortState {
                    port: port.clone(),
                    detached: false,
                    attach_intent: None,
                    attached: None,
                    reattached: false,
                });
                self.last = Last::UnplugRequested;
            }
            Entry::Detached { source } => {
                self.port(*source, |port| port.detached = true);
                self.last = Last::Detached;
            }
            Entry::PerformIntent(intent) | Entry::NovaRequest(intent) => {
                self.perform = Some((record.time, intent.clone()));
                self.switched = None;
                self.returned = None;
                self.last = Last::PerformIntent;
            }
            Entry::NovaAccepted { request } => self.request.clone_from(request),
            Entry::NovaAbort { .. } => self.aborted = true,
            Entry::Reclaim { map } => self.map.clone_from(map),
            Entry::Switched => {
                self.switched = Some(record.time);
                self.last = Last::Switched;
            }
            Entry::PerformReturned { error, vfio_bytes, peer_unreached } => {
                (self.vfio_bytes, self.peer_unreached) = (*vfio_bytes, *peer_unreached);
                self.last = if error.is_some() { Last::Failed } else { Last::Returned };
                self.returned = Some(error.clone().map_or(Ok(()), Err));
            }
            // Made while the guest is being kept on the source: a part of that undo, not a phase of the move.
            Entry::Verify { side: Side::Source, verdict } => self.source_verdict = Some(verdict.clone()),
            Entry::Verify { side: Side::Destination, verdict } => {
                self.last = if verdict.is_lost() { Last::VerifyLost } else { Last::Verify };
                self.verdict = Some(verdict.clone());
            }
            Entry::Proof { verdict } => self.verdict = Some(verdict.clone()),
            Entry::AttachIntent { source, device } => {
                self.port(*source, |port| port.attach_intent = Some(*device));
                self.last = Last::AttachIntent;
            }
            Entry::Attached { source, device } => {
                self.port(*source, |port| port.attached = Some(*device));
                self.last = Last::Attached;
            }
            Entry::Cleanup => {
                self.unmarked = true;
                self.last = Last::Cleanup;
            }
            Entry::UndoIntent { step } => {
                self.unmarked |= *step == Step::RemoveMark;
                self.last = Last::Undo;
            }
            Entry::UndoDone { step } => {
                if let Step::ReattachOnSource { source } = step {
                    self.port(*source, |port| port.reattached = true);
                }
                self.undone_steps.push(step.clone());
                self.last = Last::Undo;
            }
            Entry::Decision { keep, source_is_dead, destination_is_dead } => {
                self.keep = keep.or(self.keep);
                self.source_is_dead |= source_is_dead;
                self.destination_is_dead |= destination_is_dead;
            }
            Entry::RecoverIntent { step, .. } => {
                self.unmarked |= *step == Step::RemoveMark;
                self.recover_steps.push(step.clone());
            }
            Entry::Done { receipt } => {
                self.receipt = Some(receipt.clone());
                self.last = Last::Done;
            }
            Entry::Undone { receipt } => {
                self.receipt = Some(receipt.clone());
                self.last = Last::Undone;
            }
        }
    }

    fn port(&mut self, source: PciAddress, change: impl FnOnce(&mut PortState)) {
        if let Some(port) = self.ports.iter_mut().find(|p| p.port.source == source) {
            change(port);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::device_move::Action;

    fn state(entries: &[Entry]) -> State {
        let records: Vec<Record> = std::iter::once(Entry::Plan(Box::default()))
            .chain(entries.iter().cloned())
            .enumerate()
            .map(|(i, entry)| Record { v: 1, seq: i as u64 + 1, time: Timestamp(i64::try_from(i).unwrap()), entry })
            .collect();
        State::of(&records).unwrap()
    }

    #[test]
    fn nothing_recorded_is_no_state() {
        assert_eq!(State::of(&[]), None);
    }

    #[test]
    fn a_new_map_after_a_taken_device_does_not_forget_what_was_unplugged() {
        let source = "0000:81:00.1".parse().unwrap();
        let port = Port {
            source,
            alias: None,
            source_xml: String::new(),
            destination_xml: String::new(),
            persistent: false,
            planned: None,
            alternatives: Vec::new(),
        };
        let map = vec![DeviceMove::new(source, "0000:c1:00.2".parse().unwrap(), Action::Reattach)];
        let state = state(&[
            Entry::Claim { map: Vec::new() },
            Entry::Recheck,
            Entry::UnplugRequested { port },
            Entry::Detached { source },
            Entry::PerformIntent(PerformIntent::default()),
            Entry::PerformReturned { error: Some("in use".into()), vfio_bytes: None, peer_unreached: false },
            Entry::Reclaim { map: map.clone() },
        ]);
        assert_eq!((state.last, state.map), (Last::Failed, map));
        assert!(state.ports[0].detached && !state.ports[0].reattached);
    }

    #[test]
    fn notes_of_recovery_are_no_phases() {
        let state = state(&[
            Entry::PerformIntent(PerformIntent::default()),
            Entry::Switched,
            Entry::Decision { keep: Some(Keep::Dst), source_is_dead: false, destination_is_dead: false },
            Entry::Decision { keep: None, source_is_dead: true, destination_is_dead: false },
            Entry::RecoverIntent { row: "15".into(), step: Step::SuspendSource },
            Entry::Verify { side: Side::Source, verdict: Verdict::Verified },
        ]);
        assert_eq!((state.last, state.keep), (Last::Switched, Some(Keep::Dst)));
        assert!(state.source_is_dead && !state.destination_is_dead);
        assert!(state.has_begun(&Step::SuspendSource) && !state.has_begun(&Step::DestroySource));
        assert_eq!(state.source_verdict, Some(Verdict::Verified));
        assert_eq!(state.touched, Timestamp(6));
    }

    #[test]
    fn a_second_try_starts_afresh() {
        let state = state(&[
            Entry::PerformIntent(PerformIntent { attempt: 1, ..PerformIntent::default() }),
            Entry::PerformReturned { error: Some("in use".into()), vfio_bytes: None, peer_unreached: false },
            Entry::PerformIntent(PerformIntent { attempt: 2, ..PerformIntent::default() }),
        ]);
        assert_eq!((state.last, state.returned), (Last::PerformIntent, None));
        assert_eq!(state.perform.unwrap().1.attempt, 2);
    }

    #[test]
    fn the_guest_must_carry_the_mark_from_the_first_change_to_its_removal() {
        let intent = Entry::PerformIntent(PerformIntent::default());
        assert!(!state(&[Entry::Recheck, Entry::MarkIntent]).must_be_marked(), "it may not have been set yet");
        assert!(state(&[Entry::MarkIntent, intent.clone()]).must_be_marked());
        assert!(!state(std::slice::from_ref(&intent)).must_be_marked(), "a journal of before marks");
        for over in [
            Entry::Cleanup,
            Entry::UndoIntent { step: Step::RemoveMark },
            Entry::RecoverIntent { row: "14".into(), step: Step::RemoveMark },
        ] {
            assert!(!state(&[Entry::MarkIntent, intent.clone(), over]).must_be_marked());
        }
    }
}
