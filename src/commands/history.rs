//! `pvm history`.

mod drains;

use std::borrow::Cow;
use std::time::Duration;

use serde::Serialize;

use super::migrate::show::in_numbers;
use super::{Context, OrStop as _, Stop};
use crate::cli::history::History;
use crate::cli::verify::Since;
use crate::facts::Settings;
use crate::journal::index::{self, Known};
use crate::journal::{Came, Drains, Host, Instance, JournalError, Listed, State, Store, now, state_directory};
use crate::migration::event::Conclusion;
use crate::model::causes::sentence;
use crate::model::format::Format;
use crate::model::outcome::Outcome;
use crate::model::snapshot::Unknown;
use crate::model::time::Timestamp;
use crate::output::history::{self as output, Line, table, time};
use crate::output::text::printable;

/// `pvm.history/1`.
#[derive(Debug, Serialize)]
struct Document {
    schema: &'static str,
    migrations: Vec<Past>,
    drains: Vec<drains::Past>,
    /// Journals that could not be read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unknown: Vec<Unknown>,
}

/// `pvm.history-prune/1`.
#[derive(Debug, Serialize)]
struct Pruned {
    schema: &'static str,
    removed: Vec<String>,
    /// Journals that could not be read or removed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unknown: Vec<Unknown>,
}

/// One migration.
#[derive(Debug, Serialize)]
struct Past {
    id: String,
    instance: Instance,
    source: Host,
    destination: Host,
    result: &'static str,
    begun: Timestamp,
    /// None while it is not finished.
    ended: Option<Timestamp>,
    /// None while it is not finished.
    receipt: Option<Conclusion>,
}

impl Past {
    fn of(id: String, state: State) -> Self {
        Self {
            id,
            result: state.came().name(),
            begun: state.begun,
            ended: state.is_closed().then_some(state.touched),
            source: Host { name: state.plan.source_name().to_owned(), ..state.plan.source.clone() },
            receipt: state.receipt.map(Conclusion::of),
            instance: state.plan.instance,
            destination: state.plan.destination,
        }
    }
}

/// Which migrations are wanted.
struct Filter<'a> {
    of: Option<&'a str>,
    /// Whether that is an id: the other migrations have nothing to do with it.
    is_id: bool,
    since: Option<Timestamp>,
}

impl Filter<'_> {
    /// Whether it may be the migration with this id, of which no more is known.
    fn may_be(&self, id: &str) -> bool {
        !self.is_id || self.of == Some(id)
    }

    fn is(&self, id: &str, guest: &str, uuid: &str, begun: Timestamp) -> bool {
        let is_of = match self.of {
            Some(of) if !self.is_id => of == guest || of == uuid,
            _ => self.may_be(id),
        };
        is_of && self.since.is_none_or(|since| begun >= since)
    }
}

/// A line of the table.
fn line<'a>(id: &'a str, guest: &'a str, way: [&str; 2], came: Came, downtime_ms: Option<u64>) -> Line<'a> {
    let downtime = match (came, downtime_ms) {
        (_, Some(ms)) => time(ms).into(),
        (Came::Migrated | Came::Incomplete, None) => "unknown".into(),
        // The guest was not paused for good, or not yet.
        _ => "-".into(),
    };
    [id.into(), guest.into(), format!("{} -> {}", way[0], way[1]).into(), came.name().into(), downtime]
}

fn known_line<'a>(id: &'a str, known: &Known<'a>) -> Line<'a> {
    line(id, known.guest, [known.source, known.destination], known.came, known.downtime_ms)
}

fn state_line(id: &str, state: &State) -> Line<'static> {
    let way = [state.plan.source_name(), &state.plan.destination.name];
    let downtime = state.receipt.as_ref().and_then(|receipt| receipt.downtime_ms);
    line(id, &state.plan.instance.name, way, state.came(), downtime).map(|cell| Cow::Owned(cell.into_owned()))
}

