//! What comes next: a pure function from state and news to state and actions.
//!
//! The point of no return is [`News::Switched`]. Before it everything can be undone and a wish to stop is obeyed; after it
//! nothing is aborted, no limit applies, and the phases go on.

use serde::{Deserialize, Serialize};

use crate::migration::recover::Answer;
use crate::model::outcome::Outcome;

/// The phases, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Nothing has begun.
    Plan,
    /// Devices of the destination are claimed.
    Claim,
    /// Fresh facts: all that can fail must fail here.
    Recheck,
    /// Ports are unplugged.
    Detach,
    /// libvirt migrates.
    Perform,
    /// Both hosts are asked, and whether the devices' state arrived.
    Verify,
    /// Ports are plugged in.
    Attach,
    /// What is left over is removed.
    Cleanup,
    /// Steps back.
    Undo,
    /// The end.
    Done,
}

impl Phase {
    /// Its name, as in events and the journal.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plan => "plan",
            Self::Claim => "claim",
            Self::Recheck => "recheck",
            Self::Detach => "detach",
            Self::Perform => "perform",
            Self::Verify => "verify",
            Self::Attach => "attach",
            Self::Cleanup => "cleanup",
            Self::Undo => "undo",
            Self::Done => "done",
        }
    }
}

/// Who wanted the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stopped {
    /// The operator, by a signal.
    Operator,
    /// The operator's time limit.
    Timeout,
}

/// What the proof of the devices' state came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// Proved, or there is nothing to prove.
    Certain,
    /// It could not be shown.
    Open,
    /// The state is lost.
    Lost,
}

/// How the work of a phase ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// Go.
    Start,
    /// The devices are claimed.
    Claimed,
    /// The plan still holds.
    Rechecked,
    /// The guest let go of the port.
    Detached,
    /// libvirt was told to migrate, and the source's CPUs have stopped.
    Switched,
    /// libvirt's call returned; its error.
    Returned(Option<String>),
    /// Both hosts answered.
    Answered {
        /// The source.
        source: Answer,
        /// The destination.
        destination: Answer,
    },
    /// The proof was made.
    Proved(Proof),
    /// The port is plugged in, or could not be.
    Attached {
        /// Whether it is in.
        done: bool,
    },
    /// Left-overs are removed.
    Cleaned,
    /// A step back is made, or could not be.
    Undone {
        /// Whether it is made.
        done: bool,
    },
    /// The phase's work failed before it changed anything.
    Failed {
        /// Why.
        why: String,
        /// How a run ends that fails so.
        outcome: Outcome,
    },
    /// The guest is not on the source any more, though this migration has changed nothing: somebody else was faster.
    Gone {
        /// In words.
        why: String,
    },
    /// Somebody has not answered, so that what was asked may still happen or has to be done later: a guest that may yet let
    /// go of its port, a host that does not say whether a port is in or a mark off. The journal stays open.
    Pending {
        /// In words.
        why: String,
    },
    /// Somebody wants the end.
    Stop(Stopped),
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Claim the destination's devices.
    Claim,
    /// Read fresh facts.
    Recheck,
    /// Unplug the port with this number.
    Detach(usize),
    /// Tell libvirt to migrate.
    Perform,
    /// Abort the running job.
    Abort(Stopped),
    /// Ask both hosts.
    Ask,
    /// Suspend the source's copy at once: two run.
    SuspendSource,
    /// Prove the devices' state, on the destination or (after a failure) on the source.
    Prove {
        /// Where.
        on_source: bool,
    },
    /// Plug the port with this number in on the destination.
    Attach(usize),
    /// Remove left-overs.
    CleanUp,
    /// Plug the port with this number in on the source again.
    Reattach(usize),
    /// Give the claims back.
    Release,
    /// The end.
    End(End),
}

/// How it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    /// The exit code's meaning.
    pub outcome: Outcome,
    /// Where the guest is.
    pub place: Place,
    /// Why it is not what was wanted.
    pub why: Option<String>,
    /// Whether something is still to come, so that the journal stays open.
    pub open: bool,
}

impl End {
    /// The same end when its record cannot be written: the journal stays open, so that the migration is not finished, even
    /// if nothing but that record is missing. What had not begun is no more than unknown.
    #[must_use]
    pub fn unrecorded(self, error: &str) -> Self {
        let why = match self.why {
            Some(why) if why.contains(error) => why,
            Some(why) => format!("{why}; {error}"),
            None => error.to_owned(),
        };
        let outcome = match self.outcome {
            Outcome::Findings | Outcome::Unknown => Outcome::Unknown,
            Outcome::Undecided => Outcome::Undecided,
            Outcome::Fine | Outcome::Usage | Outcome::Undone | Outcome::Incomplete | Outcome::Interrupted => {
                Outcome::Incomplete
            }
        };
        Self { outcome, why: Some(why), open: true, ..self }
    }
}

