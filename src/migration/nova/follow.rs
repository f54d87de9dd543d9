//! Follows the migration that Nova makes: Nova's record once a second, libvirt's job more often, both until Nova has ended it.

use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use crate::journal::{Entry, Managed, Side, now};
use crate::libvirt::{Happened, Job};
use crate::migration::answer::Seen;
use crate::migration::event::{Progress, What, moment};
use crate::migration::forward::{Line, Note, Stopped};
use crate::migration::ground::Ground;
use crate::openstack::{ApiError, Cause, Compute, Migration, Stage};

/// How often libvirt's job is read.
const POLL: Duration = Duration::from_millis(250);
/// Nova is asked no more often than this.
const ASK: Duration = Duration::from_secs(1);
/// A request whose answer was lost has a record within this time, or was not taken.
const UNANSWERED_MS: i64 = 60_000;
/// After so long without a change something may be wrong.
const STILL: Duration = Duration::from_secs(5);
/// So long Nova may go on with a guest that runs on the destination already, or stay silent.
const AFTER_ARRIVAL: Duration = Duration::from_secs(120);
/// How often Nova is asked whether the source's compute service is up, while libvirt has no job.
const ASK_SERVICE: Duration = Duration::from_secs(10);
/// So long Nova's record may stand still while no job of libvirt runs: a large image may be on its way.
const STANDSTILL: Duration = Duration::from_secs(15 * 60);

/// What following it has shown.
#[derive(Debug, Default)]
pub(super) struct Followed {
    /// Nova's record of it, as it was seen last.
    pub(super) record: Option<Migration>,
    /// Why it is followed no longer although Nova has not ended it.
    pub(super) given_up: Option<String>,
    /// Who wanted the end.
    pub(super) stopped: Option<Stopped>,
    /// The final numbers of libvirt's job.
    pub(super) job: Option<Job>,
}

/// One migration of Nova that is followed.
pub(super) struct Follow<'f, 'a> {
    ground: &'f mut Ground<'a>,
    managed: &'f Managed,
    nova: Compute<'f>,
    line: &'f Line,
    seen: Followed,
    begun: Instant,
    /// When something of it changed last: Nova's record, or that a job of libvirt ran.
    moved: Instant,
    asked: Option<Instant>,
    /// Whether libvirt gave numbers at its last answer.
    job: bool,
    /// Since when the guest runs on the destination, with no job left.
    arrived: Option<Instant>,
    /// Whether Nova's silence, and its refusal to abort, were told.
    told: (bool, bool),
    /// Whether Nova has taken the wish to abort.
    aborting: bool,
    /// When Nova was asked for the source's compute service last, and whether it is down: then nobody goes on with the migration.
    service: (Option<Instant>, bool),
    /// Whether the record was what Nova was asked for last: another question is never asked twice in a row.
    has_read: bool,
}

impl<'f, 'a> Follow<'f, 'a> {
    pub(super) fn new(ground: &'f mut Ground<'a>, managed: &'f Managed, nova: Compute<'f>, line: &'f Line) -> Self {
        let moment = moment();
        Self {
            ground,
            managed,
            nova: nova.asked_once(),
            line,
            seen: Followed::default(),
            begun: moment,
            moved: moment,
            asked: None,
            job: false,
            arrived: None,
            told: (false, false),
            aborting: false,
            service: (None, false),
            has_read: false,
        }
    }

    /// The operator wants the end.
    pub(super) fn stop(&mut self) {
        self.seen.stopped = self.seen.stopped.or(Some(Stopped::Operator));
    }

    /// Follows it until Nova has ended it, or gives up.
    pub(super) fn until_it_ends(mut self) -> Followed {
        loop {
            self.listen();
            self.read_job();
            if self.asked.is_none_or(|asked| asked.elapsed() >= ASK) {
                self.asked = Some(moment());
                let answered = self.ask_nova();
                if self.is_over(answered) {
                    break;
                }
            }
        }
        // What libvirt told of the end may have come with Nova's last word.
        while let Ok(note) = self.line.receiver().try_recv() {
            self.take(note);
        }
        self.seen
    }

    fn listen(&mut self) {
        match self.line.receiver().recv_timeout(POLL) {
            Ok(note) => self.take(note),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
        }
        let limit = self.ground.state.plan.parameters.timeout;
        if limit.is_some_and(|limit| self.begun.elapsed() > limit)
            && self.seen.stopped.is_none()
            && !self.has_switched()
        {
            self.seen.stopped = Some(Stopped::Timeout);
            self.ground.tell(What::Stopping { why: Stopped::Timeout.why().to_owned(), by_signal: false });
        }
    }

    fn take(&mut self, note: Note) {
        match note {
            Note::Stop => self.stop(),
            Note::Happened(Happened::Switched) if !self.has_switched() => {
                // Without the record a recovery looks at the hosts, as it does anyway.
                let _ = self.ground.note_down(&Entry::Switched);
                self.ground.tell(What::Switched);
            }
            Note::Happened(Happened::JobCompleted(job)) => self.seen.job = Some(job),
            Note::Happened(_) | Note::Returned(_) | Note::Answered(_) => {}
        }
    }

    fn has_switched(&self) -> bool {
        self.ground.state.switched.is_some()
    }

