//! `pvm inventory`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::Serialize;

use super::hosts::Hosts;
use super::{Context, OrStop as _, Stop, cloud, collect, metrics};
use crate::cli::inventory::{Inventory, Probing};
use crate::facts::compact::Compact;
use crate::facts::kernel::Probe;
use crate::facts::{self, HostError, HostRef};
use crate::model::causes::sentence;
use crate::model::finding::Severity;
use crate::model::format::Format;
use crate::model::outcome::Outcome;
use crate::model::snapshot::Snapshot;
use crate::nova::placement_audit::{self, Consumer};
use crate::openstack::{ApiError, Compute, Placement, Session, Stage};
use crate::output::inventory::{self as table, View};
use crate::output::{StdoutError, device_map, prometheus};

/// Runs the command.
pub(crate) fn run(context: &Context, args: &Inventory) -> Result<Outcome, Stop> {
    let mut hosts = Hosts::new(context)?;
    hosts.options.probe = match args.probe {
        Probing::None => Probe::None,
        Probing::Passive => Probe::Passive,
        Probing::Active => Probe::Active,
    };
    hosts.options.only = args.pf;
    hosts.options.bootstrap = args.bootstrap;
    if args.probe == Probing::Active && context.global.root != std::path::Path::new("/") {
        return Err(Stop::usage("--probe active opens devices of this machine, not of a tree below --root"));
    }
    let asked: Vec<HostRef> = hosts.parse_all(&args.hosts)?.into_iter().map(|member| member.host).collect();
    if args.probe == Probing::Active
        && let Some(host) = asked.iter().find(|host| matches!(host, HostRef::Snapshot(_)))
    {
        let text = format!("--probe active opens devices, and {} is a saved host", hosts.name(host));
        return Err(Stop::usage(text));
    }
    if let Some(directory) = &args.into {
        return collect::run(context, &hosts, &asked, directory);
    }
    if context.global.output == Format::Compact && asked.len() != 1 {
        return Err(Stop::usage("-o compact is for one host; --into DIR writes a file for each of several"));
    }
    let is_here = asked.contains(&HostRef::Local) && context.global.root == Path::new("/");
    // What Nova would report is known without a cloud; what Placement holds is shown beside it where there is one.
    let access = if args.placement { cloud::find(&hosts)? } else { None };
    let session = access.map(cloud::open).transpose()?;
    let show = Show {
        hosts: &hosts,
        args,
        session,
        view: View { all: args.all, pf: args.pf, wide: args.wide, width: crate::output::width() },
        done: (is_here && context.global.output == Format::Prometheus).then(|| metrics::done(context)).flatten(),
    };
    if let [only] = asked.as_slice() {
        let mut snapshot = facts::gather(only, &hosts.options)?;
        if let Some(session) = &show.session {
            audited(session, &mut snapshot)?;
        }
        if let Some(pf) = args.pf
            && snapshot.device(pf).is_none()
        {
            return Err(Stop::unknown(format!("{} has no device {pf}", hosts.name(only))));
        }
        print_one(context, &snapshot, &show, None).or_stop(Outcome::Unknown)?;
        let outcome = outcome(std::iter::once(&snapshot), args.strict);
        // The process ends here: taking apart some thousand devices first would only cost time.
        std::mem::forget(snapshot);
        return Ok(outcome);
    }
    let mut answers = facts::gather_all(&asked, &hosts.options);
    for snapshot in answers.iter_mut().flatten() {
        if let Some(session) = &show.session {
            audited(session, snapshot)?;
        }
    }
    print_all(context, &asked, &answers, &show).or_stop(Outcome::Unknown)?;
    let failed: Vec<_> = answers.iter().filter_map(|answer| answer.as_ref().err()).collect();
    if let [first, ..] = failed.as_slice() {
        context.printer.complain(&format!("pvm: no inventory of {} of {} hosts", failed.len(), answers.len()));
        return Ok(first.kind().into());
    }
    Ok(outcome(answers.iter().flatten(), args.strict))
}

/// The tree could be read: only findings decide, and only with `--strict` do warnings.
fn outcome<'a>(snapshots: impl Iterator<Item = &'a Snapshot>, strict: bool) -> Outcome {
    let worst = snapshots.flat_map(|s| &s.findings).map(|f| f.severity).max();
    match worst {
        Some(Severity::Error) => Outcome::Findings,
        Some(Severity::Warning) if strict => Outcome::Findings,
        _ => Outcome::Fine,
    }
}

/// Asks what Placement holds of a host; what is wrong with it goes into the host's findings.
fn audited(session: &Session, snapshot: &mut Snapshot) -> Result<(), Stop> {
    let name = snapshot.host.migration.hostname.as_ref().unwrap_or(&snapshot.host.name).clone();
    let held = Placement::new(session).of_host(&name).map_err(|error| cloud::stop(&error))?;
    let known =
        known(session, &name, placement_audit::strangers(snapshot, &held)).map_err(|error| cloud::stop(&error))?;
    let found = placement_audit::audit(snapshot, &name, &held, &known);
    snapshot.findings.extend(found);
    snapshot.placement_held = Some(held);
    Ok(())
}