/// Where the guest is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// On the source.
    Source,
    /// On the destination.
    Destination,
    /// Nobody knows, or a decision is needed.
    Unclear,
}

impl Place {
    /// By what both hosts say.
    pub const fn of(source: Answer, destination: Answer) -> Self {
        const fn gone(answer: Answer) -> bool {
            matches!(answer, Answer::Absent | Answer::Off | Answer::OffMigrated)
        }
        match (source, destination) {
            (source, Answer::RunMigrated) if gone(source) => Self::Destination,
            (Answer::RunUnchanged, destination) if gone(destination) => Self::Source,
            _ => Self::Unclear,
        }
    }
}

/// What is asked for beyond the move.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Terms {
    /// Number of ports to unplug and plug in.
    pub ports: usize,
    /// Whether a state that could not be proved counts as a failure.
    pub require_proof: bool,
}

/// Where a migration stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    terms: Terms,
    at: At,
    switched: bool,
    stopped: Option<Stopped>,
    detached: usize,
    missing: usize,
    proof: Proof,
    failure: Option<(String, Outcome)>,
    open: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    Plan,
    Claim,
    Recheck,
    Detach,
    Perform,
    Asking,
    Proving { on_source: bool },
    Attach(usize),
    Cleanup,
    Reattach(usize),
    Release,
    Done,
}

impl State {
    /// Before the start.
    pub fn new(terms: Terms) -> Self {
        Self {
            terms,
            at: At::Plan,
            switched: false,
            stopped: None,
            detached: 0,
            missing: 0,
            proof: Proof::Certain,
            failure: None,
            open: false,
        }
    }

    /// The phase.
    pub fn phase(&self) -> Phase {
        match self.at {
            At::Plan => Phase::Plan,
            At::Claim => Phase::Claim,
            At::Recheck => Phase::Recheck,
            At::Detach => Phase::Detach,
            At::Perform => Phase::Perform,
            At::Asking | At::Proving { .. } => Phase::Verify,
            At::Attach(_) => Phase::Attach,
            At::Cleanup => Phase::Cleanup,
            At::Reattach(_) | At::Release => Phase::Undo,
            At::Done => Phase::Done,
        }
    }

    /// Whether the point of no return is behind.
    pub fn switched(&self) -> bool {
        self.switched
    }

    /// Whether the end was wished for.
    pub fn is_stopping(&self) -> bool {
        self.stopped.is_some()
    }

    fn go(mut self, at: At, action: Action) -> (Self, Vec<Action>) {
        self.at = at;
        (self, vec![action])
    }

    /// The end with something still to come.
    fn pending(mut self, why: &str, place: Place) -> (Self, Vec<Action>) {
        let why = self.failure.take().map_or(why.to_owned(), |(failure, _)| format!("{failure}; {why}"));
        self.failure = Some((why, Outcome::Incomplete));
        self.open = true;
        self.end(Outcome::Incomplete, place)
    }

    fn end(mut self, outcome: Outcome, place: Place) -> (Self, Vec<Action>) {
        self.at = At::Done;
        let why = self.failure.as_ref().map(|(why, _)| why.clone());
        let open = self.open || place == Place::Unclear;
        (self, vec![Action::End(End { outcome, place, why, open })])
    }

    /// Unplugs the next port, or tells libvirt to migrate.
    fn detach_or_perform(self) -> (Self, Vec<Action>) {
        if let Some((why, outcome)) = self.wish() {
            return self.fail(why, outcome);
        }
        if self.detached < self.terms.ports {
            let next = self.detached;
            self.go(At::Detach, Action::Detach(next))
        } else {
            self.go(At::Perform, Action::Perform)
        }
    }

    /// A wish to stop that is still to be obeyed.
    fn wish(&self) -> Option<(String, Outcome)> {
        match self.stopped {
            Some(Stopped::Operator) => Some(("interrupted".to_owned(), Outcome::Interrupted)),
            Some(Stopped::Timeout) => Some(("the time limit ran out".to_owned(), Outcome::Undone)),
            None => None,
        }
    }

    /// Something failed and the guest is on the source: steps back, from the last port to the first.
    fn fail(mut self, why: String, outcome: Outcome) -> (Self, Vec<Action>) {
        let touched = self.detached > 0 && outcome != Outcome::Interrupted;
        let outcome = if touched { Outcome::Undone } else { outcome };
        self.failure = Some((why, outcome));
        let ports = self.detached;
        self.undo_from(ports)
    }

    fn undo_from(self, ports: usize) -> (Self, Vec<Action>) {
        match ports.checked_sub(1) {
            Some(port) => self.go(At::Reattach(port), Action::Reattach(port)),
            None => self.go(At::Release, Action::Release),
        }
    }

