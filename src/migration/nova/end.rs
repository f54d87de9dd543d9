//! The end of a migration by Nova: both hosts and Nova are asked, the devices compared, their state proved. Nothing is changed.

use std::time::Duration;

use super::follow::Followed;
use super::left;
use super::verdict::{self, End};
use crate::domain::read;
use crate::journal::{DeviceMove, Entry, JournalError, Managed, Receipt, Side, now};
use crate::libvirt::DomainXml;
use crate::migration::answer::{Job, Seen};
use crate::migration::ending::{Ending, Failed, Told, last_words};
use crate::migration::event::{Clock, Phase, milliseconds};
use crate::migration::ground::Ground;
use crate::migration::steps::arrive::proof;
use crate::model::causes::sentence;
use crate::model::outcome::Outcome;
use crate::openstack::{Compute, Migration, Stage};
use crate::proof::Verdict;

/// Between two looks at both hosts.
const SOON: Duration = Duration::from_millis(250);
/// Looks that are waited for until nothing is under way on either host: half a minute.
const MOST_LOOKS: u32 = 120;
/// Questions to Nova, a second apart, until the server is idle again.
const MOST_QUESTIONS: u32 = 15;

/// Finds out what it came to, and records that.
pub(super) fn end(
    ground: &mut Ground<'_>,
    managed: &Managed,
    nova: Compute<'_>,
    followed: &Followed,
    failed: Option<Failed>,
) -> Ending {
    ground.enter(Phase::Verify);
    let names = [ground.name(Side::Source).to_owned(), ground.name(Side::Destination).to_owned()];
    let (source, destination) = settled(ground);
    let place = verdict::place(&source, &destination, [&names[0], &names[1]]);
    let asked = ground.state.perform.is_some() && failed.is_none();
    let failed = failed.or_else(|| why_failed(ground, nova, followed, place.as_ref().ok().copied()));
    let unrecorded =
        asked.then(|| record_what_was_seen(ground, followed, failed.as_ref(), place.as_ref().ok().copied()));
    let unrecorded = unrecorded.and_then(Result::err).map(|error| sentence(&error));
    // Nobody will make it idle where the source's service is down.
    let may_go_on = asked && followed.given_up.is_none();
    let server =
        if may_go_on { idle_server(ground, nova) } else { nova.server(&ground.uuid()).map_err(|e| e.to_string()) };
    let place_now = place.as_ref().ok().copied();
    let verdict = match place_now {
        Some(Side::Source) => ground.state.source_verdict.clone(),
        _ => ground.state.verdict.clone(),
    };
    let mut judged = verdict::judge(&End {
        place: place_now,
        gone: source == Seen::Absent && destination == Seen::Absent,
        server,
        record: followed.record.as_ref(),
        verdict: verdict.as_ref(),
        requires_proof: ground.state.requires_proof(),
        failed: failed.as_ref().map_or(Outcome::Undone, |failed| failed.outcome),
        hosts: [&managed.source, &managed.destination],
    });
    let held = held_elsewhere(ground, nova, followed);
    if !held.is_empty() {
        judged.wrong.extend(held);
        if judged.outcome != Outcome::Undecided {
            judged.outcome = Outcome::Incomplete;
        }
    }
    let open = unrecorded
        .or_else(|| place.err().filter(|_| !judged.closed).map(|why| format!("where it runs is not clear: {why}")))
        .or_else(|| {
            (!judged.closed).then(|| followed.given_up.clone().unwrap_or_else(|| "it is looked at again".into()))
        });
    let outcome = if open.is_some() && judged.outcome == Outcome::Fine { Outcome::Incomplete } else { judged.outcome };
    let see = format!("pvm recover {}", ground.state.plan.id);
    let summary = last_words(
        &Told {
            guest: &ground.state.plan.instance.name,
            place: place_now.map(|side| (side, ground.name(side))),
            losses: judged.wrong,
            failed: failed.as_ref().map(|failed| failed.why.as_str()),
            open: open.as_deref(),
            see: open.as_ref().map(|_| see.as_str()),
        },
        outcome,
    );
    let receipt = receipt(ground, followed, outcome, place_now, verdict, summary);
    close(ground, place_now, open.is_none(), outcome, receipt)
}

