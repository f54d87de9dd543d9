//! `pvm recover`: list what waits, finish or undo one, or do unattended what is safe.

mod all;
mod marks;

use std::fmt::Write as _;
use std::time::Duration;

use serde::Serialize;

use super::cloud;
use super::hosts::Hosts;
use super::{Context, OrStop as _, Stop};
use crate::cli::recover::{Copy, Recover};
use crate::facts::remote::evidence;
use crate::facts::{self, HostRef};
use crate::journal::{
    self, Journal, JournalError, Keep, Listed, Lock, LockError, Side, State, Store, Subject, now, state_directory,
};
use crate::libvirt::{self, Hypervisor};
use crate::migration::ending::Ending;
use crate::migration::event::Event;
use crate::migration::finish::finish;
use crate::migration::ground::{Ground, World};
use crate::migration::nova;
use crate::migration::orders::Orders;
use crate::model::causes::sentence;
use crate::model::format::Format;
use crate::model::identity::{self, Identity};
use crate::model::outcome::Outcome;
use crate::model::pci::PciAddress;
use crate::model::snapshot::Unknown;
use crate::model::time::Timestamp;
use crate::openstack::Compute;
use crate::output::Printer;
use crate::output::text::printable;
use crate::proof::evidence::Asked;
use crate::proof::{Received, Verdict};

/// One migration, as `-o json` shows it.
#[derive(Debug, Default, Serialize)]
pub(super) struct Entry {
    id: String,
    instance: Option<journal::Instance>,
    source: Option<journal::Host>,
    destination: Option<journal::Host>,
    last_record: Option<&'static str>,
    begun: Option<Timestamp>,
    touched: Option<Timestamp>,
    /// A pvm is at work on it.
    under_way: bool,
    /// Why its journal cannot be acted on.
    trouble: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    row: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    exit_code: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    closed: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    summary: Option<String>,
    /// What became of the devices' state, as far as it was judged.
    #[serde(skip_serializing_if = "Option::is_none")]
    verdict: Option<Verdict>,
    /// Ports the guest is without.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    missing_ports: Vec<PciAddress>,
    /// The machine that has the journal, when it is not this one: the guest's own mark says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    journal_on: Option<String>,
}

#[derive(Debug, Serialize)]
struct Document {
    schema: &'static str,
    migrations: Vec<Entry>,
    /// What could not be asked: then there may be more migrations.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unknown: Vec<Unknown>,
}

/// Runs the command.
pub(crate) fn run(context: &Context, args: &Recover) -> Result<Outcome, Stop> {
    if context.global.root != std::path::Path::new("/") {
        return Err(Stop::usage("recover works on real hosts: it does not go with --root"));
    }
    let directory = state_directory().or_stop(Outcome::Unknown)?;
    let store = Store::at(&directory);
    let orders = Orders {
        auto: args.auto,
        waits: false,
        keep: match args.keep {
            Some(Copy::Src) => Some(Keep::Src),
            Some(Copy::Dst) => Some(Keep::Dst),
            None => args.destroy_guest.then_some(Keep::None),
        },
        abort: args.abort,
        source_is_dead: args.source_is_dead,
        destination_is_dead: args.destination_is_dead,
    };
    let mut unknown = Vec::new();
    let (entries, outcome) = match &args.id {
        Some(word) => one(context, &store, &directory, &id_of(&store, word)?, orders)?,
        None if args.auto => all::run(context, &store, &directory, orders)?,
        None => {
            let (entries, why) = list(context, &store, &directory)?;
            unknown.extend(why.map(|why| Unknown::new("locks", why)));
            (entries, if unknown.is_empty() { Outcome::Fine } else { Outcome::Unknown })
        }
    };
    if context.printer.format != Format::Table {
        let told: Vec<String> = entries.iter().filter_map(|entry| entry.summary.clone()).collect();
        let printed = context.printer.document(&Document { schema: "pvm.recover/1", migrations: entries, unknown });
        if let Err(error) = printed {
            if args.id.is_none() && !args.auto {
                return Err(error).or_stop(Outcome::Unknown);
            }
            // What was done is done: the exit code is that of the recovery.
            for summary in told {
                context.printer.complain(&format!("pvm: {}", printable(&summary)));
            }
            context.printer.complain(&format!("pvm: {}", sentence(&error)));
        }
    }
    Ok(outcome)
}