/// Runs the command.
pub(crate) fn run(context: &Context, args: &History) -> Result<Outcome, Stop> {
    if context.global.root != std::path::Path::new("/") {
        return Err(Stop::usage("history is of this machine's migrations: it does not go with --root"));
    }
    let directory = state_directory().or_stop(Outcome::Unknown)?;
    let store = Store::at(&directory);
    if let Some(age) = args.prune {
        return prune(context, &store, ago(age));
    }
    let since = args.since.map(|since| match since {
        Since::At(at) => at,
        Since::Ago(age) => ago(age),
    });
    let index = index::read(&store).or_stop(Outcome::Unknown)?;
    let wanted = Filter { of: args.of.as_deref(), is_id: args.of.as_ref().is_some_and(|of| store.knows(of)), since };
    let is_table = context.global.output == Format::Table && !wanted.is_id;
    let mut without = Vec::new();
    let drained = drains::wanted(&Drains::at(&directory), wanted.of, since).unwrap_or_else(|error| {
        without.push(Unknown::new("drains", sentence(&error)));
        Vec::new()
    });
    let (mut lines, mut migrations, mut unknown) = (Vec::new(), Vec::new(), Vec::new());
    for past in index.newest_first() {
        match past.known {
            Some(known) if !wanted.is(past.id, known.guest, known.uuid, known.begun) => continue,
            Some(known) if is_table => {
                lines.push(known_line(past.id, &known));
                continue;
            }
            None if !wanted.may_be(past.id) => continue,
            Some(_) | None => {}
        }
        let listed = store.listed(past.id);
        match (trouble(&listed), listed.state()) {
            // It may be of any guest.
            (Some(why), _) => unknown.push(Unknown::new(listed.id, why)),
            (None, Some(state)) => {
                let Instance { name, uuid } = &state.plan.instance;
                match wanted.is(past.id, name, uuid, state.begun) {
                    true if is_table => lines.push(state_line(past.id, &state)),
                    true => migrations.push(Past::of(listed.id, state)),
                    false => {}
                }
            }
            (None, None) => {}
        }
    }
    complain(context, &unknown);
    for Unknown { why, .. } in &without {
        context.printer.complain(&format!("pvm: {}", printable(why)));
    }
    unknown.append(&mut without);
    let is_empty = lines.is_empty() && migrations.is_empty() && drained.is_empty();
    if let (Some(of), true, None) = (&args.of, is_empty && !wanted.is_id, args.since) {
        let message =
            format!("no migration or drain has the id '{of}', and none is of a guest or host of that name or UUID");
        return Err(Stop::unknown(message));
    }
    let is_known = unknown.is_empty();
    let printed = match (context.global.output, migrations.as_slice()) {
        (Format::Table, [only]) => context.printer.lines(&details(only)),
        (Format::Table, _) => {
            if is_empty {
                context.printer.note("No migrations, no drains.");
            }
            let drains = output::drains(&drained.iter().map(drains::Past::line).collect::<Vec<_>>());
            let gap = if lines.is_empty() || drains.is_empty() { "" } else { "\n" };
            let details = match drained.as_slice() {
                [only] if args.of.is_some() => only.details(),
                _ => String::new(),
            };
            context.printer.result(&[&table(&lines), gap, &drains, &details].concat())
        }
        _ => context.printer.document(&Document { schema: "pvm.history/1", migrations, drains: drained, unknown }),
    };
    printed.or_stop(Outcome::Unknown)?;
    Ok(if is_known { Outcome::Fine } else { Outcome::Unknown })
}

/// Why a journal cannot be believed.
fn trouble(listed: &Listed) -> Option<String> {
    match &listed.content {
        // Among the open ones it had not begun.
        Ok(parsed) if listed.is_put_away() && parsed.records.is_empty() && parsed.trouble.is_none() => {
            Some("the journal is damaged: it has no whole record".to_owned())
        }
        Ok(parsed) => parsed.trouble.as_ref().map(|trouble| format!("the journal is damaged: {}", sentence(trouble))),
        Err(error) => Some(sentence(error)),
    }
}

