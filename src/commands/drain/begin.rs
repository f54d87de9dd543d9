//! A drain that begins, one that goes on, and one that is over.

use super::carry_out::Going;
use super::facts::{self, Asked, Wanted, ask};
use super::{cordon, planned, resume};
use crate::commands::hosts::Hosts;
use crate::commands::{OrStop as _, Stop};
use crate::drain::Drain;
use crate::drain::saved::Choices;
use crate::journal::{self, DrainGuest, DrainRecord, Fate, Lock, LockError, Subject};
use crate::model::causes::sentence;
use crate::model::identity;
use crate::model::outcome::Outcome;
use crate::model::paste::quoted;
use crate::output::text::printable;

impl Going<'_> {
    /// Begins a drain.
    pub(super) fn begin(&self, wanted: Wanted) -> Result<Outcome, Stop> {
        facts::are_live(self.hosts, &wanted)?;
        let asked = ask(self.context, self.hosts, &wanted, Some(self.drains))?;
        let plan = planned(self.hosts, &asked, &wanted, self.saved)?;
        let host = source(self.hosts, &wanted, &asked)?;
        let _lock = self.lock(&host)?;
        let before = self.drains.cordon(host.uuid.as_deref().unwrap_or_default()).or_stop(Outcome::Unknown)?;
        if let Some(before) = before.filter(|record| !record.is_over) {
            let word = quoted(&before.host.name);
            let message = format!("the drain of {} of {} is not finished", printable(&before.host.name), before.begun);
            let remedy = format!("pvm drain {word} --resume, or pvm drain {word} --uncordon to give it up");
            return Err(Stop::refused(message).remedy(remedy));
        }
        let text = serde_json::to_string(&plan).or_stop(Outcome::Unknown)?;
        let digest = self.saved.map_or_else(|| journal::checksum(text.as_bytes()), |saved| saved.digest.clone());
        let id = journal::new_id(host.uuid.as_deref().unwrap_or_default());
        let record = DrainRecord::new(id, host, taken_down(&plan, &asked), digest);
        let Choices { host: _, to, only, except, parallel, allow, options } = wanted.choices.clone();
        let record = DrainRecord { to, only, except, parallel, options, allow, ..record };
        let wanted = wanted.with(&record);
        self.carry_out(&wanted, record, plan, asked)
    }

    /// Goes on with a drain that stopped, by fresh facts.
    pub(super) fn resume(&self, wanted: Wanted) -> Result<Outcome, Stop> {
        let (record, _lock) = self.begun(&wanted.choices.host)?;
        if record.is_over {
            let word = quoted(&record.host.name);
            let message = format!("the drain of {} of {} is over", printable(&record.host.name), record.begun);
            return Err(Stop::unknown(message).remedy(format!("to begin another: pvm drain {word}")));
        }
        resume::settle(self.context, self.directory, self.drains, &record)?;
        let wanted = wanted.again(&record);
        let asked = ask(self.context, self.hosts, &wanted, Some(self.drains))?;
        let plan = asked.plan(self.hosts, &wanted);
        let now = taken_down(&plan, &asked);
        for line in resume::differences(&record, &now) {
            self.context.printer.note(&printable(&line));
        }
        let record = DrainRecord { guests: resume::merged(&record, &now), is_over: false, ended: None, ..record };
        self.carry_out(&wanted, record, plan, asked)
    }

    /// Lets guests onto the host again.
    pub(super) fn uncordon(&self, name: &str) -> Result<Outcome, Stop> {
        let (record, _lock) = self.begun(name)?;
        cordon::end(self.context, self.drains, record)
    }

    /// The drain of this host that was begun before, which nobody else goes on with meanwhile.
    fn begun(&self, name: &str) -> Result<(DrainRecord, Lock), Stop> {
        // Like every other object that was named and does not exist.
        let label = self.hosts.parse(name)?.label();
        let unknown = || Stop::unknown(format!("no drain of {label} was begun on this machine"));
        let find = || cordon::named(self.hosts, self.drains, name)?.ok_or_else(unknown);
        let lock = self.lock(&find()?.host)?;
        // It may have ended while it was found.
        Ok((find()?, lock))
    }

    fn lock(&self, host: &journal::Host) -> Result<Lock, Stop> {
        let subject = Subject::Host(host.uuid.clone().unwrap_or_default());
        Lock::take(self.directory, &subject, &format!("drain of {}", host.name)).map_err(|error| match error {
            LockError::Held { .. } => Stop::refused(format!("{}: {error}", host.name)),
            other => Stop::unknown(sentence(&other)),
        })
    }
}

/// The host to be emptied, for the record.
fn source(hosts: &Hosts, wanted: &Wanted, asked: &Asked) -> Result<journal::Host, Stop> {
    let host = hosts.parse(&wanted.choices.host)?;
    let local = hosts.options.connect.as_deref().unwrap_or("qemu:///system");
    let uri = host.libvirt_uri(local).expect("only a snapshot has no libvirt, and none comes here");
    let uuid = asked.source.host.uuid.clone().filter(|uuid| identity::identifies(uuid));
    let uuid = uuid.ok_or_else(|| {
        Stop::unknown(format!(
            "the UUID of {} is not known: without it no other pvm keeps guests off it",
            wanted.choices.host
        ))
    })?;
    Ok(journal::Host { name: host.label(), uri, uuid: Some(uuid) })
}

/// The guests of a plan, for the record.
fn taken_down(plan: &Drain, asked: &Asked) -> Vec<DrainGuest> {
    let leaving = plan.moves.iter().map(|leaving| DrainGuest {
        name: leaving.guest.clone(),
        uuid: leaving.uuid.clone(),
        destination: Some(asked.word(leaving.at).to_owned()),
        fate: Fate::Waiting,
    });
    let staying = plan.stays.iter().map(|stay| DrainGuest {
        name: stay.guest.clone(),
        uuid: stay.uuid.clone(),
        destination: None,
        fate: Fate::Stays { why: stay.why.clone() },
    });
    leaving.chain(staying).collect()
}
