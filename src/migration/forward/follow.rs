//! Follows the job that libvirt is at. Every question to a host is asked in a thread of its own: the clock, the time limit and
//! Ctrl-C go on while a daemon or a QEMU does not answer.

use std::sync::Arc;
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use super::raise::raise;
use super::stall::Stall;
use super::{Forward, Note, Stopped};
use crate::journal::Side;
use crate::libvirt::{self, Happened, Hypervisor, Job, PauseReason, State};
use crate::migration::cancel::Halted;
use crate::migration::event::{Progress, What, milliseconds, moment};
use crate::migration::rehearsal::{Shown, shown};
use crate::model::causes::sentence;

/// How often the job's numbers are read. libvirt tells of the ends and of switch-over by itself.
const POLL: Duration = Duration::from_millis(250);
/// The same for a rehearsal, which is to end at once when it has shown enough.
const POLL_REHEARSAL: Duration = Duration::from_millis(50);
/// A switch-over or an abort that takes no longer than this is not looked at.
const PATIENCE: Duration = Duration::from_secs(5);
/// Between two such looks.
const BETWEEN: Duration = Duration::from_secs(3);

/// What a question came to that was asked aside.
#[derive(Debug)]
pub(crate) enum Answered {
    /// The job's numbers, none when the daemon did not say; and the device state that is left, where QEMU was asked.
    Numbers(Option<Job>, Option<Left>),
    /// The job was told to end, unless it is too late for that.
    Abort(Aborted),
    /// The limit of the pause was raised: what came of it.
    Raised(Option<String>),
    /// Whether the job is cancelled and does not end by itself.
    Halted(Option<Halted>),
    /// Such a job was ended, or why it could not be.
    Ended(Result<(), String>),
}

/// How much device state is left to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Left {
    /// So many bytes.
    Bytes(u64),
    /// This QEMU counts memory alone: it is older than 11.1.
    Untold,
    /// It did not answer now.
    Silent,
}

/// Asks QEMU for what is left beyond memory: from 11.1 on `remaining` counts the whole guest (commit 468e507485c2).
fn left(source: &dyn Hypervisor, uuid: &str) -> Left {
    let Ok(answer) = source.monitor(uuid, r#"{"execute": "query-migrate"}"#) else { return Left::Silent };
    left_of(&answer)
}

fn left_of(answer: &str) -> Left {
    let Ok(answer) = serde_json::from_str::<serde_json::Value>(answer) else { return Left::Silent };
    let answer = &answer["return"];
    let Some(memory) = answer["ram"]["remaining"].as_u64() else { return Left::Silent };
    answer["remaining"].as_u64().map_or(Left::Untold, |all| Left::Bytes(all.saturating_sub(memory)))
}

/// What a wish to end the job came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Aborted {
    /// The daemon has taken it.
    Asked,
    /// The guest is being switched over: an abort would do harm.
    TooLate,
    /// The daemon has refused it; why.
    Refused(String),
}

/// Aborts the job. The daemon's event of switch-over may still be on its way, so that its state is looked at first.
fn abort(source: &dyn Hypervisor, uuid: &str) -> Aborted {
    let state = source.domain(uuid).ok().flatten().map(|guest| guest.state);
    if state == Some(State::Paused(PauseReason::Migration)) {
        return Aborted::TooLate;
    }
    match source.abort_job(uuid) {
        Ok(()) => Aborted::Asked,
        Err(e) => Aborted::Refused(e.to_string()),
    }
}

/// One job that is followed.
pub(super) struct Follow<'o, 'f, 'a> {
    forward: &'o mut Forward<'f, 'a>,
    source: Arc<dyn Hypervisor>,
    raises: bool,
    /// Whether memory was seen to flow.
    pub(super) flowed: bool,
    /// Since when, for a rehearsal.
    flows_since: Option<Instant>,
    stall: Stall,
    last: Progress,
    /// When the numbers were asked for that have not come, and when some came last.
    numbers: (Option<Instant>, Instant),
    /// Whether QEMU is asked for the device state that is left, which libvirt does not pass on.
    asks_qemu: bool,
    abort: Abort,
    lingering: Lingering,
}

/// How far a wish to end the job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Abort {
    /// There is none, or the daemon has taken it.
    No,
    /// The daemon is being asked; whether it has refused before, which was told.
    Asked { refused: bool },
    /// The daemon has refused it, as it does while it is busy with the guest: it is asked again.
    Owed,
}

/// What was seen of a job that should be at its end.
#[derive(Debug, Default)]
struct Lingering {
    since: Option<Instant>,
    looked: Option<Instant>,
    asking: bool,
    seen: Option<Halted>,
    told: bool,
}

