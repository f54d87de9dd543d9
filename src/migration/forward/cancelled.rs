//! A job that was cancelled at the moment of switch-over and does not end by itself: it is looked for, and ended.

use std::time::{Duration, Instant};

use super::engine::{Engine, now};
use super::event::What;
use crate::journal::Entry;
use crate::migration::recover::Halted;
use crate::migration::recover::answer;
use crate::migration::recover::look::look;

/// A switch-over or an abort that takes no longer needs no look.
const PATIENCE: Duration = Duration::from_secs(5);
/// Between two looks.
const BETWEEN: Duration = Duration::from_secs(3);

/// What was seen of a job that should be at its end.
#[derive(Debug, Default)]
pub(super) struct Lingering {
    since: Option<Instant>,
    looked: Option<Instant>,
    seen: Option<Halted>,
    told: bool,
}

impl Engine<'_> {
    /// Looks now and then, once the job should be near its end, whether it is cancelled and waits for ever. What two looks
    /// agree on is ended; libvirt then ends the job, and its call returns.
    pub(super) fn see_to_cancelled(&mut self, lingering: &mut Lingering) {
        if !self.state.switched() && !self.state.is_stopping() {
            return;
        }
        let since = *lingering.since.get_or_insert_with(now);
        if since.elapsed() < PATIENCE || lingering.looked.is_some_and(|looked| looked.elapsed() < BETWEEN) {
            return;
        }
        let before = lingering.seen.take();
        lingering.seen = self.halted();
        lingering.looked = Some(now());
        let Some(halted) = lingering.seen.filter(|halted| before == Some(*halted)) else { return };
        if let Err(message) = self.announce(&Entry::RecoverIntent { row: halted.row().into(), step: halted.step() }) {
            self.say(What::Note { message });
            return;
        }
        let host = self.order.source_label.clone();
        if !lingering.told {
            lingering.told = true;
            self.say(What::Note { message: format!("{host}: {}: it is ended", halted.words()) });
        }
        if let Err(e) = halted.end(self.hosts.source, &self.order.instance.uuid) {
            self.say(What::Note {
                message: format!(
                    "the cancelled job could not be ended: {e}; the guests of {host} go on when its libvirt daemon is restarted"
                ),
            });
        }
        lingering.seen = None;
    }

    fn halted(&self) -> Option<Halted> {
        let uuid = &self.order.instance.uuid;
        let seen = look(self.hosts.source, uuid);
        let source = answer::source(&seen, &self.recorded);
        let destination = answer::destination(&look(self.hosts.destination, uuid), &self.recorded);
        if !Halted::is_possible(source, destination, seen.job()) {
            return None;
        }
        Halted::ask(self.hosts.source, uuid, source)
    }
}
