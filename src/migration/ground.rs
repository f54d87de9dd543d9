//! What every phase and every step stands on: the two hosts, the journal, and the world around them.

use std::sync::Arc;
use std::time::Duration;

use super::answer::Seen;
use super::event::{Clock, Event, Phase, What};
use super::look::look;
use crate::journal::record::VERSION;
use crate::journal::{self, Entry, Journal, JournalError, Record, Side, State, Step, Store};
use crate::libvirt::{Hypervisor, HypervisorError};
use crate::model::both::both;
use crate::model::causes::sentence;
use crate::model::time::Timestamp;
use crate::proof::Received;

/// What a migration needs besides its journal.
pub(crate) trait World {
    /// Connects to a host.
    fn connect(&self, side: Side) -> Result<Box<dyn Hypervisor>, String>;
    /// Reads a host's logs about the guest.
    fn evidence(&self, side: Side, since: Timestamp) -> Received;
    /// Waits.
    fn pause(&self, time: Duration);
    /// Tells the operator what was found and what is done.
    fn say(&mut self, line: &str);
    /// Tells what happens in a migration that this very process makes.
    fn tell(&mut self, event: &Event);
}

/// Both hosts, the journal and the world of one migration. The caller holds the guest's lock.
pub(crate) struct Ground<'a> {
    /// Everything else that is needed.
    pub world: &'a mut dyn World,
    /// What the journal says so far.
    pub state: State,
    /// The time of each phase, when this very process makes the migration.
    pub clock: Option<Clock>,
    journal: &'a mut Journal,
    source: Option<Arc<dyn Hypervisor>>,
    destination: Option<Arc<dyn Hypervisor>>,
    /// Whether a connection was opened anew.
    reconnected: bool,
    /// Whether a record could not be written, which was said.
    incomplete: bool,
}

impl std::fmt::Debug for Ground<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ground").field("state", &self.state).finish_non_exhaustive()
    }
}

impl<'a> Ground<'a> {
    /// The ground of the migration of this journal; its hosts are connected to when they are asked.
    pub(crate) fn new(world: &'a mut dyn World, journal: &'a mut Journal, state: State) -> Self {
        Self {
            world,
            state,
            clock: None,
            journal,
            source: None,
            destination: None,
            reconnected: false,
            incomplete: false,
        }
    }

    /// The same ground with connections that are open, for the process that makes the migration, and what to call the source.
    #[must_use]
    pub(crate) fn connected(mut self, source: Arc<dyn Hypervisor>, destination: Arc<dyn Hypervisor>) -> Self {
        (self.source, self.destination, self.clock) = (Some(source), Some(destination), Some(Clock::start()));
        self
    }

    /// Whether a connection was opened anew since the beginning.
    pub(crate) fn has_reconnected(&self) -> bool {
        self.reconnected
    }

    /// The journals of this machine.
    pub(crate) fn store(&self) -> Store {
        self.journal.store().clone()
    }

    /// The guest's UUID.
    pub(crate) fn uuid(&self) -> String {
        self.state.plan.instance.uuid.clone()
    }

    /// What a host is called.
    pub(crate) fn name(&self, side: Side) -> &str {
        match side {
            // A recovery may run elsewhere, and its other lines have the operator's word.
            Side::Source if self.clock.is_some() => &self.state.plan.source_label,
            Side::Source => &self.state.plan.source.name,
            Side::Destination => &self.state.plan.destination.name,
        }
    }

    /// Whether the operator said that this host will not come back.
    pub(crate) fn is_dead(&self, side: Side) -> bool {
        match side {
            Side::Source => self.state.source_is_dead,
            Side::Destination => self.state.destination_is_dead,
        }
    }

    fn slot(&mut self, side: Side) -> &mut Option<Arc<dyn Hypervisor>> {
        match side {
            Side::Source => &mut self.source,
            Side::Destination => &mut self.destination,
        }
    }

    /// The connection to a host, opened when there is none.
    pub(crate) fn host(&mut self, side: Side) -> Result<Arc<dyn Hypervisor>, String> {
        if let Some(host) = self.slot(side) {
            return Ok(Arc::clone(host));
        }
        let host: Arc<dyn Hypervisor> = Arc::from(self.world.connect(side)?);
        *self.slot(side) = Some(Arc::clone(&host));
        self.reconnected = true;
        Ok(host)
    }

