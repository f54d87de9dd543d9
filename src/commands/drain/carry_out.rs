//! A plan is confirmed and carried out; then the host is looked at once more.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use super::ended::{End, outcome, outcomes};
use super::execute::Execution;
use super::facts::{Asked, Wanted};
use super::stops::Stops;
use super::{last_look, service};
use crate::commands::hosts::Hosts;
use crate::commands::migrate::signals::while_asked;
use crate::commands::{Context, OrStop as _, Stop, migrate};
use crate::drain::Drain;
use crate::drain::saved::Saved;
use crate::journal::{self, DrainGuest, DrainRecord, Drains, Fate};
use crate::model::causes::sentence;
use crate::model::format::Format;
use crate::model::outcome::Outcome;
use crate::output::drain as output;
use crate::output::moves::{Expected, Moves};
use crate::output::text::printable;

/// What a drain goes on with, whichever way it came to its plan.
pub(super) struct Going<'a> {
    pub(super) context: &'a Context,
    /// Where the journals are.
    pub(super) directory: &'a Path,
    /// Whether the others go on when a move failed.
    pub(super) keep_going: bool,
    /// Whether nobody is asked.
    pub(super) yes: bool,
    /// The plan that is carried out as it was reviewed, if it was saved before.
    pub(super) saved: Option<&'a Saved>,
    pub(super) hosts: &'a Hosts,
    pub(super) drains: &'a Drains,
}

impl Going<'_> {
    /// Has the plan confirmed, and moves the guests.
    pub(super) fn carry_out(
        &self,
        wanted: &Wanted,
        mut record: DrainRecord,
        plan: Drain,
        asked: Asked,
    ) -> Result<Outcome, Stop> {
        let Self { context, hosts, drains, .. } = *self;
        output::announce(&context.printer, &plan, &asked.unreachable, journal::now());
        if plan.moves.is_empty() && !plan.stays.is_empty() {
            // Nothing can be done, and a host that keeps its guests is not cordoned for that.
            let outcome = plan.outcome();
            if context.printer.format != Format::Table {
                output::print(&context.printer, &plan, &asked.unreachable).or_stop(outcome)?;
            }
            return Err(Stop::new(outcome, format!("{} cannot be emptied: no guest can leave", plan.host)));
        }
        let service = service::Disabling::of(context, hosts, &asked.source, &mut record)?;
        let confirmed = || migrate::confirmed(context);
        if !self.yes && !while_asked(&context.printer, confirmed).or_stop(Outcome::Unknown)?? {
            return Err(Stop::refused("not confirmed"));
        }
        drains.begin(&mut record).or_stop(Outcome::Unknown)?;
        if let Some(service) = service {
            service.disable(drains, &mut record)?;
        }
        let begun = journal::now();
        let moves = Arc::new(Moves::new(&context.printer, expected(&plan), begun));
        let stops = Stops::default();
        stops.hear(&context.printer, &moves).or_stop(Outcome::Unknown)?;
        let mut execution = Execution {
            context,
            keep_going: self.keep_going,
            is_fixed: self.saved.is_some(),
            wanted,
            hosts,
            drains,
            record: Mutex::new(record),
            stops,
            moves,
            came: BTreeMap::new(),
        };
        let (first, unreachable) = (plan.clone(), asked.unreachable.clone());
        execution.run(plan, asked);
        execution.moves.finish();
        let is_interrupted = !execution.stops.may_begin();
        let mut record = execution.record().clone();
        let is_whole = wanted.choices.only.is_empty() && wanted.choices.except.is_empty();
        let running = last_look::running(&record.host);
        if let Ok(running) = &running {
            last_look::correct(&mut record, &mut execution.came, running, is_whole);
        }
        let outcomes = outcomes(&record, &execution.came);
        let outcome = outcome(&outcomes, is_interrupted, running.is_ok());
        execution.stops.ended(outcome);
        let is_settled = |guest: &DrainGuest| matches!(guest.fate, Fate::Left | Fate::Gone | Fate::Stays { .. });
        record.is_over = record.guests.iter().all(is_settled) && !is_interrupted;
        record.ended = record.is_over.then(journal::now);
        if let Err(error) = drains.write(&mut record) {
            context.printer.complain(&format!("pvm: {}", printable(&sentence(&error))));
        }
        let end = End { outcome, outcomes: &outcomes, unknown: running.err(), is_whole, begun };
        end.tell(context, &first, &unreachable, &record);
        Ok(outcome)
    }
}

/// How long the plan expects each move to take.
fn expected(plan: &Drain) -> Expected {
    let each = plan.moves.iter().map(|leaving| (leaving.guest.clone(), leaving.seconds));
    Expected::new(plan.seconds, each)
}
