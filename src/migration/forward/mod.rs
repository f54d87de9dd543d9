//! The way there: claim, recheck, unplug, migrate. Whatever it comes to, [`finish`] brings it to its end.
//!
//! [`finish`]: super::finish

mod detach;
mod follow;
mod passes;
mod perform;
mod raise;
mod recheck;
mod stall;

#[cfg(test)]
pub(crate) mod engine_tests;
#[cfg(test)]
mod stall_tests;

pub(crate) use raise::{LONGEST_RAISED_MS, RAISED};

use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::Duration;

use super::ending::{Attempt, Ending, Failed};
use super::event::Phase;
use super::finish::finish;
use super::ground::Ground;
use super::orders::Orders;
use super::taken;
use crate::journal::{self, Entry, Side};
use crate::libvirt::{self, Happened, Hypervisor, Job, Watch};
use crate::model::both::both;
use crate::model::causes::sentence;
use crate::model::outcome::Outcome;

/// What reaches a running migration from other threads.
#[derive(Debug)]
pub(crate) enum Note {
    /// The source's daemon told something.
    Happened(Happened),
    /// libvirt's call to migrate returned.
    Returned(libvirt::Result<()>),
    /// A question to the source, asked aside, is answered.
    Answered(follow::Answered),
    /// The operator asked for the end, which was acknowledged where it was heard.
    Stop,
}

/// The line to a running migration: its sender is for signals.
#[derive(Debug)]
pub(crate) struct Line {
    sender: Sender<Note>,
    receiver: Receiver<Note>,
}

impl Line {
    /// A new one.
    pub(crate) fn new() -> Self {
        let (sender, receiver) = mpsc::channel();
        Self { sender, receiver }
    }

    /// What comes in.
    pub(in crate::migration) const fn receiver(&self) -> &Receiver<Note> {
        &self.receiver
    }

    /// For other threads.
    pub(crate) fn sender(&self) -> Sender<Note> {
        self.sender.clone()
    }
}

impl Default for Line {
    fn default() -> Self {
        Self::new()
    }
}

/// Who wanted the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stopped {
    /// The operator, by a signal.
    Operator,
    /// The operator's time limit.
    Timeout,
    /// A rehearsal that has shown enough.
    Rehearsed,
    /// A rehearsal of a guest whose memory was sent before it had.
    TooFast,
}

impl Stopped {
    /// Why it ends.
    pub(crate) const fn why(self) -> &'static str {
        match self {
            Self::Operator => "interrupted",
            Self::Timeout => "timed out",
            Self::Rehearsed => "rehearsed",
            Self::TooFast => "its memory was sent before enough was seen: it holds too little",
        }
    }

    /// Whether the operator wanted it.
    pub(in crate::migration) const fn is_operators(self) -> bool {
        matches!(self, Self::Operator)
    }

    fn failed(self) -> Failed {
        let outcome = match self {
            Self::Operator => Outcome::Interrupted,
            Self::Timeout => Outcome::Undone,
            Self::Rehearsed => Outcome::Fine,
            Self::TooFast => Outcome::Unknown,
        };
        Failed::new(outcome, self.why())
    }
}

/// Migrates one guest, recording each change before it is made.
pub(crate) fn migrate(ground: &mut Ground<'_>, plan: &journal::Plan, line: &Line) -> Ending {
    let (failed, job) = {
        let mut forward = Forward { ground, plan, line, watch: None, stopped: None, job: None };
        let failed = forward.go().err();
        (failed, forward.job)
    };
    let error = failed.as_ref().and_then(|failed| failed.error.clone());
    let ending = finish(ground, Orders::default(), Some(Attempt { failed, job }));
    if ending.outcome != Outcome::Undone {
        return ending;
    }
    let taken = ground.host(Side::Destination).ok().and_then(|host| taken::find(host.as_ref(), plan, error.as_ref()));
    Ending { taken, ..ending }
}

/// One migration on its way there.
struct Forward<'f, 'a> {
    ground: &'f mut Ground<'a>,
    plan: &'f journal::Plan,
    line: &'f Line,
    watch: Option<Box<dyn Watch>>,
    /// Who wanted the end, unless it came too late.
    stopped: Option<Stopped>,
    /// The final numbers of libvirt's job.
    job: Option<Job>,
}

impl Forward<'_, '_> {
    fn go(&mut self) -> Result<(), Failed> {
        self.ground.enter(Phase::Claim);
        self.announce(&Entry::Claim { map: self.plan.map.clone() })?;
        self.heed_stop()?;
        self.ground.enter(Phase::Recheck);
        let (sender, receiver) = mpsc::channel();
        let (source, destination) = (self.host(Side::Source)?, self.host(Side::Destination)?);
        let store = self.ground.store();
        let (watch, rechecked) = both(
            || source.watch(&self.plan.instance.uuid, sender),
            || recheck::recheck(source.as_ref(), destination.as_ref(), self.plan, &|id| store.is_over(id)),
        );
        rechecked?;
        self.watch = Some(watch.map_err(|e| Failed::of(Outcome::Unknown, e))?);
        self.listen(receiver);
        self.announce(&Entry::Recheck)?;
        recheck::mark(self.ground, self.plan)?;
        for port in &self.plan.ports {
            self.heed_stop()?;
            self.ground.enter(Phase::Detach);
            self.detach(port)?;
        }
        self.heed_stop()?;
        self.ground.enter(Phase::Perform);
        self.perform()
    }

    /// Writes a record that announces a change. Without it the change is not made.
    fn announce(&mut self, entry: &Entry) -> Result<(), Failed> {
        self.ground.record(entry).map_err(|e| Failed::new(Outcome::Unknown, sentence(&e)))
    }

    /// A host, which this process is connected to.
    fn host(&mut self, side: Side) -> Result<Arc<dyn Hypervisor>, Failed> {
        self.ground.host(side).map_err(|why| Failed::new(Outcome::Unknown, why))
    }

    /// Ends here when somebody has asked for the end.
    fn heed_stop(&mut self) -> Result<(), Failed> {
        for note in self.line.receiver.try_iter() {
            if matches!(note, Note::Stop) {
                self.stopped = self.stopped.or(Some(Stopped::Operator));
            }
        }
        let limit = self.plan.parameters.timeout;
        if limit.is_some_and(|limit| self.elapsed() > limit) {
            self.stopped = self.stopped.or(Some(Stopped::Timeout));
        }
        self.stopped.map_or(Ok(()), |stopped| Err(stopped.failed()))
    }

    fn elapsed(&self) -> Duration {
        self.ground.clock.as_ref().map_or(Duration::ZERO, super::event::Clock::elapsed)
    }

    /// Passes on what the source's daemon tells: switch-over, devices the guest lets go of, the job's end.
    fn listen(&self, told: Receiver<Happened>) {
        let line = self.line.sender();
        // Ends when the watch is dropped, which drops the last sender.
        std::thread::spawn(move || {
            for happened in told {
                if line.send(Note::Happened(happened)).is_err() {
                    return;
                }
            }
        });
    }
}