fn complain(context: &Context, unknown: &[Unknown]) {
    for Unknown { fact, why } in unknown {
        context.printer.complain(&format!("pvm: migration {}: {}", printable(fact), printable(why)));
    }
}

fn details(past: &Past) -> String {
    let Past { id, instance, source, destination, result, .. } = past;
    let head = format!("{id}  {}  {} -> {}  {result}", instance.name, source.name, destination.name);
    let mut lines = vec![head, format!("began {}", past.begun)];
    lines.extend(past.ended.map(|at| format!("ended {at}")));
    if let Some(Conclusion { receipt, .. }) = &past.receipt {
        lines.push(receipt.summary.clone());
        lines.extend(in_numbers(receipt).split("; ").map(str::to_owned));
        let device = |moved: &crate::journal::DeviceMove| format!("{} -> {}", moved.source, moved.destination);
        lines.extend(receipt.map.iter().map(device));
    } else {
        lines.push(format!("pvm recover {id} finishes or undoes it"));
    }
    lines.retain(|line| !line.is_empty());
    lines.iter().map(|line| printable(line)).collect::<Vec<_>>().join("\n") + "\n"
}

/// Removes what is older than pvm.yaml keeps, after a command that may have added to it. Its exit code is of that command.
pub(crate) fn keep(context: &Context) {
    let Ok(settings) = Settings::load(context.global.config.as_deref()) else { return };
    let Some(age) = settings.history.keep else { return };
    let Ok(directory) = state_directory() else { return };
    match remove(&Store::at(directory), ago(age)) {
        Ok((_, unknown)) => complain(context, &unknown),
        Err(error) => context.printer.complain(&format!("pvm: {}", printable(&sentence(&error)))),
    }
}

/// The moment that is so long ago.
fn ago(age: Duration) -> Timestamp {
    now().plus(i64::try_from(age.as_millis()).map_or(i64::MIN, |ms| -ms))
}

/// Removes the journals of migrations that ended before then: their ids, and the journals that could not be read or removed.
fn remove(store: &Store, before: Timestamp) -> Result<(Vec<String>, Vec<Unknown>), JournalError> {
    let (mut removed, mut unknown) = (Vec::new(), Vec::new());
    store.tidy();
    let index = index::read(store)?;
    let may_be_old = |past: &index::Past<'_>| past.known.is_none_or(|known| known.ended < before);
    for listed in index.closed().filter(may_be_old).map(|past| store.listed(past.id)) {
        let is_old = listed.state().is_some_and(|state| state.touched < before);
        match (trouble(&listed), listed.is_closed() && is_old) {
            (Some(why), _) => unknown.push(Unknown::new(listed.id, why)),
            (None, true) => match store.remove(&listed) {
                Ok(()) => removed.push(listed.id),
                Err(error) => unknown.push(Unknown::new(listed.id, sentence(&error))),
            },
            (None, false) => {}
        }
    }
    Ok((removed, unknown))
}

fn prune(context: &Context, store: &Store, before: Timestamp) -> Result<Outcome, Stop> {
    let (removed, unknown) = remove(store, before).or_stop(Outcome::Unknown)?;
    complain(context, &unknown);
    let outcome = match (unknown.is_empty(), removed.is_empty()) {
        (true, _) => Outcome::Fine,
        (false, true) => Outcome::Unknown,
        // Exit code 3 would say that nothing was changed.
        (false, false) => Outcome::Incomplete,
    };
    let count = removed.len();
    let printed = match context.global.output {
        Format::Table => context.printer.result(&format!("{count} removed.\n")),
        _ => context.printer.document(&Pruned { schema: "pvm.history-prune/1", removed, unknown }),
    };
    if let Err(error) = printed {
        context.printer.complain(&format!("pvm: {count} removed: {}", sentence(&error)));
    }
    Ok(outcome)
}