/// What every other command says in one line when a migration waits.
pub(crate) fn remind(printer: &Printer) {
    // Without a state directory there is nothing to be reminded of, and it is not this command's business.
    let Ok(directory) = state_directory() else { return };
    let Ok(listed) = Store::at(&directory).list() else { return };
    for journal in listed.iter().filter(|journal| !journal.is_closed()) {
        match journal.state() {
            Some(state) if is_held(&directory, &state) => {}
            Some(state) => printer.note(&format!(
                "pvm: migration {} of {} is not finished: pvm recover {}",
                journal.id,
                printable(&state.plan.instance.name),
                journal.id
            )),
            None => printer.note(&format!("pvm: the journal of migration {} needs a look: pvm recover", journal.id)),
        }
    }
}

fn is_held(directory: &std::path::Path, state: &State) -> bool {
    Lock::is_held(directory, &Subject::Guest(state.plan.instance.uuid.clone()))
}

/// What is unfinished; and why the guests could not be asked, which may carry the lock of a migration from elsewhere.
fn list(context: &Context, store: &Store, directory: &std::path::Path) -> Result<(Vec<Entry>, Option<String>), Stop> {
    let mut entries = Vec::new();
    for journal in store.list().or_stop(Outcome::Unknown)?.iter().filter(|journal| !journal.is_closed()) {
        let entry = entry(journal, directory);
        if context.printer.format == Format::Table {
            context.printer.lines(&line(&entry)).or_stop(Outcome::Unknown)?;
        }
        entries.push(entry);
    }
    match marks::without_journal(context, store) {
        Ok(found) => {
            for marked in found {
                if context.printer.format == Format::Table {
                    context.printer.lines(&marked.line()).or_stop(Outcome::Unknown)?;
                }
                entries.push(marked.entry());
            }
            if entries.is_empty() {
                context.printer.note("No unfinished migrations.");
            }
        }
        Err(why) => {
            let none = if entries.is_empty() { "No unfinished migrations in this host's journal. " } else { "" };
            let text = format!("{none}Guests could not be checked for migration locks: {}", printable(&why));
            context.printer.complain(&text);
            return Ok((entries, Some(why)));
        }
    }
    Ok((entries, None))
}

fn entry(journal: &Listed, directory: &std::path::Path) -> Entry {
    let trouble = match &journal.content {
        Ok(parsed) => parsed.trouble.as_ref().map(ToString::to_string),
        Err(e) => Some(e.to_string()),
    };
    let mut entry = Entry { id: journal.id.clone(), trouble, ..Entry::default() };
    if let Some(state) = journal.state() {
        entry.under_way = is_held(directory, &state);
        entry.last_record = Some(state.last.name());
        entry.begun = Some(state.begun);
        entry.touched = Some(state.touched);
        entry.instance = Some(state.plan.instance);
        entry.source = Some(state.plan.source);
        entry.destination = Some(state.plan.destination);
    }
    entry
}

fn line(entry: &Entry) -> String {
    let name = |host: &Option<journal::Host>| host.as_ref().map_or("?", |host| host.name.as_str()).to_owned();
    let mut text = format!(
        "{}  {}  {} -> {}  last record: {}",
        entry.id,
        entry.instance.as_ref().map_or("?", |instance| instance.name.as_str()),
        name(&entry.source),
        name(&entry.destination),
        entry.last_record.unwrap_or("none"),
    );
    if let Some(touched) = entry.touched {
        let _ = write!(text, ", {touched}");
    }
    if entry.under_way {
        text += "; in progress";
    }
    if let Some(trouble) = &entry.trouble {
        let _ = write!(text, "; {trouble}");
    }
    format!("{}\n", printable(&text))
}

/// The migration that is meant by an id or by a guest's name or UUID. A guest without an unfinished one is left for the locks
/// that guests carry.
fn id_of(store: &Store, word: &str) -> Result<String, Stop> {
    if store.knows(word) {
        return Ok(word.to_owned());
    }
    let listed = store.list().or_stop(Outcome::Unknown)?;
    let is_of = |state: State| {
        let guest = state.plan.instance;
        guest.name == word || guest.uuid.eq_ignore_ascii_case(word)
    };
    let open = listed.iter().filter(|journal| !journal.is_closed() && journal.state().is_some_and(is_of));
    let ids: Vec<&str> = open.map(|journal| journal.id.as_str()).collect();
    match ids[..] {
        [] => Ok(word.to_owned()),
        [id] => Ok(id.to_owned()),
        _ => Err(Stop::refused(format!("{word} has several unfinished migrations"))
            .remedy(format!("name one: {}", ids.join(", ")))),
    }
}

