//! `pvm history`.

use serde::Serialize;

use super::migrate::show::in_numbers;
use super::{Context, OrStop as _, Stop};
use crate::cli::history::History;
use crate::cli::verify::Since;
use crate::journal::{Host, Instance, Last, Listed, State, Store, now, state_directory};
use crate::migration::event::Conclusion;
use crate::model::causes::sentence;
use crate::model::format::Format;
use crate::model::outcome::Outcome;
use crate::model::snapshot::Unknown;
use crate::model::time::Timestamp;
use crate::output::history::{Line, table, time};
use crate::output::text::printable;

/// `pvm.history/1`.
#[derive(Debug, Serialize)]
struct Document {
    schema: &'static str,
    migrations: Vec<Past>,
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
            result: result(&state),
            begun: state.begun,
            ended: state.is_closed().then_some(state.touched),
            receipt: state.receipt.map(Conclusion::of),
            instance: state.plan.instance,
            source: Host {
                name: if state.plan.source_label.is_empty() { state.plan.source.name } else { state.plan.source_label },
                ..state.plan.source
            },
            destination: state.plan.destination,
        }
    }

    fn line(&self) -> Line {
        let downtime = match (self.result, self.receipt.as_ref().and_then(|end| end.receipt.downtime_ms)) {
            (_, Some(ms)) => time(ms),
            ("migrated" | "incomplete", None) => "unknown".to_owned(),
            // The guest was not paused for good, or not yet.
            _ => "-".to_owned(),
        };
        let way = format!("{} -> {}", self.source.name, self.destination.name);
        [self.id.clone(), self.instance.name.clone(), way, self.result.to_owned(), downtime]
    }
}

/// What a migration came to, in a word.
fn result(state: &State) -> &'static str {
    match (state.last, &state.receipt) {
        (Last::Done | Last::Undone, _) if state.plan.rehearsal => "rehearsed",
        (Last::Done, Some(receipt)) if receipt.exit_code == Outcome::Fine.code() => "migrated",
        (Last::Done, _) => "incomplete",
        (Last::Undone, _) => "undone",
        _ => "unfinished",
    }
}

/// Runs the command.
pub(crate) fn run(context: &Context, args: &History) -> Result<Outcome, Stop> {
    if context.global.root != std::path::Path::new("/") {
        return Err(Stop::usage("history is of this machine's migrations: it does not go with --root"));
    }
    let store = Store::at(state_directory().or_stop(Outcome::Unknown)?);
    let ago = |age: std::time::Duration| now().plus(i64::try_from(age.as_millis()).map_or(i64::MIN, |ms| -ms));
    if let Some(age) = args.prune {
        return prune(context, &store, ago(age));
    }
    let since = args.since.map(|since| match since {
        Since::At(at) => at,
        Since::Ago(age) => ago(age),
    });
    let (mut migrations, mut unknown) = (Vec::new(), Vec::new());
    for listed in store.newest_first().or_stop(Outcome::Unknown)? {
        let why = trouble(&listed);
        let is_wanted = |state: &State| {
            let Instance { name, uuid } = &state.plan.instance;
            let is_of = args.of.as_ref().is_none_or(|of| *of == listed.id || of == name || of == uuid);
            is_of && since.is_none_or(|since| state.begun >= since)
        };
        match (why, listed.state()) {
            // It may be of any guest.
            (Some(why), _) => unknown.push(Unknown::new(listed.id, why)),
            (None, Some(state)) if is_wanted(&state) => migrations.push(Past::of(listed.id, state)),
            (None, _) => {}
        }
    }
    if let Some(of) = &args.of {
        // An id is of one migration: the others have nothing to do with it.
        if migrations.iter().any(|past| past.id == *of) || unknown.iter().any(|journal| journal.fact == *of) {
            migrations.retain(|past| past.id == *of);
            unknown.retain(|journal| journal.fact == *of);
        } else if migrations.is_empty() && args.since.is_none() {
            complain(context, &unknown);
            let message = format!("no migration has the id '{of}', and none is of a guest of that name or UUID");
            return Err(Stop::unknown(message));
        }
    }
    complain(context, &unknown);
    let is_known = unknown.is_empty();
    let printed = match (context.global.output, migrations.as_slice()) {
        (Format::Table, [only]) if args.of.as_ref() == Some(&only.id) => context.printer.result(&details(only)),
        (Format::Table, all) => {
            if all.is_empty() {
                context.printer.note("No migrations.");
            }
            context.printer.result(&table(&all.iter().map(Past::line).collect::<Vec<_>>()))
        }
        _ => context.printer.document(&Document { schema: "pvm.history/1", migrations, unknown }),
    };
    printed.or_stop(Outcome::Unknown)?;
    Ok(if is_known { Outcome::Fine } else { Outcome::Unknown })
}

/// Why a journal cannot be believed.
fn trouble(listed: &Listed) -> Option<String> {
    match &listed.content {
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
    let [id, guest, way, result, _] = past.line();
    let mut lines = vec![format!("{id}  {guest}  {way}  {result}"), format!("began {}", past.begun)];
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

fn prune(context: &Context, store: &Store, before: Timestamp) -> Result<Outcome, Stop> {
    let (mut removed, mut unknown) = (Vec::new(), Vec::new());
    store.tidy();
    for listed in store.closed().or_stop(Outcome::Unknown)? {
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