/// Whom Nova knows these consumers as. Its hosts are asked for first: who may see them sees every server too.
fn known(session: &Session, name: &str, all: BTreeSet<String>) -> Result<BTreeMap<String, Consumer>, ApiError> {
    if all.is_empty() {
        return Ok(BTreeMap::new());
    }
    let nova = Compute::new(session);
    let hypervisors = nova.hypervisors()?;
    let host = cloud::of_hypervisor(&hypervisors, name).map_or(name, |one| &one.service.host);
    let migrations = nova.migrations_of(host)?;
    let of = |consumer: String| {
        let migration = migrations.iter().find(|one| one.uuid == consumer);
        let known = match (nova.server(&consumer)?, migration) {
            (Some(server), _) if server.task_state.is_some() || server.status == "VERIFY_RESIZE" => Consumer::Busy,
            (Some(server), _) if server.host.as_deref() == Some(host) => Consumer::Here,
            (Some(server), _) => Consumer::Elsewhere(server.host),
            (None, Some(migration)) if migration.stage() == Stage::UnderWay => Consumer::Busy,
            (None, Some(migration)) => Consumer::Over(migration.status.clone()),
            (None, None) => Consumer::Nobody,
        };
        Ok((consumer, known))
    };
    all.into_iter().map(of).collect()
}

/// How to show tables.
#[derive(Debug)]
struct Show<'a> {
    hosts: &'a Hosts,
    args: &'a Inventory,
    /// The cloud whose Placement is looked at.
    session: Option<Session>,
    view: View,
    /// What this machine's pvm has done, where metrics of this machine are wanted.
    done: Option<prometheus::Done>,
}

/// `host`: its name, where it is one of several.
fn print_one(context: &Context, snapshot: &Snapshot, show: &Show<'_>, host: Option<&str>) -> Result<(), StdoutError> {
    match context.printer.format {
        Format::Table => {
            let text = if show.args.map {
                device_map::render(snapshot, show.args.pf, show.view.width)
            } else if let Some(held) = &snapshot.placement_held {
                table::placement_held(snapshot, held, show.view.width)
            } else if show.args.placement {
                table::placement(snapshot, show.view.width)
            } else {
                table::render(snapshot, show.view)
            };
            context.printer.result(&text)?;
            complain(context, snapshot, host);
        }
        Format::Prometheus => context.printer.result(&prometheus::render(&[snapshot], show.done.as_ref()))?,
        Format::Compact => {
            let compact = Compact::of(snapshot).map_err(|error| StdoutError::from(std::io::Error::from(error)))?;
            context.printer.document(&compact)?;
        }
        _ => context.printer.document(snapshot)?,
    }
    Ok(())
}

#[derive(Serialize)]
struct Inventories<'a> {
    schema: &'static str,
    hosts: Vec<Answer<'a>>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Answer<'a> {
    Snapshot(&'a Snapshot),
    Error { name: String, error: String },
}

fn print_all(
    context: &Context,
    asked: &[HostRef],
    answers: &[Result<Snapshot, HostError>],
    show: &Show<'_>,
) -> Result<(), StdoutError> {
    if context.printer.format == Format::Prometheus {
        let known: Vec<&Snapshot> = answers.iter().flatten().collect();
        for error in answers.iter().filter_map(|answer| answer.as_ref().err()) {
            context.printer.complain(&table::heading(&sentence(error)));
        }
        return context.printer.result(&prometheus::render(&known, show.done.as_ref()));
    }
    if context.printer.format == Format::Ndjson {
        for answer in answers {
            match answer {
                Ok(snapshot) => context.printer.document(snapshot)?,
                Err(error) => context.printer.complain(&table::heading(&sentence(error))),
            }
        }
        return Ok(());
    }
    if context.printer.format != Format::Table {
        let hosts = asked
            .iter()
            .zip(answers)
            .map(|(host, answer)| match answer {
                Ok(snapshot) => Answer::Snapshot(snapshot),
                Err(error) => Answer::Error { name: show.hosts.name(host), error: sentence(error) },
            })
            .collect();
        return context.printer.document(&Inventories { schema: "pvm.inventories/1", hosts });
    }
    for (host, answer) in asked.iter().zip(answers) {
        match answer {
            Ok(snapshot) => {
                context.printer.result(&format!("{}\n", table::heading(&show.hosts.name(host))))?;
                print_one(context, snapshot, show, Some(&show.hosts.name(host)))?;
                context.printer.result("\n")?;
            }
            Err(error) => context.printer.complain(&table::heading(&sentence(error))),
        }
    }
    Ok(())
}

/// Findings go to stderr: the table is the result. There the lines of several hosts stand below each other.
fn complain(context: &Context, snapshot: &Snapshot, host: Option<&str>) {
    for line in table::findings(snapshot) {
        // A remedy is pasted as it is.
        let is_remedy = line.starts_with(' ');
        match host.filter(|_| !is_remedy) {
            Some(host) => context.printer.note(&format!("{}: {line}", table::heading(host))),
            None => context.printer.note(&line),
        }
    }
}
