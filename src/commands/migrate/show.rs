//! What a migration came to, on stdout.

use serde::Serialize;

use crate::commands::Context;
use crate::journal::{self, Receipt};
use crate::migration::ending::Ending;
use crate::migration::event::{Conclusion, Event};
use crate::model::causes::sentence;
use crate::model::format::Format;
use crate::output::events::Events;
use crate::output::history::time;
use crate::output::progress::bytes;
use crate::output::text::printable;
use crate::proof::Verdict;

/// `pvm.migrate/1`: the receipt.
#[derive(Debug, Serialize)]
struct Document<'a> {
    schema: &'static str,
    id: &'a str,
    instance: &'a journal::Instance,
    source: &'a journal::Host,
    destination: &'a journal::Host,
    #[serde(flatten)]
    conclusion: Conclusion,
}

/// Prints what it came to. The outcome is fixed: what cannot be printed is said on stderr, and changes nothing.
pub(super) fn result(context: &Context, events: Events, migration: &journal::Plan, ending: &Ending) {
    let receipt = &ending.receipt;
    events.send(Event::result(&migration.id, journal::now(), receipt.clone()));
    let shown = events.finish();
    let printed = match context.global.output {
        // The last event said it.
        Format::Ndjson => shown,
        Format::Json
        | Format::Yaml
        | Format::Compact
        | Format::Html
        | Format::Prometheus
        | Format::Sarif
        | Format::Github => context.printer.document(&Document {
            schema: "pvm.migrate/1",
            id: &migration.id,
            instance: &migration.instance,
            source: &migration.source,
            destination: &migration.destination,
            conclusion: Conclusion::of(receipt.clone()),
        }),
        Format::Table if receipt.exit_code == 0 => {
            context.printer.lines(&format!("{}.\n", printable(&receipt.summary)))
        }
        Format::Table => {
            context.printer.complain(&format!("pvm: {}", printable(&receipt.summary)));
            Ok(())
        }
    };
    if let Err(error) = printed {
        let summary = printable(&receipt.summary);
        context.printer.complain(&format!("pvm: {}: {summary}", sentence(&error)));
    } else if context.global.output == Format::Table && receipt.exit_code == 0 {
        context.printer.note(&printable(&in_numbers(receipt)));
    }
}

/// A receipt's figures, as far as they are known.
pub(in crate::commands) fn in_numbers(receipt: &Receipt) -> String {
    let mut parts = Vec::new();
    if let Some(total) = receipt.total_ms {
        let phases: Vec<_> = receipt.phases.iter().map(|(phase, ms)| format!("{phase} {}", time(*ms))).collect();
        let of = if phases.is_empty() { String::new() } else { format!(" ({})", phases.join(", ")) };
        parts.push(format!("total {}{of}", time(total)));
    }
    parts.extend(receipt.downtime_ms.map(|ms| format!("downtime {}", time(ms))));
    parts.extend(receipt.memory_bytes.map(|n| format!("memory {}", bytes(n))));
    parts.extend(receipt.vfio_bytes.filter(|n| *n > 0).map(|n| format!("device state {}", bytes(n))));
    let verdict = receipt.verdict.as_ref().filter(|verdict| **verdict != Verdict::NothingToProve);
    parts.extend(verdict.map(|verdict| format!("device state {verdict}")));
    parts.join("; ")
}