fn receipt(
    ground: &Ground<'_>,
    followed: &Followed,
    outcome: Outcome,
    place: Option<Side>,
    verdict: Option<Verdict>,
    summary: String,
) -> Receipt {
    let job = followed.job.as_ref();
    let number = |name| job.and_then(|job: &crate::libvirt::Job| job.get(name));
    Receipt {
        exit_code: outcome.code(),
        summary,
        runs_on: place.map(|side| ground.name(side).to_owned()),
        phases: ground.clock.as_ref().map_or(Vec::new(), Clock::phases),
        total_ms: match &ground.clock {
            Some(clock) => Some(milliseconds(clock.elapsed())),
            None => u64::try_from(now().since(ground.state.begun)).ok(),
        },
        downtime_ms: number("downtime"),
        memory_bytes: number("memory_processed"),
        vfio_bytes: ground.state.vfio_bytes,
        verdict,
        map: ground.state.map.clone(),
        missing_ports: Vec::new(),
    }
}

/// What Placement and Neutron still hold for the migration, once that is over.
fn held_elsewhere(ground: &mut Ground<'_>, nova: Compute<'_>, followed: &Followed) -> Vec<String> {
    let over = followed.record.as_ref().filter(|record| record.stage() != Stage::UnderWay);
    let Some(record) = over else { return Vec::new() };
    let (held, bound) = left::of_services(nova, &ground.uuid(), record);
    // Who may move servers need not be let in there.
    for error in [held.as_ref().err(), bound.as_ref().err()].into_iter().flatten() {
        ground.note(&error.to_string());
    }
    held.into_iter().flatten().chain(bound.into_iter().flatten()).collect()
}

fn close(ground: &mut Ground<'_>, place: Option<Side>, is_over: bool, outcome: Outcome, receipt: Receipt) -> Ending {
    let open = |outcome, receipt| Ending { outcome, row: "nova", closed: false, receipt, taken: None };
    if !is_over {
        return open(outcome, receipt);
    }
    let entry = match place {
        Some(Side::Destination) => Entry::Done { receipt: receipt.clone() },
        Some(Side::Source) | None => Entry::Undone { receipt: receipt.clone() },
    };
    match ground.record(&entry) {
        Ok(()) => Ending { closed: true, ..open(outcome, receipt) },
        Err(error) => {
            ground.note(&sentence(&error));
            let outcome = crate::migration::ending::unrecorded(outcome);
            open(outcome, Receipt { exit_code: outcome.code(), ..receipt })
        }
    }
}

/// Both hosts, once nothing is under way on either of them, or as they were at last.
fn settled(ground: &mut Ground<'_>) -> (Seen, Seen) {
    let under_way = |seen: &Seen| match seen {
        Seen::Present { job, incoming, .. } => *incoming || *job == Job::Out,
        Seen::Absent | Seen::Unreachable(_) => false,
    };
    let mut last = ground.look_at_both();
    for _ in 0..MOST_LOOKS {
        let both = [&last.0, &last.1].iter().filter(|seen| matches!(seen, Seen::Present { .. })).count() == 2;
        let neither = last.0 == Seen::Absent && last.1 == Seen::Absent;
        if !under_way(&last.0) && !under_way(&last.1) && !both && !neither {
            break;
        }
        ground.world.pause(SOON);
        last = ground.look_at_both();
    }
    last
}

/// The server as Nova has it, once Nova has finished with it: its record ends before its cleaning up does.
fn idle_server(ground: &mut Ground<'_>, nova: Compute<'_>) -> Result<Option<crate::openstack::Server>, String> {
    let uuid = ground.uuid();
    for _ in 1..MOST_QUESTIONS {
        let server = nova.server(&uuid).map_err(|error| error.to_string())?;
        if server.as_ref().is_none_or(|server| server.task_state.is_none()) {
            return Ok(server);
        }
        ground.world.pause(Duration::from_secs(1));
    }
    nova.server(&uuid).map_err(|error| error.to_string())
}

