//! The mark that travels with the guest: set before anything is touched, taken off at the end, wherever the guest is.

use super::engine::Engine;
use super::event::What;
use super::step::{News, Phase};
use crate::journal::mark::Marked;
use crate::journal::{Entry, Mark, Side};
use crate::libvirt;
use crate::migration::recover::mark;
use crate::model::outcome::Outcome;

impl Engine<'_> {
    /// Takes the guest's migration lock, recorded first. Another machine may be at it at this very moment.
    pub(super) fn mark(&mut self) -> News {
        if let Err(why) = self.announce(&Entry::MarkIntent) {
            return News::Failed { why, outcome: Outcome::Unknown };
        }
        let phase = if self.order.ports.is_empty() { Phase::Perform } else { Phase::Detach };
        let (host, uuid) = (self.hosts.source, &self.order.instance.uuid);
        let known = |id: &str| self.order.known_marks.iter().any(|known| known == id);
        match mark::take(host, uuid, &self.mark_of(phase), known, std::thread::sleep) {
            Ok(Ok(())) => News::Rechecked,
            Ok(Err(why)) => self.refused(format!("the guest {why}"), Outcome::Findings),
            Err(e) => self.refused(e.to_string(), Outcome::Unknown),
        }
    }

    /// A failure before anything was changed. The guest "stays" only if it is still there: a call that waited for another's
    /// migration comes back when that one is over.
    pub(super) fn refused(&self, why: String, outcome: Outcome) -> News {
        match self.hosts.source.domain(&self.order.instance.uuid) {
            Ok(Some(guest)) if guest.state.is_active() => News::Failed { why, outcome },
            Ok(_) => News::Gone { why: format!("the guest has left {}: {why}", self.order.source_label) },
            Err(e) => News::Gone {
                why: format!("{why}; and {} does not say whether it has the guest: {e}", self.order.source_label),
            },
        }
    }

    /// Looks once more whether the lock is this migration's: right before what hurts if it is not.
    pub(super) fn still_locked(&self) -> Result<(), String> {
        match mark::holds(self.hosts.source, &self.order.instance.uuid, &self.order.id) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(why)) => Err(format!("the guest {why}")),
            Err(e) => Err(e.to_string()),
        }
    }

    fn mark_of(&self, phase: Phase) -> Mark {
        Mark {
            id: self.order.id.clone(),
            phase: phase.name().to_owned(),
            machine: self.order.machine.clone(),
            source: self.order.source.clone(),
            destination: self.order.destination.clone(),
            ports: self.order.ports.iter().map(Marked::of).collect(),
        }
    }

    fn set_mark(&self, side: Side, phase: Phase) -> libvirt::Result<()> {
        let host = match side {
            Side::Source => self.hosts.source,
            Side::Destination => self.hosts.destination,
        };
        mark::set(host, &self.order.instance.uuid, &self.mark_of(phase))
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
