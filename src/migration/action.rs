//! What the decision table can ask for, and what each of it changes. Pure.

use crate::journal::Keep;
use crate::model::outcome::Outcome;

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Action {
    /// Nothing; say why.
    Nothing,
    /// Show what is known and the commands to look further.
    Show,
    /// Give the claimed devices back and close.
    ReleaseClaims,
    /// Wait to the limit for the guest to let go of a port.
    WaitForUnplug,
    /// Plug the ports in on the source again, give the claims back, close.
    ReattachOnSource,
    /// Follow the running migration to its end, then ask the table again.
    Follow,
    /// Wait for the switch-over to end, then ask the table again.
    WaitForSwitchover,
    /// End a cancelled migration that would never end by itself, then ask the table again.
    EndCancelled,
    /// Prove, plug in, clean up, close.
    Finish,
    /// Destroy the source's stale copy, then [`Action::Finish`].
    DestroySourceAndFinish,
    /// Let the source run, prove its devices, plug in again, release, close.
    ResumeSource,
    /// Destroy the destination's copy that never ran, then ask the table again.
    DestroyIncoming,
    /// Prove the source's devices, plug in again, release, close.
    Undo,
    /// Suspend the source's copy at once; show both.
    SuspendSource,
    /// Suspend the destination's copy at once; show both.
    SuspendDestination,
    /// Destroy the source's copy, if there is one, and let the destination run.
    KeepDestination,
    /// Close: the guest runs, but not the run that was being migrated.
    CloseStartedAnew,
    /// Close: the guest is switched off on the source.
    CloseOff,
    /// Destroy the destination's copy, then let the source run and [`Action::Undo`].
    DestroyDestinationAndKeepSource,
    /// Destroy the source's copy and close: the guest runs nowhere.
    GiveUp,
    /// Record the proof of the destination's devices, change nothing.
    RecordProof,
    /// Prove, then let the destination run, then [`Action::Finish`].
    ResumeDestination,
    /// Plug the ports in in the persistent definition, clean up, close.
    AttachInDefinition,
    /// Close.
    Close,
    /// Show the journal's XML and how to define it.
    ShowXml,
    /// Plug in what is missing, clean up, close. The verdict stands.
    Attach,
    /// Clean up, close.
    CleanUp,
}

/// What an action may do to a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Changes {
    /// Destroys the source's copy.
    pub destroys_source: bool,
    /// Destroys the destination's copy.
    pub destroys_destination: bool,
    /// Lets the source's copy run.
    pub resumes_source: bool,
    /// Lets the destination's copy run.
    pub resumes_destination: bool,
    /// Suspends the source's copy.
    pub suspends_source: bool,
    /// Suspends the destination's copy.
    pub suspends_destination: bool,
    /// Ends a job on the source that is cancelled already.
    pub ends_cancelled: bool,
    /// Plugs in on the source, or removes something there.
    pub touches_source: bool,
    /// Plugs in on the destination, or defines something there.
    pub touches_destination: bool,
}

impl Changes {
    /// Whether it destroys, stops and starts no copy of the guest.
    pub(crate) const fn is_gentle(self) -> bool {
        !(self.destroys_source
            || self.destroys_destination
            || self.resumes_source
            || self.resumes_destination
            || self.suspends_source
            || self.suspends_destination
            || self.ends_cancelled)
    }
}

impl Action {
    /// Whether it is a part of how migrations end that need nobody's attention.
    pub(crate) const fn is_usual(self) -> bool {
        matches!(
            self,
            Self::Finish | Self::Attach | Self::CleanUp | Self::Undo | Self::ReattachOnSource | Self::ReleaseClaims
        )
    }

    /// What it may do to a host. Claims are files of this machine, not a host's.
    pub(crate) const fn changes(self) -> Changes {
        const NOTHING: Changes = Changes {
            destroys_source: false,
            destroys_destination: false,
            resumes_source: false,
            resumes_destination: false,
            suspends_source: false,
            suspends_destination: false,
            ends_cancelled: false,
            touches_source: false,
            touches_destination: false,
        };
        // Finishing plugs in on the destination and removes the definition that the source was to lose.
        const FINISH: Changes = Changes { touches_source: true, touches_destination: true, ..NOTHING };
        const UNDO: Changes = Changes { touches_source: true, ..NOTHING };
        match self {
            Self::Nothing
            | Self::Show
            | Self::ReleaseClaims
            | Self::WaitForUnplug
            | Self::Follow
            | Self::WaitForSwitchover
            | Self::RecordProof
            | Self::Close
            | Self::CloseStartedAnew
            | Self::ShowXml => NOTHING,
            Self::ReattachOnSource | Self::Undo | Self::CloseOff => UNDO,
            Self::Finish | Self::Attach | Self::CleanUp | Self::AttachInDefinition => FINISH,
            Self::DestroySourceAndFinish => Changes { destroys_source: true, ..FINISH },
            Self::ResumeSource => Changes { resumes_source: true, ..UNDO },
            Self::DestroyIncoming => Changes { destroys_destination: true, ..NOTHING },
            Self::EndCancelled => Changes { ends_cancelled: true, ..NOTHING },
            Self::SuspendSource => Changes { suspends_source: true, ..NOTHING },
            Self::SuspendDestination => Changes { suspends_destination: true, ..NOTHING },
            Self::KeepDestination => Changes { destroys_source: true, resumes_destination: true, ..NOTHING },
            Self::DestroyDestinationAndKeepSource => {
                Changes { destroys_destination: true, resumes_source: true, ..UNDO }
            }
            Self::GiveUp => Changes { destroys_source: true, ..NOTHING },
            Self::ResumeDestination => Changes { resumes_destination: true, ..FINISH },
        }
    }
}

/// How a run that takes a row ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Like this; instead of fine it is incomplete when the guest turns out to have lost something.
    Ends(Outcome),
    /// Fine; incomplete when the state is lost or a port is missing.
    FineUnlessMissing,
    /// Undone; incomplete when the state is lost, or cannot be proved after switch-over.
    UndoneUnlessLost,
    /// The table is asked again.
    Again,
}

/// What the operator can decide, and what is then done.
pub(crate) type Choices = &'static [(Keep, Action)];