impl<'o, 'f, 'a> Follow<'o, 'f, 'a> {
    pub(super) fn new(forward: &'o mut Forward<'f, 'a>, source: Arc<dyn Hypervisor>, raises: bool) -> Self {
        let asks_qemu = forward.plan.moving_state().next().is_some();
        Self {
            forward,
            source,
            raises,
            asks_qemu,
            flowed: false,
            flows_since: None,
            stall: Stall::default(),
            last: Progress::default(),
            numbers: (None, moment()),
            abort: Abort::No,
            lingering: Lingering::default(),
        }
    }

    /// Asks the source in a thread of its own.
    fn ask(&self, question: impl FnOnce(&dyn Hypervisor, &str) -> Answered + Send + 'static) {
        let (source, uuid) = (Arc::clone(&self.source), self.forward.plan.instance.uuid.clone());
        let sender = self.forward.line.sender();
        // Where nobody listens any more, pvm has left.
        std::thread::spawn(move || drop(sender.send(Note::Answered(question(source.as_ref(), &uuid)))));
    }

    /// Follows the job until libvirt's call returns.
    pub(super) fn until_it_ends(&mut self) -> libvirt::Result<()> {
        let mut limit = self.forward.plan.parameters.timeout;
        let poll = if self.forward.plan.rehearsal { POLL_REHEARSAL } else { POLL };
        let mut wished = false;
        loop {
            // What the daemon told before a wish comes first, so that none is obeyed after the record of switch-over.
            let timeout = if wished { Duration::ZERO } else { poll };
            match self.forward.line.receiver.recv_timeout(timeout) {
                Ok(Note::Returned(result)) => return result,
                Ok(Note::Happened(Happened::Switched)) => self.forward.switched(),
                Ok(Note::Happened(Happened::JobCompleted(job))) => self.forward.job = Some(job),
                Ok(Note::Happened(_)) => {}
                Ok(Note::Answered(answered)) => self.answered(answered),
                Ok(Note::Stop) => wished = true,
                Err(RecvTimeoutError::Timeout) if wished => {
                    wished = false;
                    self.obey(Stopped::Operator);
                }
                Err(RecvTimeoutError::Timeout) => self.tick(),
                Err(RecvTimeoutError::Disconnected) => unreachable!("the line keeps a sender of its own"),
            }
            if limit.is_some_and(|limit| self.forward.elapsed() > limit) {
                limit = None;
                self.obey(Stopped::Timeout);
            }
        }
    }

    fn tick(&mut self) {
        if self.abort == Abort::Owed {
            self.ask_to_abort(true);
        }
        if self.numbers.0.is_none() {
            self.numbers.0 = Some(moment());
            // A daemon that is busy with switch-over may stay silent: that is no error.
            let asks = self.asks_qemu && !self.forward.switched_over();
            self.ask(move |source, uuid| {
                let job = source.job(uuid).ok().flatten();
                let left = (asks && job.is_some()).then(|| left(source, uuid));
                Answered::Numbers(job, left)
            });
        } else {
            self.progress(&Progress::default());
        }
        self.look_for_cancelled();
    }

    fn answered(&mut self, answered: Answered) {
        match answered {
            Answered::Numbers(job, left) => {
                self.numbers = (None, if job.is_some() { moment() } else { self.numbers.1 });
                self.asks_qemu &= left != Some(Left::Untold);
                let device_remaining = if let Some(Left::Bytes(bytes)) = left { Some(bytes) } else { None };
                let progress = job.as_ref().map(progress).unwrap_or_default();
                self.progress(&Progress { device_remaining, ..progress });
            }
            Answered::Abort(aborted) => self.aborted(aborted),
            Answered::Raised(done) => {
                if let Some(message) = self.stall.message(&self.last, done.as_deref()) {
                    self.forward.ground.note(&message);
                }
            }
            Answered::Halted(halted) => self.halted(halted),
            Answered::Ended(Ok(())) => {}
            Answered::Ended(Err(why)) => {
                let host = self.forward.ground.name(Side::Source).to_owned();
                self.forward.ground.note(&format!(
                    "the cancelled job could not be ended: {why}; the guests of {host} go on when its libvirt daemon is \
                     restarted"
                ));
            }
        }
    }

    /// Obeys a wish to stop, unless it comes after switch-over. One is enough.
    fn obey(&mut self, by: Stopped) {
        if self.forward.switched_over() {
            self.forward.too_late();
        } else if self.forward.stop(by) {
            // The operator was answered when the signal came.
            if by == Stopped::Timeout {
                self.forward.ground.tell(What::Stopping { why: by.why().into(), by_signal: false });
            }
            self.ask_to_abort(false);
        }
    }

    fn ask_to_abort(&mut self, refused: bool) {
        self.abort = Abort::Asked { refused };
        self.ask(|source, uuid| Answered::Abort(abort(source, uuid)));
    }