/// Why the guest did not move, as far as Nova says.
fn why_failed(ground: &Ground<'_>, nova: Compute<'_>, followed: &Followed, place: Option<Side>) -> Option<Failed> {
    if place == Some(Side::Destination) {
        return None;
    }
    if let Some(stopped) = followed.stopped {
        let outcome = if stopped.is_operators() { Outcome::Interrupted } else { Outcome::Undone };
        return Some(Failed::new(outcome, stopped.why()));
    }
    let record = followed.record.as_ref();
    let Some(record) = record.filter(|record| record.stage() == Stage::Failed) else {
        return followed.given_up.clone().map(|why| Failed::new(Outcome::Undone, why));
    };
    let request = ground.state.request.as_deref();
    let mut reasons = request.and_then(|request| nova.reasons(&ground.uuid(), request).ok()).unwrap_or_default();
    reasons.dedup();
    let why = if reasons.is_empty() {
        format!("Nova's migration {} ended as {}, and Nova does not say why", record.id, record.status)
    } else {
        format!("Nova: {}{}", reasons.join("; "), no_host(record))
    };
    Some(Failed::new(Outcome::Undone, why))
}

/// Where the scheduler found no host, Nova's words hide which rule it was.
fn no_host(record: &Migration) -> &'static str {
    if record.dest_compute.is_none() { " (nova-conductor's log names the rule)" } else { "" }
}

/// Records how it ended, the devices that the guest has, and what became of their state.
fn record_what_was_seen(
    ground: &mut Ground<'_>,
    followed: &Followed,
    failed: Option<&Failed>,
    place: Option<Side>,
) -> Result<(), JournalError> {
    let sent = followed.job.as_ref().and_then(|job| job.get("vfio_data_transferred"));
    let vfio_bytes = sent.or(ground.state.vfio_bytes);
    let error = failed.map(|failed| failed.why.clone());
    ground.note_down(&Entry::PerformReturned { error, vfio_bytes, peer_unreached: false })?;
    let begun = followed.record.as_ref().is_some_and(|record| record.dest_compute.is_some());
    let unwatched = ground.clock.is_none() && begun;
    match place {
        Some(Side::Destination) => {
            let verdict = match devices_there(ground) {
                Some(map) => {
                    if map != ground.state.map {
                        ground.note("Nova chose other devices than predicted");
                        ground.note_down(&Entry::Reclaim { map })?;
                    }
                    proof(ground, Side::Destination)
                }
                None => Verdict::not_verified("which devices it has there could not be read"),
            };
            ground.note_down(&Entry::Verify { side: Side::Destination, verdict })
        }
        // A guest that was never stopped has what it had; whether it was is not known where nobody watched.
        Some(Side::Source) if ground.state.switched.is_some() || unwatched => {
            let verdict = proof(ground, Side::Source);
            ground.note_down(&Entry::Verify { side: Side::Source, verdict })
        }
        Some(Side::Source) | None => Ok(()),
    }
}

/// The map as it came to be: Nova keeps each device's place in the guest. None when a device of it is not known.
fn devices_there(ground: &mut Ground<'_>) -> Option<Vec<DeviceMove>> {
    let planned = ground.state.map.clone();
    if planned.is_empty() {
        return Some(planned);
    }
    let xml = ground.call(Side::Destination, |host, uuid| host.xml(uuid, DomainXml::Live)).ok()?;
    let there = read::read(&xml).ok()?;
    let found = |moved: DeviceMove| {
        let same = there.hostdevs.iter().find(|device| device.guest_address == moved.guest_address)?;
        Some(DeviceMove { destination: same.source?, ..moved })
    };
    planned.into_iter().map(found).collect()
}