    fn attach_or_clean(self, port: usize) -> (Self, Vec<Action>) {
        if port < self.terms.ports {
            self.go(At::Attach(port), Action::Attach(port))
        } else {
            self.go(At::Cleanup, Action::CleanUp)
        }
    }

    fn answered(mut self, source: Answer, destination: Answer) -> (Self, Vec<Action>) {
        match Place::of(source, destination) {
            // What libvirt's call said does not matter: it is there.
            Place::Destination => {
                self.failure = None;
                return self.go(At::Proving { on_source: false }, Action::Prove { on_source: false });
            }
            Place::Source if self.failure.is_some() => {
                if self.switched {
                    // QEMU may have reset the devices on its way back.
                    return self.go(At::Proving { on_source: true }, Action::Prove { on_source: true });
                }
                let ports = self.detached;
                return self.undo_from(ports);
            }
            Place::Source | Place::Unclear => {}
        }
        let why = self.failure.take().map_or(String::new(), |(why, _)| format!("{why}; "));
        let seen = format!("{why}the source {}, and the destination {}", source.words(), destination.words());
        self.failure = Some((seen, Outcome::Undecided));
        let (state, mut actions) = self.end(Outcome::Undecided, Place::Unclear);
        if source == Answer::RunUnchanged && destination == Answer::RunMigrated {
            actions.insert(0, Action::SuspendSource);
        }
        (state, actions)
    }

    fn outcome_of_move(&self) -> Outcome {
        let unproved = self.proof == Proof::Open && self.terms.require_proof;
        if self.missing > 0 || self.proof == Proof::Lost || unproved { Outcome::Incomplete } else { Outcome::Fine }
    }

    fn outcome_of_failure(&self) -> Outcome {
        let wanted = self.failure.as_ref().map_or(Outcome::Undone, |(_, outcome)| *outcome);
        if self.missing > 0 || (self.switched && self.proof != Proof::Certain) {
            Outcome::Incomplete
        } else if self.switched && wanted == Outcome::Interrupted {
            Outcome::Undone
        } else {
            wanted
        }
    }
}

/// The next state, and what to do. News that mean nothing in a state change nothing.
#[must_use]
pub fn step(mut state: State, news: News) -> (State, Vec<Action>) {
    match (state.at, news) {
        (At::Plan, News::Start) => state.go(At::Claim, Action::Claim),
        (At::Claim, News::Claimed) => match state.wish() {
            Some((why, outcome)) => state.fail(why, outcome),
            None => state.go(At::Recheck, Action::Recheck),
        },
        (At::Claim | At::Recheck | At::Detach, News::Failed { why, outcome }) => state.fail(why, outcome),
        (At::Recheck, News::Gone { why }) => {
            state.failure = Some((why, Outcome::Unknown));
            state.end(Outcome::Unknown, Place::Unclear)
        }
        (At::Recheck, News::Rechecked) => state.detach_or_perform(),
        (At::Detach, News::Detached) => {
            state.detached += 1;
            state.detach_or_perform()
        }
        (At::Detach | At::Release, News::Pending { why }) => state.pending(&why, Place::Source),
        (At::Attach(_) | At::Cleanup, News::Pending { why }) => state.pending(&why, Place::Destination),
        (At::Perform, News::Switched) => {
            state.switched = true;
            (state, Vec::new())
        }
        (At::Perform, News::Returned(error)) => {
            state.failure = error.map(|why| state.wish().unwrap_or((why, Outcome::Undone)));
            state.go(At::Asking, Action::Ask)
        }
        (At::Asking, News::Answered { source, destination }) => state.answered(source, destination),
        (At::Proving { on_source }, News::Proved(proof)) => {
            state.proof = proof;
            if on_source {
                let ports = state.detached;
                state.undo_from(ports)
            } else {
                state.attach_or_clean(0)
            }
        }
        (At::Attach(port), News::Attached { done }) => {
            state.missing += usize::from(!done);
            state.attach_or_clean(port + 1)
        }
        (At::Cleanup, News::Cleaned) => {
            let outcome = state.outcome_of_move();
            state.end(outcome, Place::Destination)
        }
        (At::Reattach(port), News::Undone { done }) => {
            state.missing += usize::from(!done);
            state.undo_from(port)
        }
        (At::Release, News::Undone { .. }) => {
            let outcome = state.outcome_of_failure();
            state.end(outcome, Place::Source)
        }
        // One wish is enough, and past the point of no return none is obeyed.
        (At::Plan | At::Claim | At::Recheck | At::Detach | At::Perform, News::Stop(by))
            if !state.switched && state.stopped.is_none() =>
        {
            state.stopped = Some(by);
            let actions = if state.at == At::Perform { vec![Action::Abort(by)] } else { Vec::new() };
            (state, actions)
        }
        (_, _) => (state, Vec::new()),
    }
}