    /// Reads libvirt's job on the source, for its numbers.
    fn read_job(&mut self) {
        let job = self.ground.call(Side::Source, |host, uuid| host.job(uuid)).ok().flatten();
        let job = job.filter(Job::is_outgoing);
        self.job = job.is_some();
        let Some(job) = job else { return };
        self.moved = moment();
        let get = |name: &str| job.get(name).unwrap_or(0);
        let progress = Progress {
            elapsed_ms: get("time_elapsed"),
            memory_total: get("memory_total"),
            memory_remaining: get("memory_remaining"),
            disk_remaining: get("disk_remaining"),
            device_bytes: get("vfio_data_transferred"),
            device_remaining: None,
            rate: get("memory_bps"),
            iteration: get("memory_iteration"),
            ..Progress::default()
        };
        self.ground.tell(What::Progress(progress));
        // The last numbers that were seen stand where the daemon does not tell the final ones.
        self.seen.job = Some(job);
    }

    /// Asks Nova one question; whether it answered.
    fn ask_nova(&mut self) -> bool {
        let uuid = self.ground.uuid();
        let is_running = self.seen.record.as_ref().is_some_and(|record| record.status == "running");
        let has_read = std::mem::replace(&mut self.has_read, false);
        if has_read && self.must_abort() {
            return self.abort(&uuid);
        }
        if has_read && !self.job && self.is_still() && self.service.0.is_none_or(|at| at.elapsed() >= ASK_SERVICE) {
            self.service.0 = Some(moment());
            let up = self.nova.is_up(&self.managed.source);
            self.service.1 = matches!(up, Ok(Some(false)));
            return up.is_ok();
        }
        if has_read && is_running && !self.job {
            if let Ok(Some(running)) = self.nova.running(&uuid) {
                let progress = Progress {
                    memory_total: running.memory_total_bytes.unwrap_or(0),
                    memory_remaining: running.memory_remaining_bytes.unwrap_or(0),
                    disk_remaining: running.disk_remaining_bytes.unwrap_or(0),
                    ..Progress::default()
                };
                self.ground.tell(What::Progress(progress));
            }
            return true;
        }
        self.has_read = true;
        match self.nova.last_migration(&uuid) {
            Ok(record) => {
                let record = record.filter(|record| record.id > self.managed.before);
                if record != self.seen.record {
                    self.moved = moment();
                    let before = self.seen.record.as_ref().map(|record| record.status.as_str());
                    if before != record.as_ref().map(|record| record.status.as_str())
                        && let Some(record) = &record
                    {
                        self.ground.note(&format!("Nova's migration {}: {}", record.id, record.status));
                    }
                    self.seen.record = record;
                }
                self.told.0 = false;
                true
            }
            Err(error) => {
                self.tell_silence(&error);
                false
            }
        }
    }

    fn tell_silence(&mut self, error: &ApiError) {
        if !std::mem::replace(&mut self.told.0, true) {
            self.ground.note(&format!("{error}; it is asked again"));
        }
    }

    fn must_abort(&self) -> bool {
        let under_way = self.seen.record.as_ref().is_some_and(|record| record.stage() == Stage::UnderWay);
        self.seen.stopped.is_some() && under_way && !self.aborting && !self.has_switched()
    }

    /// Tells Nova to abort. It refuses before libvirt is at it, and is told again.
    fn abort(&mut self, uuid: &str) -> bool {
        let migration = self.seen.record.as_ref().map_or(0, |record| record.id);
        if !self.ground.state.aborted
            && let Err(error) = self.ground.record(&Entry::NovaAbort { migration })
        {
            self.ground.note(&format!("it is not aborted: {}", crate::model::causes::sentence(&error)));
            self.aborting = true;
            return true;
        }
        match self.nova.abort(uuid, migration) {
            Ok(()) => {
                self.aborting = true;
                self.ground.note(&format!("Nova is told to abort migration {migration}"));
            }
            Err(error) if matches!(error.cause, Cause::Refused | Cause::Conflict | Cause::Absent) => {
                if !std::mem::replace(&mut self.told.1, true) {
                    self.ground.note("Nova cannot abort it at the moment; it is told again");
                }
            }
            Err(error) if error.may_have_acted() => self.tell_silence(&error),
            Err(error) => {
                self.ground.note(&error.to_string());
                self.aborting = true;
            }
        }
        true
    }

    /// Whether nothing of it has changed for a while.
    fn is_still(&self) -> bool {
        self.moved.elapsed() >= STILL
    }

    /// Whether there is nothing left to follow.
    fn is_over(&mut self, answered: bool) -> bool {
        let record = self.seen.record.as_ref();
        if record.is_some_and(|record| record.stage() != Stage::UnderWay) {
            return true;
        }
        if answered && record.is_none() && now().since(self.ground.performed()) > UNANSWERED_MS {
            self.seen.given_up = Some("Nova has no record of it".to_owned());
            return true;
        }
        if self.job || !self.is_still() {
            self.arrived = None;
            return false;
        }
        let there =
            matches!(self.ground.look(Side::Destination), Seen::Present { state, .. } if state.word() == "running");
        let arrived = *self.arrived.get_or_insert_with(moment);
        if !there && answered {
            self.arrived = None;
        }
        let status = record.map_or("no", |record| record.status.as_str());
        if self.service.1 {
            let source = &self.managed.source;
            let why = format!("Nova's compute service on {source}, which makes it, is down, and libvirt has no job");
            self.seen.given_up = Some(why);
        } else if (there || !answered) && arrived.elapsed() > AFTER_ARRIVAL {
            let why = if answered { format!("still says {status}") } else { "cannot be read".to_owned() };
            self.seen.given_up = Some(format!("Nova's record of it {why}, and libvirt has no job any more"));
        } else if self.moved.elapsed() > STANDSTILL {
            let minutes = STANDSTILL.as_secs() / 60;
            let why = format!("Nova's record of it has said {status} for {minutes} minutes, and libvirt has no job");
            self.seen.given_up = Some(why);
        }
        self.seen.given_up.is_some()
    }
}
