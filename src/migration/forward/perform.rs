//! The phase in which libvirt migrates: the request, the call, and what it came to.

use std::sync::Arc;
use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

use super::follow::Follow;
use super::recheck::{mark_phase, still_locked};
use super::{Forward, Note, Stopped};
use crate::domain::rewrite::{Interfaces, rewrite, rewrite_persistent};
use crate::journal::{self, Entry, PerformIntent, Side};
use crate::libvirt::{DomainXml, Failure, Happened, Hypervisor, HypervisorError, MigrateRequest, SecretXml, Way};
use crate::migration::answer::perform_intent;
use crate::migration::downtime;
use crate::migration::ending::Failed;
use crate::migration::event::{Phase, TOO_LATE, milliseconds, moment};
use crate::migration::look::definition;
use crate::model::both::both;
use crate::model::causes::sentence;
use crate::model::outcome::Outcome;

/// How long to wait for the final numbers of a job that is over.
const LAST_NUMBERS: Duration = Duration::from_millis(300);

fn undone(why: impl Into<String>) -> Failed {
    Failed::new(Outcome::Undone, why)
}

/// The request, with the XML of this moment and its passwords, or why it cannot be made.
fn request(source: &dyn Hypervisor, plan: &journal::Plan) -> Result<MigrateRequest, Failed> {
    let read = |which| source.secret_xml(&plan.instance.uuid, which).map_err(|e| Failed::of(Outcome::Undone, e));
    let live = read(DomainXml::Live)?;
    let destination_xml =
        rewrite(live.expose(), plan.moving_state(), Interfaces::MustBeMapped).map_err(|e| undone(e.to_string()))?;
    let persistent_xml = if plan.persist_destination {
        let inactive = read(DomainXml::Inactive)?;
        let (xml, _) = rewrite_persistent(inactive.expose(), &plan.map).map_err(|e| undone(e.to_string()))?;
        Some(SecretXml::new(xml))
    } else {
        None
    };
    let options = &plan.parameters;
    Ok(MigrateRequest {
        destination_uri: plan.destination_uri.clone(),
        migrate_uri: plan.migrate_uri.clone(),
        destination_xml: SecretXml::new(destination_xml),
        persistent_xml,
        bandwidth: options.bandwidth,
        switchover_bandwidth: options.switchover_bandwidth,
        tls: options.tls,
        parallel: options.parallel,
        copy_disks: options.copy_disks.keys().cloned().collect(),
    })
}

impl Forward<'_, '_> {
    /// Tells libvirt to migrate and follows it to its end.
    pub(super) fn perform(&mut self) -> Result<(), Failed> {
        mark_phase(self.ground, self.plan, Phase::Perform);
        let (source, uuid) = (self.host(Side::Source)?, self.plan.instance.uuid.clone());
        let chosen = self.plan.parameters.max_downtime.map(milliseconds);
        let failed = |e| Failed::of(Outcome::Undone, e);
        let ((limit, definition), (now, request)) = both(
            || {
                let definition = self.plan.persist_destination.then(|| definition(source.as_ref(), &uuid)).transpose();
                (source.max_downtime(&uuid), definition)
            },
            || (source.domain(&uuid), request(source.as_ref(), self.plan)),
        );
        // What could not be set back is not set.
        let limit_before = match (limit, chosen) {
            (Ok(limit), _) => Some(limit),
            (Err(_), None) => None,
            (Err(e), Some(_)) => return Err(undone(format!("the limit of the pause cannot be read: {e}"))),
        };
        let (request, definition) = (request?, definition.map_err(failed)?);
        let now = now.map_err(failed)?.ok_or_else(|| undone("the guest is gone from the source"))?;
        // Last, right before the call.
        still_locked(self.ground, self.plan).map_err(|failed| Failed { outcome: Outcome::Undone, ..failed })?;
        let autostart_off = now.autostart;
        let intent = PerformIntent { definition, autostart_off, ..perform_intent(&now, 1, limit_before) };
        self.ground.record(&Entry::PerformIntent(intent)).map_err(|e| undone(sentence(&e)))?;
        // A source that reboots in the midst would start a second copy.
        if autostart_off && let Err(e) = source.set_autostart(&uuid, false) {
            let failed = Failed::of(Outcome::Undone, e);
            self.returned(Some(failed.why.clone()), false);
            return Err(failed);
        }
        if let Some(limit) = chosen
            && let Err(e) = source.set_max_downtime(&uuid, limit)
        {
            // It may have been set nevertheless.
            self.restore_limit(limit_before);
            let failed = Failed::of(Outcome::Undone, e);
            self.returned(Some(failed.why.clone()), false);
            return Err(failed);
        }
        let (returned, moved) = self.call_and_follow(&source, request, limit_before)?;
        if returned.is_err() {
            self.restore_limit(limit_before);
        }
        self.last_numbers();
        let error = match returned {
            Ok(()) => {
                self.returned(None, false);
                return Ok(());
            }
            Err(error) => error,
        };
        let peer_unreached = !moved && error.failure == Failure::PeerUnreached;
        let why = if peer_unreached {
            way_round(self.ground.name(Side::Source), self.plan, &error)
        } else {
            error.message.clone()
        };
        self.returned(Some(why.clone()), peer_unreached);
        let failed = |error| Failed { outcome: Outcome::Undone, why, error: Some(error) };
        Err(match self.stopped {
            // It has failed by itself, just before the abort.
            Some(Stopped::Rehearsed | Stopped::TooFast) if error.failure != Failure::Aborted => failed(error),
            Some(stopped) => stopped.failed(),
            None => failed(error),
        })
    }