    /// A wish to stop stands until the job ends or the guest is switched over.
    fn aborted(&mut self, aborted: Aborted) {
        let before = std::mem::replace(&mut self.abort, Abort::No);
        match aborted {
            Aborted::Asked => {}
            Aborted::TooLate => {
                self.forward.switched();
                self.forward.too_late();
            }
            Aborted::Refused(why) => {
                if before == (Abort::Asked { refused: false }) {
                    self.forward.ground.note(&format!("the job could not be aborted, which is tried again: {why}"));
                }
                if self.forward.switched_over() {
                    self.forward.too_late();
                } else {
                    self.abort = Abort::Owed;
                }
            }
        }
    }

    /// Tells the numbers, and acts when nothing comes nearer: the limit of the pause may be raised or not.
    fn progress(&mut self, progress: &Progress) {
        self.flowed |= progress.memory_processed > 0;
        let elapsed_ms = self.forward.ground.clock.as_ref().map_or(0, |clock| milliseconds(clock.in_phase()));
        let silent = milliseconds(self.numbers.1.elapsed());
        let silent_ms = if progress.memory_total == 0 { silent } else { 0 };
        self.last = Progress { elapsed_ms, silent_ms, ..*progress };
        self.forward.ground.tell(What::Progress(self.last));
        if self.forward.plan.rehearsal && self.flowed {
            self.end_rehearsal();
        }
        // Switch-over has a clock of its own, and what is to end need not be hurried.
        if self.forward.switched_over() || self.forward.stopped.is_some() || !self.stall.notice(&self.last) {
            return;
        }
        if self.raises {
            self.ask(|source, uuid| Answered::Raised(raise(source, uuid)));
        } else {
            self.answered(Answered::Raised(None));
        }
    }

    /// Ends a rehearsal that has shown enough, or that would complete.
    fn end_rehearsal(&mut self) {
        let flowed = self.flows_since.get_or_insert_with(moment).elapsed();
        let moves_state = self.forward.plan.moving_state().next().is_some();
        match shown(flowed, self.last.iteration, moves_state) {
            Shown::Little => {}
            Shown::Enough => self.obey(Stopped::Rehearsed),
            Shown::TooFast => self.obey(Stopped::TooFast),
        }
    }

    /// Looks now and then, once the job should be near its end, whether it is cancelled and would never end by itself.
    fn look_for_cancelled(&mut self) {
        if !self.forward.switched_over() && self.forward.stopped.is_none() {
            return;
        }
        let since = *self.lingering.since.get_or_insert_with(moment);
        let looked = self.lingering.looked.is_some_and(|looked| looked.elapsed() < BETWEEN);
        if since.elapsed() < PATIENCE || looked || self.lingering.asking {
            return;
        }
        let Ok(destination) = self.forward.ground.host(Side::Destination) else { return };
        self.lingering.asking = true;
        let state = self.forward.ground.state.clone();
        self.ask(move |source, _| Answered::Halted(Halted::look(source, destination.as_ref(), &state)));
    }

    /// What two looks agree on is ended; libvirt then ends the job, and its call returns.
    fn halted(&mut self, halted: Option<Halted>) {
        self.lingering.asking = false;
        self.lingering.looked = Some(moment());
        let before = std::mem::replace(&mut self.lingering.seen, halted);
        let Some(halted) = halted.filter(|halted| before == Some(*halted)) else { return };
        if let Err(error) = self.forward.ground.announce(halted.row(), halted.step()) {
            self.forward.ground.note(&sentence(&error));
            return;
        }
        if !std::mem::replace(&mut self.lingering.told, true) {
            let host = self.forward.ground.name(Side::Source).to_owned();
            self.forward.ground.note(&format!("{host}: {}: it is ended", halted.words()));
        }
        self.lingering.seen = None;
        self.ask(move |source, uuid| Answered::Ended(halted.end(source, uuid).map_err(|e| e.to_string())));
    }
}

fn progress(job: &Job) -> Progress {
    let number = |name| job.get(name).unwrap_or(0);
    Progress {
        elapsed_ms: number("time_elapsed"),
        silent_ms: 0,
        memory_total: number("memory_total"),
        memory_processed: number("memory_processed"),
        memory_remaining: number("memory_remaining"),
        device_bytes: number("vfio_data_transferred"),
        device_remaining: None,
        disk_processed: number("disk_processed"),
        disk_remaining: number("disk_remaining"),
        rate: number("memory_bps") + number("disk_bps"),
        iteration: number("memory_iteration"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_device_state_that_is_left_is_what_is_left_beyond_memory() {
        for (answer, left) in [
            (
                r#"{"return": {"status": "active", "remaining": 4096000, "ram": {"remaining": 4000000}}}"#,
                Left::Bytes(96_000),
            ),
            (
                r#"{"return": {"status": "active", "ram": {"remaining": 4000000}, "vfio": {"transferred": 1}}}"#,
                Left::Untold,
            ),
            (r#"{"return": {"status": "active", "remaining": 1, "ram": {"remaining": 5}}}"#, Left::Bytes(0)),
            (r#"{"return": {"status": "setup"}}"#, Left::Silent),
            ("{", Left::Silent),
        ] {
            assert_eq!(left_of(answer), left, "{answer}");
        }
    }
}
