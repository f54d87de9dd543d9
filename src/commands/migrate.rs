//! `pvm migrate`: find the guest, plan, ask, move.

use std::io::{self, BufRead as _, IsTerminal as _};
use std::path::Path;

use serde::Serialize;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use super::{Context, Stop};
use crate::cli::Format;
use crate::cli::migrate::Migrate;
use crate::domain::rewrite::{Mapping, rewrite};
use crate::host::{HostRef, Settings};
use crate::hypervisor::{self, DomainInfo, DomainXml, Failure, Hypervisor, HypervisorError, PauseReason, State};
use crate::journal::{self, Journal, Lock, LockError, Receipt, Store, Subject};
use crate::migrate::lookup::{self, LookupError};
use crate::migrate::{self, Conclusion, Hosts, Line, Note, Options, Order};
use crate::outcome::Outcome;
use crate::output::Printer;
use crate::output::diff::diff;
use crate::output::progress::{Reporter, bytes};
use crate::proof::Verdict;

/// One end of a migration.
#[derive(Debug)]
struct Side {
    host: HostRef,
    name: String,
    hypervisor: Box<dyn Hypervisor>,
}

impl Side {
    fn as_host(&self) -> journal::Host {
        journal::Host { name: self.name.clone(), uri: self.hypervisor.uri().to_owned() }
    }
}

/// Runs the command.
pub fn run(context: &Context, args: &Migrate) -> anyhow::Result<Outcome> {
    if context.global.root != Path::new("/") {
        return Err(Stop::usage("migrate moves guests of real hosts: it does not go with --root").into());
    }
    let settings = Settings::load(context.global.config.as_deref())?;
    let (source, destination) = open_both(context, args, &settings)?;
    let guest = find(&source, &args.instance)?;
    let order = order(&source, &destination, &guest, args, &settings)?;
    let change = change(&source, &order)?;
    if args.diff && !args.dry_run {
        context.printer.complain(diff(&change.0, &change.1).trim_end());
    }
    if args.dry_run {
        return show_plan(context, args, &order, &change);
    }
    context.printer.note(&format!("{}.", in_words(&order)));
    let directory = journal::state_directory()?;
    let purpose = format!("migration {}", order.id);
    let lock = Lock::take(&directory, &Subject::Guest(order.instance.uuid.clone()), &purpose).map_err(locked)?;
    let store = Store::at(&directory);
    refuse_unfinished(&store, &order)?;
    if !args.yes && !confirmed(context)? {
        return Err(Stop::refused("nothing was done").into());
    }
    let mut journal = store.create(order.journal_plan())?;
    let outcome = perform(context, &source, &destination, &order, &mut journal)?;
    drop(lock);
    Ok(outcome)
}

fn open_both(context: &Context, args: &Migrate, settings: &Settings) -> anyhow::Result<(Side, Side)> {
    let local = context.local_uri();
    let open = |text: &str| -> anyhow::Result<Side> {
        let host = HostRef::parse(text, settings).map_err(|e| Stop::usage(e.to_string()))?;
        let Some(uri) = host.libvirt_uri(&local) else {
            return Err(Stop::usage(format!("{text} is a snapshot: migrate needs a host that runs")).into());
        };
        let hypervisor = hypervisor::open(&uri).map_err(|e| unreached(text, &e))?;
        let name = match host {
            HostRef::Local => hypervisor.hostname()?,
            _ => host.label(),
        };
        Ok(Side { host, name, hypervisor })
    };
    let source = open(&args.from)?;
    let destination = open(&args.destination)?;
    if source.hypervisor.host_uuid()? == destination.hypervisor.host_uuid()? {
        let message = format!("{} is where it runs: source and destination are the same host", args.destination);
        return Err(Stop::refused(message).into());
    }
    Ok((source, destination))
}

fn unreached(host: &str, error: &HypervisorError) -> Stop {
    match error.failure {
        Failure::NotInstalled => Stop::unknown(error.to_string()),
        // A host that was named by its URI is in the sentence already.
        _ if host.contains("://") => Stop::unknown(error.to_string()),
        _ => Stop::unknown(format!("{host}: {error}")),
    }
}

fn find(source: &Side, wanted: &str) -> anyhow::Result<DomainInfo> {
    let guest = lookup::find(source.hypervisor.as_ref(), &source.name, wanted).map_err(|e| match e {
        LookupError::Ambiguous { .. } => Stop::refused(e.to_string()),
        LookupError::Absent { .. } | LookupError::Hypervisor(_) => Stop::unknown(e.to_string()),
    })?;
    match guest.state {
        State::Running(_) | State::Paused(PauseReason::User) => Ok(guest),
        state => {
            let message = format!("{} on {} is {state}: only a running guest migrates", guest.name, source.name);
            Err(Stop::refused(message).into())
        }
    }
}

