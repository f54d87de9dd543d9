//! Migrations whose journals are on another machine, as the marks of this host's guests tell of them. They are shown, never
//! acted on: what was begun is only in the journal.

use std::fmt::Write as _;

use super::Entry;
use crate::commands::{Context, Stop};
use crate::facts::reference::check_uri;
use crate::journal::{self, Mark, Store};
use crate::libvirt;
use crate::migration::mark::{self, Found};
use crate::model::outcome::Outcome;
use crate::model::paste::quoted;
use crate::model::policy::{NAMESPACE, PREFIX};
use crate::output::text::printable;

/// A guest of this host with the mark of a migration that has no journal here.
#[derive(Debug)]
pub(super) struct Marked {
    guest: journal::Instance,
    uri: String,
    mark: Mark,
}

/// The marks of this host's running guests that no journal of this machine explains; why they could not be read.
pub(super) fn without_journal(context: &Context, store: &Store) -> Result<Vec<Marked>, String> {
    let host = libvirt::open(&context.local_uri().map_err(|stop| stop.sentence())?).map_err(|e| e.to_string())?;
    let mut found = Vec::new();
    let guests = host.domains().map_err(|e| e.to_string())?;
    for guest in guests.into_iter().filter(|guest| guest.state.is_active()) {
        if let Found::Mark(mark) = mark::read(host.as_ref(), &guest.uuid).map_err(|e| e.to_string())?
            && !store.knows(&mark.id)
        {
            let instance = journal::Instance { name: guest.name, uuid: guest.uuid };
            found.push(Marked { guest: instance, uri: host.uri().to_owned(), mark: *mark });
        }
    }
    Ok(found)
}

/// Shows the migration with this id by its mark. `None`: no guest of this host carries it.
pub(super) fn show(context: &Context, store: &Store, id: &str) -> Result<Option<(Vec<Entry>, Outcome)>, Stop> {
    let found = without_journal(context, store).map_err(Stop::unknown)?;
    let Some(marked) =
        found.into_iter().find(|marked| marked.mark.id == id || marked.guest.name == id || marked.guest.uuid == id)
    else {
        return Ok(None);
    };
    context.printer.note(marked.details().trim_end());
    context
        .printer
        .complain(&format!("pvm: {id}: its journal is on {}: nothing was changed", printable(&marked.mark.machine)));
    let entry = Entry { exit_code: Some(Outcome::Undecided.code()), closed: Some(false), ..marked.entry() };
    Ok(Some((vec![entry], Outcome::Undecided)))
}

impl Marked {
    pub(super) fn entry(&self) -> Entry {
        Entry {
            id: self.mark.id.clone(),
            instance: Some(self.guest.clone()),
            source: Some(self.mark.source.clone()),
            destination: Some(self.mark.destination.clone()),
            journal_on: Some(self.mark.machine.clone()),
            ..Entry::default()
        }
    }

    pub(super) fn line(&self) -> String {
        let Mark { id, source, destination, machine, phase, .. } = &self.mark;
        let (guest, uri) = (printable(&self.guest.name), &self.uri);
        let (source, destination) = (printable(&source.name), printable(&destination.name));
        let (machine, phase) = (printable(machine), printable(phase));
        format!(
            "{}  {guest} from {source} to {destination}; by the mark of {guest} on {uri}: phase {phase}; its journal is on \
             {machine}\n",
            printable(id)
        )
    }

    /// Everything the mark tells, and what to do with it.
    fn details(&self) -> String {
        let Mark { id, source, destination, machine, ports, .. } = &self.mark;
        let (id, machine) = (printable(id), printable(machine));
        let mut text = self.line();
        for host in [source, destination] {
            // Somebody else wrote it into the guest: a URI that runs a program is not shown as one to paste.
            let _ = match check_uri(&host.uri) {
                Ok(()) => writeln!(
                    text,
                    "    virsh -c {} domstate --reason {}    # from {machine}",
                    printable(&quoted(&host.uri)),
                    self.guest.uuid
                ),
                Err(_) => writeln!(text, "    ({}: its URI in the mark is none that pvm opens)", printable(&host.name)),
            };
        }
        for port in ports {
            let _ = writeln!(text, "  port {} of the source was to be unplugged; for the destination:", port.source);
            for line in port.destination_xml.lines() {
                let _ = writeln!(text, "    {}", printable(line));
            }
        }
        let _ = writeln!(text, "  To finish or undo it, on {machine}: pvm recover {id}");
        let _ = writeln!(
            text,
            "  If {machine} is lost: make sure that the guest runs once, plug in what is missing with virsh attach-device, then"
        );
        // The guest's policy gets its place back.
        let instead = match self.mark.policy() {
            Some(policy) => format!("--key {PREFIX} --set {}", printable(&quoted(&policy))),
            None => "--remove".to_owned(),
        };
        let _ = writeln!(
            text,
            "    virsh -c {} metadata {} --uri {NAMESPACE} {instead} --live",
            quoted(&self.uri),
            self.guest.uuid
        );
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// P13: the mark is another operator's, and its lines are pasted by this one's.
    #[test]
    fn a_mark_puts_no_command_into_a_line_to_paste() {
        let host = |name: &str, uri: &str| journal::Host { name: name.into(), uri: uri.into(), uuid: None };
        let marked = Marked {
            guest: journal::Instance { name: "vm".into(), uuid: "u".into() },
            uri: "qemu:///system".into(),
            mark: Mark {
                id: "m-1".into(),
                machine: "ops".into(),
                source: host("a", "qemu:///system; touch x #"),
                destination: host("b", "qemu+ext://b/system?command=prog"),
                ..Mark::default()
            },
        };
        let text = marked.details();
        let unquoted = text.lines().find(|line| line.contains("virsh -c qemu:///system; "));
        assert_eq!(unquoted, None);
        assert!(!text.contains("command=prog") && text.contains("b: its URI in the mark is none"), "{text}");
    }
}