/// Finishes or undoes one migration, as far as the orders allow.
pub(super) fn one(
    context: &Context,
    store: &Store,
    directory: &std::path::Path,
    id: &str,
    orders: Orders,
) -> Result<(Vec<Entry>, Outcome), Stop> {
    let parsed = match store.read(id) {
        Err(absent @ JournalError::NoSuchMigration { .. }) => {
            // Its guest may be here and tell where the journal is.
            if let Ok(Some(shown)) = marks::show(context, store, id) {
                return Ok(shown);
            }
            let message = format!("{}, and no unfinished one is of a guest of that name", sentence(&absent));
            return Err(Stop::unknown(message).remedy("pvm history lists the finished ones"));
        }
        other => other.or_stop(Outcome::Unknown)?,
    };
    if let Some(trouble) = &parsed.trouble {
        // Row 0b: shown, never acted on.
        let path = store.directory().join(format!("{id}.ndjson"));
        for record in &parsed.records {
            context.printer.note(&format!("  {} {}", record.time, record.entry.name()));
        }
        let message = format!("{}: {trouble}; it is shown only, nothing was changed", path.display());
        return Err(Stop::new(Outcome::Incomplete, message));
    }
    let Some(state) = State::of(&parsed.records) else {
        context.printer.note(&format!("{id}: nothing had begun."));
        return Ok((Vec::new(), Outcome::Fine));
    };
    let lock = match take_lock(directory, &state) {
        Ok(lock) => lock,
        Err(e @ LockError::Held { .. }) => return Err(Stop::unknown(format!("{id}: {e}"))),
        Err(e) => return Err(e).or_stop(Outcome::Unknown),
    };
    // Read again: only now nobody else writes.
    let (mut journal, parsed) = store.open(id).or_stop(Outcome::Unknown)?;
    if parsed.torn {
        context.printer.note("  the last line of the journal is torn and was dropped: its effect had not begun.");
    }
    let state = State::of(&parsed.records).ok_or_else(|| Stop::unknown(format!("{id}: nothing had begun")))?;
    let (ending, state) = recover(context, &mut journal, state, orders)?;
    drop(lock);
    let outcome = ending.outcome;
    let entry = Entry {
        id: id.to_owned(),
        instance: Some(state.plan.instance),
        source: Some(state.plan.source),
        destination: Some(state.plan.destination),
        last_record: Some(state.last.name()),
        begun: Some(state.begun),
        touched: Some(state.touched),
        row: Some(ending.row),
        exit_code: Some(outcome.code()),
        closed: Some(ending.closed),
        summary: Some(ending.receipt.summary),
        verdict: ending.receipt.verdict,
        missing_ports: ending.receipt.missing_ports,
        ..Entry::default()
    };
    Ok((vec![entry], outcome))
}

fn take_lock(directory: &std::path::Path, state: &State) -> Result<Lock, LockError> {
    let purpose = format!("recovery of migration {}", state.plan.id);
    Lock::take(directory, &Subject::Guest(state.plan.instance.uuid.clone()), &purpose)
}

/// The outcome that needs somebody more. Undoing unattended is what it is for: fine.
fn graver(one: Outcome, other: Outcome) -> Outcome {
    let weight = |outcome| match outcome {
        Outcome::Undecided => 4,
        Outcome::Incomplete => 3,
        Outcome::Unknown => 2,
        Outcome::Findings | Outcome::Usage => 1,
        Outcome::Fine | Outcome::Undone | Outcome::Interrupted => 0,
    };
    let worst = if weight(other) > weight(one) { other } else { one };
    if weight(worst) == 0 { Outcome::Fine } else { worst }
}

fn recover(context: &Context, journal: &mut Journal, state: State, orders: Orders) -> Result<(Ending, State), Stop> {
    let hosts = Hosts::new(context)?;
    let mut world = RealWorld::new(context, &hosts, state.plan.clone());
    let managed = state.plan.nova.clone();
    let session = managed.as_ref().map(|managed| cloud::session_of(context, &hosts, managed)).transpose()?;
    let mut ground = Ground::new(&mut world, journal, state);
    let ending = match (&managed, &session) {
        (Some(managed), Some(session)) => nova::recover(&mut ground, managed, Compute::new(session), orders.abort),
        _ => finish(&mut ground, orders, None),
    };
    let state = ground.state;
    let sentence = printable(&ending.receipt.summary).into_owned();
    if ending.outcome == Outcome::Fine || ending.closed {
        world.say(&format!("{}: {sentence}.", journal.id()));
    } else {
        context.printer.complain(&format!("pvm: {}: {sentence}", journal.id()));
    }
    Ok((ending, state))
}

