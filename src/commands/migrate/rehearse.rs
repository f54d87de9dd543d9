//! `pvm preflight --rehearse`: what no fact tells is tried.

use super::plan::Planned;
use crate::cli::migrate::Migrate;
use crate::cli::preflight::Preflight;
use crate::commands::{Context, OrStop as _, Stop};
use crate::domain::guest;
use crate::domain::owners::Owner;
use crate::journal;
use crate::migration::ending::Ending;
use crate::model::finding::{Finding, rules};
use crate::model::outcome::Outcome;
use crate::output::preflight as output;
use crate::output::text::printable;
use crate::preflight::rehearsed::take_in;
use crate::preflight::{CheckResult, Compatibility, Report, Row};

rules! {
    /// The migration was tried up to switchover.
    ///
    /// # Meaning
    /// The planned migration of the guest is started towards its planned devices, throttled so that it cannot complete,
    /// and aborted a second after memory has begun to flow. The guest runs on. Connection, authentication, ports, hooks,
    /// and that QEMU starts on the destination with exactly this guest, its files and these devices, are then proved. Not
    /// proved is what comes at switchover: that the destination's devices load the state, and that disks can be written
    /// there. The devices on the destination are claimed meanwhile; QEMU opens them, which resets them. A guest that is
    /// paused, has ports to be unplugged, or so little memory that the migration could complete, is not rehearsed. Should
    /// one complete nevertheless, it is a migration: it is verified and recorded as one.
    /// # Check by hand
    /// virsh migrate --live --p2p --bandwidth 1, and virsh domjobabort.
    /// # Fix
    /// As the message says: it is libvirt's or QEMU's.
    REHEARSAL = "rehearsal", Error;
}

/// The rehearsal as a migration.
pub(in crate::commands) fn arguments(args: &Preflight) -> Result<Migrate, Stop> {
    let ([instance], [destination]) = (args.instance.as_slice(), args.destinations.as_slice()) else {
        return Err(Stop::usage("--rehearse is for one guest and one DST"));
    };
    Ok(Migrate {
        instance: Some(instance.clone()),
        destination: Some(destination.clone()),
        from: Some(args.source.clone()),
        request: args.request.clone(),
        pci_requests: args.pci_requests.clone(),
        replug: args.replug.clone(),
        bypass_owner: args.bypass_owner.clone(),
        yes: args.yes,
        strict: args.strict,
        rehearse: true,
        ..Migrate::default()
    })
}

/// The rehearsal of what is planned. Without one the report is printed as it is.
pub(super) fn migration(context: &Context, args: &Migrate, planned: &Planned) -> Result<journal::Plan, Stop> {
    let domain = planned.facts.domain();
    let refused = |why: String| {
        output::print(&context.printer, std::slice::from_ref(&planned.report)).or_stop(Outcome::Unknown)?;
        Err(Stop::refused(format!("{} was not rehearsed: {why}", domain.name)))
    };
    let Some(migration) = planned.migration.as_ref().filter(|_| planned.report.verdict != Compatibility::Incompatible)
    else {
        return refused("the errors above come first".to_owned());
    };
    if let Some(owner) = &domain.owner
        && !args.bypass_owner.as_ref().is_some_and(|given| given.eq_ignore_ascii_case(&domain.uuid))
    {
        let who = Owner::of_word(owner).map_or(owner.as_str(), |known| known.name);
        return refused(format!(
            "it is run by {who}, which may take the copy on {} for the guest; --bypass-owner={} rehearses it nevertheless",
            planned.report.destination, domain.uuid
        ));
    }
    let memory = guest::read(planned.facts.xml()).ok().and_then(|guest| guest.memory);
    let migration = migration.clone().rehearsed(memory).or_else(refused)?;
    announce(context, &migration);
    Ok(migration)
}

/// Says what is going to be done.
fn announce(context: &Context, migration: &journal::Plan) {
    let (guest, from, to) = (&migration.instance.name, &migration.source_label, &migration.destination.name);
    let mut text = format!(
        "Rehearsing {guest}: {from} -> {to}: its migration is begun at 1 MiB/s and aborted before switchover; it runs on."
    );
    let devices: Vec<String> = migration.map.iter().map(|moved| moved.destination.to_string()).collect();
    if !devices.is_empty() {
        text = format!("{text} QEMU on {to} opens {}, which resets what it opens.", devices.join(" and "));
    }
    context.printer.note(&printable(&text));
}

/// Whether it was a rehearsal that is over, with the guest where it was.
pub(super) fn stayed(migration: &journal::Plan, ending: &Ending) -> bool {
    migration.rehearsal && ending.closed && ending.receipt.runs_on.as_ref() == Some(&migration.source_label)
}

/// Prints the report with what the rehearsal came to.
pub(super) fn result(
    context: &Context,
    args: &Migrate,
    mut report: Report,
    migration: &journal::Plan,
    ending: &Ending,
) -> Result<Outcome, Stop> {
    take_in(&mut report, &row(migration, ending));
    let printed = output::print(&context.printer, std::slice::from_ref(&report));
    if let Err(error) = printed {
        context.printer.complain(&format!("pvm: {}", printable(&ending.receipt.summary)));
        return Err(error).or_stop(Outcome::Unknown);
    }
    Ok(match (ending.outcome, report.verdict) {
        (Outcome::Fine | Outcome::Undone | Outcome::Unknown, verdict) => verdict.outcome(args.strict),
        (outcome, _) => outcome,
    })
}

fn row(migration: &journal::Plan, ending: &Ending) -> Row {
    let receipt = &ending.receipt;
    let (result, message) = match ending.outcome {
        Outcome::Fine => (CheckResult::Info, proved(migration, &receipt.phases)),
        Outcome::Unknown | Outcome::Interrupted => (CheckResult::Unknown, receipt.summary.clone()),
        _ => (CheckResult::Error, receipt.summary.clone()),
    };
    let finding = Finding { instance: Some(migration.instance.name.clone()), ..Finding::new(&REHEARSAL, message) };
    Row { finding, result, source: None, destination: None, rechecked: false }
}

/// What a rehearsal has proved, and what not.
fn proved(migration: &journal::Plan, phases: &[(String, u64)]) -> String {
    let devices = match migration.moving_state().count() {
        0 => String::new(),
        1 => " and its VF".to_owned(),
        n => format!(" and its {n} VFs"),
    };
    let ms = phases.iter().find(|(phase, _)| phase == "perform").map_or(0, |(_, ms)| *ms);
    let state = if devices.is_empty() { "" } else { "the load of the device state and " };
    format!(
        "QEMU on {} accepted the guest{devices}, {}.{} s; not proved: {state}what comes at switchover",
        migration.destination.name,
        ms / 1000,
        ms % 1000 / 100
    )
}