fn order(
    source: &Side,
    destination: &Side,
    guest: &DomainInfo,
    args: &Migrate,
    settings: &Settings,
) -> anyhow::Result<Order> {
    if let Some(there) = destination.hypervisor.domain(&guest.uuid)?
        && there.state.is_active()
    {
        let message = format!("{} is {} on {} too: pvm makes no third copy", guest.name, there.state, destination.name);
        return Err(Stop::refused(message).into());
    }
    if source.hypervisor.job(&guest.uuid)?.is_some() {
        return Err(Stop::refused(format!("another job runs on {}", guest.name)).into());
    }
    let destination_uri = destination.hypervisor.uri();
    if !matches!(source.host, HostRef::Local) && destination_uri.contains(":///") {
        let message = format!(
            "{} cannot reach {} under {destination_uri}: give a URI with a host name",
            source.name, destination.name
        );
        return Err(Stop::refused(message).into());
    }
    let defaults = &settings.defaults;
    Ok(Order {
        id: journal::new_id(&guest.uuid),
        instance: journal::Instance { name: guest.name.clone(), uuid: guest.uuid.clone() },
        source: source.as_host(),
        destination: destination.as_host(),
        destination_uri: destination_uri.to_owned(),
        migrate_uri: destination.host.migrate_uri().map(str::to_owned),
        map: Vec::new(),
        mapping: Mapping::default(),
        persistent_mapping: Mapping::default(),
        ports: Vec::new(),
        persistent: guest.persistent,
        autostart: guest.autostart,
        paused: matches!(guest.state, State::Paused(_)),
        options: Options {
            max_downtime: args.max_downtime,
            bandwidth: args.bandwidth,
            timeout: args.timeout,
            tls: args.tls || defaults.tls,
            parallel: args.parallel.or(Some(defaults.parallel).filter(|n| *n > 0)),
            require_proof: args.require_proof,
        },
    })
}

/// The XML as it is, and as it will be over there.
fn change(source: &Side, order: &Order) -> anyhow::Result<(String, String)> {
    let before = source.hypervisor.xml(&order.instance.uuid, DomainXml::Live)?;
    let after = rewrite(&before, &order.mapping)
        .map_err(|e| Stop::refused(format!("{} cannot be given another host's devices: {e}", order.instance.name)))?;
    Ok((before, after))
}

/// `pvm.plan/1`, as far as a guest without host devices has one.
#[derive(Debug, Serialize)]
struct PlanDocument<'a> {
    schema: &'static str,
    id: &'a str,
    instance: &'a journal::Instance,
    source: &'a journal::Host,
    destination: &'a journal::Host,
    map: &'a [journal::Move],
    flags: Vec<&'static str>,
    destination_xml: &'a str,
}

fn show_plan(context: &Context, args: &Migrate, order: &Order, change: &(String, String)) -> anyhow::Result<Outcome> {
    let mut flags = vec!["live", "peer2peer", "abort-on-error"];
    if order.persistent {
        flags.extend(["persist-dest", "undefine-source"]);
    }
    if order.options.tls {
        flags.push("tls");
    }
    if order.options.parallel.is_some() {
        flags.push("parallel");
    }
    if context.global.output == Format::Table {
        let mut text = format!("{}.\nFlags: {}.\n", in_words(order), flags.join(", "));
        if args.diff {
            let lines = diff(&change.0, &change.1);
            text.push_str(if lines.is_empty() { "The XML stays as it is.\n" } else { &lines });
        }
        context.printer.result(&text)?;
    } else {
        context.printer.document(&PlanDocument {
            schema: "pvm.plan/1",
            id: &order.id,
            instance: &order.instance,
            source: &order.source,
            destination: &order.destination,
            map: &order.map,
            flags,
            destination_xml: &change.1,
        })?;
    }
    Ok(Outcome::Fine)
}

fn in_words(order: &Order) -> String {
    let devices = match order.map.len() {
        0 => "it has no host devices".to_owned(),
        1 => "with one host device".to_owned(),
        n => format!("with {n} host devices"),
    };
    format!("{} moves from {} to {}; {devices}", order.instance.name, order.source.name, order.destination.name)
}

