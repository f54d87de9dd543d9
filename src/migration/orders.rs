//! What the operator asks of a recovery.

use crate::journal::Keep;

/// What the operator asked for.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Orders {
    /// Only what is safe with nobody there.
    pub auto: bool,
    /// Wait for the end of what libvirt goes on with, although nobody decides.
    pub waits: bool,
    /// Which copy to keep, where the table asks.
    pub keep: Option<Keep>,
    /// End a migration that is alive and not in switch-over.
    pub abort: bool,
    /// The source will not come back.
    pub source_is_dead: bool,
    /// The destination will not come back.
    pub destination_is_dead: bool,
}
