//! Who learns of a migration that is carried out for another command.

use std::sync::mpsc::Sender;

use crate::commands::Stop;
use crate::journal;
use crate::migration::event::Event;
use crate::migration::forward::Note;

/// Who carries the migration out.
pub(in crate::commands) trait Follow {
    /// Learns of the migration before its journal is made; it hears of a wish to stop by `line`.
    fn begin(&self, migration: &journal::Plan, line: Sender<Note>) -> Result<(), Stop>;
    /// Learns what happens in it.
    fn tell(&self, event: Event);
}