/// Whether the host that answers is the migration's. Another one's "does not know the guest" is worth nothing.
fn identified(recorded: Option<&str>, answers: Result<String, String>) -> Result<(), String> {
    // An old journal does not say who it was; the table then does nothing by itself that rests on an absence.
    let Some(recorded) = recorded else { return Ok(()) };
    let answers = answers.map_err(|why| format!("whether it is the migration's host is not known: {why}"))?;
    match identity::compare(Some(recorded), Some(&answers)) {
        Identity::Same => Ok(()),
        Identity::Other | Identity::Unknown => {
            Err(format!("another host answers under this name (UUID {answers}, the migration's host has {recorded})"))
        }
    }
}

/// The hosts of a journal, as this machine reaches them.
pub(super) struct RealWorld<'a> {
    context: &'a Context,
    hosts: &'a Hosts,
    plan: journal::Plan,
}

impl<'a> RealWorld<'a> {
    /// The hosts of this plan.
    pub(super) fn new(context: &'a Context, hosts: &'a Hosts, plan: journal::Plan) -> Self {
        Self { context, hosts, plan }
    }

    /// The plan.
    pub(super) fn plan(&self) -> &journal::Plan {
        &self.plan
    }

    fn host(&self, side: Side) -> &journal::Host {
        match side {
            Side::Source => &self.plan.source,
            Side::Destination => &self.plan.destination,
        }
    }
}

impl World for RealWorld<'_> {
    fn connect(&self, side: Side) -> Result<Box<dyn Hypervisor>, String> {
        let host = self.host(side);
        // The journal may be shared, or come from a backup: what it says runs no program.
        facts::reference::check_uri(&host.uri).map_err(|e| format!("its journal's URI is not opened: {e}"))?;
        let daemon = libvirt::open(&host.uri).map_err(|e| e.to_string())?;
        let answers = daemon.host_uuid().map_err(|e| e.to_string());
        identified(host.uuid.as_deref(), answers)?;
        Ok(daemon)
    }

    fn evidence(&self, side: Side, since: Timestamp) -> Received {
        let host = self.host(side);
        let guest = &self.plan.instance;
        let about = Asked { host_uuid: host.uuid.as_deref(), domain: &guest.name, domain_uuid: &guest.uuid };
        // The local host is recorded under its own name.
        let reference = if host.uri.contains(":///") {
            Ok(HostRef::Local)
        } else {
            self.hosts.parse(&host.name).map_err(|e| e.to_string())
        };
        match reference {
            Ok(reference) => evidence::ask(&reference, &self.hosts.options, &about, since, now),
            Err(why) => Received { asked: now(), answered: now(), content: Err(why) },
        }
    }

    fn pause(&self, time: Duration) {
        std::thread::sleep(time);
    }

    fn say(&mut self, line: &str) {
        let line = printable(line);
        // A result that cannot be printed is said on stderr; it stops no recovery.
        if self.context.printer.format != Format::Table || self.context.printer.lines(&format!("{line}\n")).is_err() {
            self.context.printer.note(&line);
        }
    }

    fn tell(&mut self, _: &Event) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_host_under_the_name_of_the_migrations_is_no_answer() {
        let (one, other) = ("0aeb4c2e-1111-4222-8333-444455556666", "1aeb4c2e-1111-4222-8333-444455556666");
        assert_eq!(identified(Some(one), Ok(one.to_uppercase())), Ok(()));
        let why = identified(Some(one), Ok(other.into())).unwrap_err();
        assert!(
            why.contains("another host answers under this name") && why.contains(other) && why.contains(one),
            "{why}"
        );
        assert!(identified(Some(one), Err("no capabilities".into())).unwrap_err().contains("no capabilities"));
        assert!(identified(Some(one), Ok("00000000-0000-0000-0000-000000000000".into())).is_err());
        // A journal of pvm 0.1.
        assert_eq!(identified(None, Err("not asked".into())), Ok(()));
    }
}
