//! The phase in which libvirt migrates: the request, the job and its numbers, switch-over.

use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

use super::cancelled::Lingering;
use super::engine::{Engine, Note, POLL, milliseconds, now};
use super::event::{Progress, What};
use super::raise::raise;
use super::stall::Stall;
use super::step::{Action, News, Phase, Stopped, step};
use super::words::before_anything_moved;
use crate::domain::rewrite::{Interfaces, rewrite, rewrite_persistent};
use crate::journal::{Entry, Side};
use crate::libvirt::{self, DomainXml, Happened, Job, MigrateRequest, PauseReason, SecretXml, Way};
use crate::migration::recover::answer::perform_intent;
use crate::migration::recover::downtime;

/// How long to wait for the final numbers of a job that is over.
const LAST_NUMBERS: Duration = Duration::from_millis(300);

impl Engine<'_> {
    /// The request, with the XML of this moment and its passwords, or why it cannot be made.
    fn request(&self) -> Result<MigrateRequest, String> {
        let read = |which| self.hosts.source.secret_xml(&self.order.instance.uuid, which).map_err(|e| e.to_string());
        let live = read(DomainXml::Live)?;
        let destination_xml =
            rewrite(live.expose(), self.order.moving_state(), Interfaces::MustBeMapped).map_err(|e| e.to_string())?;
        let persistent_xml = if self.order.persistent {
            let inactive = read(DomainXml::Inactive)?;
            let (xml, _) = rewrite_persistent(inactive.expose(), &self.order.map).map_err(|e| e.to_string())?;
            Some(SecretXml::new(xml))
        } else {
            None
        };
        let options = &self.order.options;
        Ok(MigrateRequest {
            destination_uri: self.order.destination_uri.clone(),
            migrate_uri: self.order.migrate_uri.clone(),
            destination_xml: SecretXml::new(destination_xml),
            persistent_xml,
            bandwidth: options.bandwidth,
            switchover_bandwidth: options.switchover_bandwidth,
            tls: options.tls,
            parallel: options.parallel,
            copy_disks: options.copy_disks.keys().cloned().collect(),
        })
    }

    /// Tells libvirt to migrate and follows it to its end.
    pub(super) fn perform(&mut self) -> News {
        self.mark_phase(Side::Source, Phase::Perform);
        let (source, uuid) = (self.hosts.source, &self.order.instance.uuid);
        let chosen = self.order.options.max_downtime.map(milliseconds);
        let limit_before = source.max_downtime(uuid);
        let prepared = self.request().and_then(|request| {
            // What could not be set back is not set.
            let limit_before = match (limit_before, chosen) {
                (Ok(limit), _) => Some(limit),
                (Err(_), None) => None,
                (Err(e), Some(_)) => return Err(format!("the limit of the pause cannot be read: {e}")),
            };
            let now = source.domain(uuid).map_err(|e| e.to_string())?;
            let now = now.ok_or("the guest is gone from the source")?;
            self.still_locked()?;
            self.announce(&Entry::PerformIntent(perform_intent(&now, 1, limit_before)))?;
            Ok((request, limit_before))
        });
        let (request, limit_before) = match prepared {
            Ok(prepared) => prepared,
            Err(why) => return News::Returned(Some(why)),
        };
        if let Some(limit) = chosen
            && let Err(e) = source.set_max_downtime(uuid, limit)
        {
            // It may have been set all the same.
            self.restore_limit(limit_before);
            let error = Some(e.to_string());
            self.note_down(&Entry::PerformReturned { error: error.clone(), vfio_bytes: None });
            return News::Returned(error);
        }
        let returned = std::thread::scope(|scope| {
            let sender = self.line.sender();
            let way = if self.order.options.direct { Way::Direct(self.hosts.destination) } else { Way::PeerToPeer };
            scope.spawn(move || {
                // The line outlives this scope: there is always somebody to hear it.
                let _ = sender.send(Note::Returned(source.migrate(uuid, &request, way)));
            });
            self.follow(limit_before)
        });
        if returned.is_err() {
            self.restore_limit(limit_before);
        }
        self.last_numbers();
        let error = returned.err().map(|e| {
            let moved = self.flowed || self.state.switched();
            if moved { e.message } else { before_anything_moved(self.order, &e) }
        });
        let vfio_bytes = self.job.as_ref().and_then(|job| job.get("vfio_data_transferred"));
        self.note_down(&Entry::PerformReturned { error: error.clone(), vfio_bytes });
        News::Returned(error)
    }

    /// Gives the guest the limit of the pause back that it had before.
    fn restore_limit(&mut self, before: Option<u64>) {
        let (source, uuid) = (self.hosts.source, &self.order.instance.uuid);
        // One that has moved all the same is not there any more.
        if source.domain(uuid).is_ok_and(|guest| guest.is_none_or(|guest| !guest.state.is_active())) {
            return;
        }
        if let Err(e) = downtime::restore(source, uuid, before) {
            self.say(What::Note { message: format!("the limit of the pause may not be as it was: {e}") });
        }
    }

    /// Follows the running job to its return. News on the way go through the pure step at once. The guest had this limit of
    /// the pause before.
    fn follow(&mut self, limit_before: Option<u64>) -> libvirt::Result<()> {
        let options = &self.order.options;
        let mut limit = options.timeout;
        // What could not be set back is not raised.
        let raises = options.raise_downtime && limit_before.is_some();
        let mut stall = Stall::default();
        let mut lingering = Lingering::default();
        let mut wished = false;
        loop {
            // What the daemon told before a wish comes first, so that none is obeyed after the record of switch-over.
            let timeout = if wished { Duration::ZERO } else { POLL };
            match self.line.receiver.recv_timeout(timeout) {
                Ok(Note::Returned(result)) => return result,
                Ok(Note::Happened(Happened::Switched)) => self.switched(),
                Ok(Note::Happened(Happened::JobCompleted(job))) => self.job = Some(job),
                Ok(Note::Happened(_)) => {}
                Ok(Note::Stop) => wished = true,
                Err(RecvTimeoutError::Timeout) if wished => {
                    wished = false;
                    self.obey(Stopped::Operator);
                }
                Err(RecvTimeoutError::Timeout) => {
                    self.abort_again();
                    self.poll(&mut stall, raises);
                    self.see_to_cancelled(&mut lingering);
                }
                Err(RecvTimeoutError::Disconnected) => unreachable!("the line keeps a sender of its own"),
            }
            if limit.is_some_and(|limit| self.started.elapsed() > limit) {
                limit = None;
                self.obey(Stopped::Timeout);
            }
        }
    }

    /// Obeys a wish to stop, unless it comes after switch-over.
    fn obey(&mut self, by: Stopped) {
        self.warn_if_too_late();
        self.news(News::Stop(by));
    }

    /// Whether it is too late to stop. The daemon's event may still be on its way, so that its state is looked at too: an
    /// abort that meets the switch-over does harm.
    fn warn_if_too_late(&mut self) -> bool {
        let state = self.hosts.source.domain(&self.order.instance.uuid).ok().flatten().map(|guest| guest.state);
        if state == Some(libvirt::State::Paused(PauseReason::Migration)) {
            self.switched();
        }
        if self.state.switched() {
            self.say(What::Note {
                message: "too late to stop: the guest is being switched over, which goes on".into(),
            });
        }
        self.state.switched()
    }

    /// The point of no return, once.
    pub(super) fn switched(&mut self) {
        if self.state.switched() {
            return;
        }
        self.news(News::Switched);
        self.note_down(&Entry::Switched);
        self.say(What::Switched);
    }

    pub(super) fn news(&mut self, news: News) {
        let (state, actions) = step(self.state.clone(), news);
        self.state = state;
        for action in actions {
            if let Action::Abort(by) = action {
                self.abort(by);
            }
        }
    }

    /// Aborts the running job.
    pub(super) fn abort(&mut self, by: Stopped) {
        let why = match by {
            Stopped::Operator => "interrupted",
            Stopped::Timeout => "the time limit ran out",
        };
        self.say(What::Stopping { why: why.into() });
        if let Err(e) = self.hosts.source.abort_job(&self.order.instance.uuid) {
            self.abort_owed = true;
            self.say(What::Note { message: format!("the job could not be aborted, which is tried again: {e}") });
        }
    }

    /// Tries again what the daemon has refused, as it does while it is busy with the guest: a wish to stop stands until the
    /// job ends or the guest is switched over.
    fn abort_again(&mut self) {
        if self.abort_owed {
            self.abort_owed =
                !self.warn_if_too_late() && self.hosts.source.abort_job(&self.order.instance.uuid).is_err();
        }
    }

    /// Reads the job's numbers, and acts when nothing comes nearer: the limit of the pause may be raised or not. A daemon that
    /// is busy with switch-over may stay silent: that is no error.
    fn poll(&mut self, stall: &mut Stall, raises: bool) {
        let progress = match self.hosts.source.job(&self.order.instance.uuid) {
            Ok(Some(job)) => progress(&job),
            Ok(None) | Err(_) => Progress::default(),
        };
        self.flowed |= progress.memory_processed > 0;
        let elapsed_ms = milliseconds(self.phase.1.elapsed());
        let progress = Progress { elapsed_ms, ..progress };
        self.say(What::Progress(progress));
        // Switch-over has a clock of its own, and what is to end need not be hurried.
        if self.state.switched() || self.state.is_stopping() || !stall.notice(&progress) {
            return;
        }
        let done = raises.then(|| raise(self.hosts.source, &self.order.instance.uuid)).flatten();
        if let Some(message) = stall.message(&progress, done.as_deref()) {
            self.say(What::Note { message });
        }
    }

    /// The final numbers come as an event beside the call's return; the destination keeps some of them too.
    fn last_numbers(&mut self) {
        if self.job.is_none() {
            self.pause(LAST_NUMBERS);
        }
        if self.job.is_none() {
            self.job = self.hosts.destination.completed_job(&self.order.instance.uuid).ok().flatten();
        }
    }

    /// Lets time pass after libvirt's call, hearing what comes meanwhile. There is nothing left to stop.
    pub(super) fn pause(&mut self, time: Duration) {
        let until = now() + time;
        while let Ok(note) = self.line.receiver.recv_timeout(until.saturating_duration_since(now())) {
            match note {
                Note::Happened(Happened::Switched) => self.switched(),
                Note::Happened(Happened::JobCompleted(job)) => self.job = Some(job),
                Note::Stop | Note::Happened(_) | Note::Returned(_) => {}
            }
        }
    }
}

fn progress(job: &Job) -> Progress {
    let number = |name| job.get(name).unwrap_or(0);
    Progress {
        elapsed_ms: number("time_elapsed"),
        memory_total: number("memory_total"),
        memory_processed: number("memory_processed"),
        memory_remaining: number("memory_remaining"),
        device_bytes: number("vfio_data_transferred"),
        disk_processed: number("disk_processed"),
        disk_remaining: number("disk_remaining"),
        rate: number("memory_bps") + number("disk_bps"),
        iteration: number("memory_iteration"),
    }
}