    /// Tells libvirt to migrate, in a thread of its own, and follows it. Whether anything had moved when it returned.
    fn call_and_follow(
        &mut self,
        source: &Arc<dyn Hypervisor>,
        request: MigrateRequest,
        limit_before: Option<u64>,
    ) -> Result<(crate::libvirt::Result<()>, bool), Failed> {
        let destination = self.ground.host(Side::Destination).map_err(undone)?;
        let (sender, uuid, direct) = (self.line.sender(), self.plan.instance.uuid.clone(), self.plan.parameters.direct);
        let caller = Arc::clone(source);
        std::thread::spawn(move || {
            let way = if direct { Way::Direct(destination.as_ref()) } else { Way::PeerToPeer };
            // Where nobody listens any more, pvm has left.
            let _ = sender.send(Note::Returned(caller.migrate(&uuid, &request, way)));
        });
        // What could not be set back is not raised.
        let raises = self.plan.parameters.raise_downtime && limit_before.is_some();
        let mut follow = Follow::new(self, Arc::clone(source), raises);
        let returned = follow.until_it_ends();
        let moved = follow.flowed;
        Ok((returned, moved || self.switched_over()))
    }

    /// Whether the point of no return is passed.
    pub(super) fn switched_over(&self) -> bool {
        self.ground.state.switched.is_some()
    }

    /// Records what libvirt's call came to.
    fn returned(&mut self, error: Option<String>, peer_unreached: bool) {
        let vfio_bytes = self.job.as_ref().and_then(|job| job.get("vfio_data_transferred"));
        // What it came to is asked of the hosts in any case.
        let _ = self.ground.note_down(&Entry::PerformReturned { error, vfio_bytes, peer_unreached });
    }

    /// Gives the guest the limit of the pause back that it had before.
    fn restore_limit(&mut self, before: Option<u64>) {
        let restored = self.ground.call(Side::Source, |source, uuid| {
            // One that has moved nevertheless is not there any more.
            match source.domain(uuid) {
                Ok(guest) if guest.as_ref().is_none_or(|guest| !guest.state.is_active()) => Ok(()),
                _ => downtime::restore(source, uuid, before),
            }
        });
        if let Err(e) = restored {
            self.ground.note(&format!("the limit of the pause may not be as it was: {e}"));
        }
    }

    /// The final numbers come as an event beside the call's return; the destination keeps some of them too.
    fn last_numbers(&mut self) {
        let until = moment() + LAST_NUMBERS;
        while self.job.is_none() {
            match self.line.receiver.recv_timeout(until.saturating_duration_since(moment())) {
                Ok(Note::Happened(Happened::Switched)) => self.switched(),
                Ok(Note::Happened(Happened::JobCompleted(job))) => self.job = Some(job),
                // There is nothing left to stop.
                Ok(Note::Stop | Note::Happened(_) | Note::Returned(_) | Note::Answered(_)) => {}
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
            }
        }
        if self.job.is_none() {
            let numbers = self.ground.call(Side::Destination, |host, uuid| host.completed_job(uuid));
            self.job = numbers.ok().flatten();
        }
    }

    /// The point of no return, once.
    pub(super) fn switched(&mut self) {
        if self.switched_over() {
            return;
        }
        // It has happened, whether it can be written or not.
        let _ = self.ground.note_down(&Entry::Switched);
        self.ground.tell(crate::migration::event::What::Switched);
    }

    /// Takes a wish to stop back that came too late.
    pub(super) fn too_late(&mut self) {
        self.stopped = None;
        self.ground.note(TOO_LATE);
    }

    /// Takes a wish to stop in; `false` when there was one.
    pub(super) fn stop(&mut self, by: Stopped) -> bool {
        self.stopped.replace(self.stopped.unwrap_or(by)).is_none()
    }
}

/// The error of a source's daemon that did not reach the destination's, with the way round.
fn way_round(source: &str, plan: &journal::Plan, error: &HypervisorError) -> String {
    format!(
        "{}; the daemon of {source} opens {} as its own user: where it cannot, --direct has pvm connect to both hosts",
        error.message, plan.destination_uri
    )
}
