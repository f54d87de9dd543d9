//! The mark that travels with the guest: set before anything is touched, taken off at the end, wherever the guest is.

use super::engine::Engine;
use super::event::What;
use super::step::Phase;
use crate::journal::mark::Marked;
use crate::journal::{Entry, Mark, Side};
use crate::libvirt;
use crate::migration::recover::mark;

impl Engine<'_> {
    /// Marks the guest, recorded first, and looks whether the mark is there: another machine may have been faster.
    pub(super) fn mark(&mut self) -> Result<(), String> {
        self.announce(&Entry::MarkIntent)?;
        let phase = if self.order.ports.is_empty() { Phase::Perform } else { Phase::Detach };
        self.set_mark(Side::Source, phase).map_err(|e| e.to_string())?;
        match mark::obstacle(self.hosts.source, &self.order.instance.uuid, |id| id == self.order.id) {
            Ok(None) => Ok(()),
            Ok(Some(why)) => Err(format!("the guest {why}")),
            Err(e) => Err(e.to_string()),
        }
    }

    fn set_mark(&self, side: Side, phase: Phase) -> libvirt::Result<()> {
        let mark = Mark {
            id: self.order.id.clone(),
            phase: phase.name().to_owned(),
            machine: self.order.machine.clone(),
            source: self.order.source.clone(),
            destination: self.order.destination.clone(),
            ports: self.order.ports.iter().map(Marked::of).collect(),
        };
        let host = match side {
            Side::Source => self.hosts.source,
            Side::Destination => self.hosts.destination,
        };
        mark::set(host, &self.order.instance.uuid, &mark)
    }

    /// Writes the phase into the mark of a guest that has ports unplugged: without the journal it tells what is missing.
    pub(super) fn mark_phase(&mut self, side: Side, phase: Phase) {
        if !self.order.ports.is_empty()
            && let Err(e) = self.set_mark(side, phase)
        {
            self.say(What::Note { message: format!("the guest's mark still tells an earlier phase: {e}") });
        }
    }

    /// Takes the mark off. One that stays is no harm to the guest, but other machines will not migrate it.
    pub(super) fn unmark(&self, side: Side) -> Result<(), String> {
        let host = match side {
            Side::Source => self.hosts.source,
            Side::Destination => self.hosts.destination,
        };
        mark::remove(host, &self.order.instance.uuid, &self.order.id)
            .map_err(|e| format!("pvm's mark is still in the guest: {e}"))
    }
}
