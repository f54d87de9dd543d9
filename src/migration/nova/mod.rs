//! The migration of a guest that Nova owns: Nova moves it, pvm asks for that, follows it and finds out what it came to.
//!
//! pvm changes nothing of such a guest by itself: no mark, no definition, no device. So the decision table does not apply,
//! and the end only looks: at both hosts, at Nova, and at the proof.

mod end;
mod follow;
mod left;
mod verdict;

use std::sync::mpsc;

use super::answer::perform_intent;
use super::ending::{Ending, Failed};
use super::event::Phase;
use super::forward::{Line, Note};
use super::ground::Ground;
use crate::journal::{Entry, Managed, Side};
use crate::libvirt::{Happened, Watch};
use crate::model::causes::sentence;
use crate::model::outcome::Outcome;
use crate::openstack::{ApiError, Cause, Compute};
use follow::{Follow, Followed};
pub(crate) use left::behind;

/// Has Nova migrate the guest of this ground, and brings that to its end.
pub(crate) fn migrate(ground: &mut Ground<'_>, managed: &Managed, nova: Compute<'_>, line: &Line) -> Ending {
    ground.enter(Phase::Perform);
    let (failed, followed) = match ask(ground, managed, nova, line) {
        Ok(watch) => {
            let followed = Follow::new(ground, managed, nova, line).until_it_ends();
            drop(watch);
            (None, followed)
        }
        Err(failed) => (Some(failed), Followed::default()),
    };
    end::end(ground, managed, nova, &followed, failed)
}

/// Follows a migration whose pvm died, and brings it to its end. `abort`: Nova is told to abort it.
pub(crate) fn recover(ground: &mut Ground<'_>, managed: &Managed, nova: Compute<'_>, abort: bool) -> Ending {
    let line = Line::new();
    if ground.state.perform.is_none() {
        let failed = Failed::new(Outcome::Undone, "Nova had not been asked");
        return end::end(ground, managed, nova, &Followed::default(), Some(failed));
    }
    let mut follow = Follow::new(ground, managed, nova, &line);
    if abort {
        follow.stop();
    }
    let followed = follow.until_it_ends();
    end::end(ground, managed, nova, &followed, None)
}

/// Asks Nova. What the source's daemon tells from then on goes into the line.
fn ask(ground: &mut Ground<'_>, managed: &Managed, nova: Compute<'_>, line: &Line) -> Result<Box<dyn Watch>, Failed> {
    let unknown = |why: String| Failed::new(Outcome::Unknown, why);
    let uuid = ground.uuid();
    let source = ground.host(Side::Source).map_err(unknown)?;
    let (sender, told) = mpsc::channel::<Happened>();
    let watch = source.watch(&uuid, sender).map_err(|error| Failed::of(Outcome::Unknown, error))?;
    let to = line.sender();
    // Ends when the watch is dropped, which drops the last sender.
    std::thread::spawn(move || {
        for happened in told {
            if to.send(Note::Happened(happened)).is_err() {
                return;
            }
        }
    });
    let guest = source.domain(&uuid).map_err(|error| Failed::of(Outcome::Unknown, error))?;
    let guest = guest.ok_or_else(|| unknown("the guest is gone from the source".to_owned()))?;
    let intent = perform_intent(&guest, 1, None);
    ground.record(&Entry::NovaRequest(intent)).map_err(|error| unknown(sentence(&error)))?;
    match nova.migrate(&uuid, &managed.destination) {
        Ok(request) => {
            let words = request.as_ref().map_or(String::new(), |request| format!(", request {request}"));
            ground.note(&format!("Nova migrates it to {}{words}", managed.destination));
            // Without this record a recovery lacks Nova's reason, and nothing else.
            let _ = ground.note_down(&Entry::NovaAccepted { request });
            Ok(watch)
        }
        Err(error) if error.may_have_acted() => {
            ground.note(&format!("{error}; whether Nova migrates it nevertheless is looked at"));
            Ok(watch)
        }
        Err(error) => Err(refused(&error)),
    }
}

/// Nova's refusal, which is an answer, or that it could not be asked.
fn refused(error: &ApiError) -> Failed {
    let outcome = match error.cause {
        Cause::Refused | Cause::Conflict | Cause::Forbidden => Outcome::Findings,
        _ => Outcome::Unknown,
    };
    Failed::new(outcome, error.to_string())
}