fn locked(error: LockError) -> anyhow::Error {
    match error {
        LockError::Held { .. } => Stop::refused(error.to_string()).into(),
        other => other.into(),
    }
}

/// A migration that waits for `pvm recover` comes first.
fn refuse_unfinished(store: &Store, order: &Order) -> anyhow::Result<()> {
    for listed in store.list()? {
        let Some(state) = listed.state().filter(|_| !listed.is_closed()) else { continue };
        if state.plan.instance.uuid == order.instance.uuid {
            let id = &state.plan.id;
            let message = format!("migration {id} of {} is not finished: pvm recover {id}", order.instance.name);
            return Err(Stop { outcome: Outcome::Undecided, message }.into());
        }
    }
    Ok(())
}

fn confirmed(context: &Context) -> anyhow::Result<bool> {
    if !io::stdin().is_terminal() {
        return Err(Stop::usage("would have to ask whether to go on: add --yes").into());
    }
    context.printer.ask("Go on? [y/N] ");
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

fn perform(
    context: &Context,
    source: &Side,
    destination: &Side,
    order: &Order,
    journal: &mut Journal,
) -> anyhow::Result<Outcome> {
    let line = Line::new();
    obey_signals(&line, &context.printer, &order.id)?;
    let mut reporter = Reporter::new(&context.printer);
    let hosts = Hosts { source: source.hypervisor.as_ref(), destination: destination.hypervisor.as_ref() };
    let ended = migrate::run(hosts, order, journal, &line, &mut |event| reporter.show(event));
    reporter.finish();
    show_result(context, order, &ended.receipt)?;
    Ok(ended.outcome)
}

/// The first SIGINT or SIGTERM asks for the end, the second leaves at once. A terminal that is closed ends nothing: the
/// migration would outlive pvm anyway, and so it is finished properly.
fn obey_signals(line: &Line, printer: &Printer, id: &str) -> io::Result<()> {
    signal_hook::flag::register(SIGHUP, std::sync::Arc::default())?;
    let mut signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM])?;
    let (sender, printer, id) = (line.sender(), printer.clone(), id.to_owned());
    std::thread::spawn(move || {
        let mut asked = false;
        for _ in signals.forever() {
            if asked {
                printer.complain(&format!(
                    "pvm: left at once: libvirt goes on with the migration by itself; to see and finish it: pvm recover {id}"
                ));
                #[expect(clippy::exit, reason = "this is what a second signal asks for")]
                std::process::exit(Outcome::Undecided.code().into());
            }
            asked = true;
            // Where nobody listens any more, the run is at its end.
            let _ = sender.send(Note::Stop);
        }
    });
    Ok(())
}

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

fn show_result(context: &Context, order: &Order, receipt: &Receipt) -> anyhow::Result<()> {
    match context.global.output {
        // The last event said it.
        Format::Ndjson => Ok(()),
        Format::Json | Format::Yaml => context.printer.document(&Document {
            schema: "pvm.migrate/1",
            id: &order.id,
            instance: &order.instance,
            source: &order.source,
            destination: &order.destination,
            conclusion: Conclusion::of(receipt.clone()),
        }),
        Format::Table if receipt.exit_code == 0 => {
            context.printer.result(&format!("{}.\n", receipt.summary))?;
            context.printer.note(&in_numbers(receipt));
            Ok(())
        }
        Format::Table => {
            context.printer.complain(&format!("pvm: {}", crate::output::text::printable(&receipt.summary)));
            Ok(())
        }
    }
}

fn in_numbers(receipt: &Receipt) -> String {
    let time = |ms: u64| if ms < 1000 { format!("{ms} ms") } else { format!("{}.{} s", ms / 1000, ms % 1000 / 100) };
    let mut parts = Vec::new();
    if let Some(total) = receipt.total_ms {
        let phases: Vec<_> = receipt.phases.iter().map(|(phase, ms)| format!("{phase} {}", time(*ms))).collect();
        parts.push(format!("{} in all ({})", time(total), phases.join(", ")));
    }
    parts.extend(receipt.downtime_ms.map(|ms| format!("it stood still for {}", time(ms))));
    parts.extend(receipt.memory_bytes.map(|n| format!("memory {}", bytes(n))));
    parts.extend(receipt.vfio_bytes.filter(|n| *n > 0).map(|n| format!("device state {}", bytes(n))));
    let verdict = receipt.verdict.as_ref().filter(|verdict| **verdict != Verdict::NothingToProve);
    parts.extend(verdict.map(|verdict| format!("device state {verdict}")));
    parts.join("; ")
}