    /// Gives a connection up, so that the next call opens another.
    pub(crate) fn give_up(&mut self, side: Side) {
        *self.slot(side) = None;
    }

    /// Looks at one host. A connection that does not answer is given up.
    pub(crate) fn look(&mut self, side: Side) -> Seen {
        let seen = seen(self.host(side), &self.state.plan.instance.uuid);
        self.looked(side, seen)
    }

    /// Looks at the source and at the destination, at the same time.
    pub(crate) fn look_at_both(&mut self) -> (Seen, Seen) {
        let (source, destination) = (self.host(Side::Source), self.host(Side::Destination));
        let uuid = &self.state.plan.instance.uuid;
        let (source, destination) = both(|| seen(source, uuid), || seen(destination, uuid));
        (self.looked(Side::Source, source), self.looked(Side::Destination, destination))
    }

    fn looked(&mut self, side: Side, seen: Seen) -> Seen {
        if matches!(seen, Seen::Unreachable(_)) {
            self.give_up(side);
        }
        seen
    }

    /// Calls a host about the guest. `Err`: its words.
    pub(crate) fn call<T>(
        &mut self,
        side: Side,
        call: impl FnOnce(&dyn Hypervisor, &str) -> Result<T, HypervisorError>,
    ) -> Result<T, String> {
        self.host(side).and_then(|host| call(host.as_ref(), &self.state.plan.instance.uuid).map_err(|e| e.to_string()))
    }

    /// Writes a record and takes it in. Without it the change that it announces is not made.
    pub(crate) fn record(&mut self, entry: &Entry) -> Result<(), JournalError> {
        let record = self.journal.append(entry)?;
        self.state.apply(&record);
        Ok(())
    }

    /// Writes a record of what was seen, or of what the guest is to get back. In the process that makes the migration it is
    /// taken in also when it cannot be written: the guest gets its ports nevertheless, which a later look at it recognises,
    /// and the journal stays open.
    pub(crate) fn note_down(&mut self, entry: &Entry) -> Result<(), JournalError> {
        let Err(error) = self.record(entry) else { return Ok(()) };
        if self.clock.is_none() {
            return Err(error);
        }
        if !std::mem::replace(&mut self.incomplete, true) {
            self.note(&sentence(&error));
        }
        self.state.apply(&Record { v: VERSION, seq: 0, time: journal::now(), entry: entry.clone() });
        Ok(())
    }

    /// Announces a step that is no phase.
    pub(crate) fn announce(&mut self, row: &str, step: Step) -> Result<(), JournalError> {
        self.record(&Entry::RecoverIntent { row: row.to_owned(), step })
    }

    /// When libvirt was told to migrate.
    pub(crate) fn performed(&self) -> Timestamp {
        self.state.perform.as_ref().map_or(self.state.begun, |(when, _)| *when)
    }

    /// Tells an event of the migration that this process makes.
    pub(crate) fn tell(&mut self, what: What) {
        if let Some(clock) = &self.clock {
            let event = Event { time: journal::now(), id: self.state.plan.id.clone(), phase: clock.phase(), what };
            self.world.tell(&event);
        }
    }

    /// Begins a phase, in the process that makes the migration.
    pub(crate) fn enter(&mut self, phase: Phase) {
        if self.clock.as_mut().is_some_and(|clock| clock.enter(phase)) && phase != Phase::Done {
            self.tell(What::Begun);
        }
    }

    /// Says something worth knowing that changes nothing.
    pub(crate) fn note(&mut self, message: &str) {
        if self.clock.is_some() {
            self.tell(What::Note { message: message.to_owned() });
        } else {
            self.world.say(&format!("  {message}"));
        }
    }
}

fn seen(host: Result<Arc<dyn Hypervisor>, String>, uuid: &str) -> Seen {
    host.map_or_else(|why| Seen::Unreachable(why.into()), |host| look(host.as_ref(), uuid))
}
