//! The moves of a drain: each an ordinary migration in a thread of its own, begun when its slots are free.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::facts::{Asked, Wanted, ask};
use super::stops::Stops;
use crate::commands::hosts::Hosts;
use crate::commands::migrate::carried::{self, Follow, Order};
use crate::commands::{Context, OrStop as _, Stop};
use crate::drain::{Drain, Held, Leaving};
use crate::journal::{self, DrainRecord, Drains, Fate};
use crate::migration::ending::Ending;
use crate::migration::event::Event;
use crate::migration::forward::Note;
use crate::model::format::Format;
use crate::model::outcome::Outcome;
use crate::output::Printer;
use crate::output::drain::{self as output, Came};
use crate::output::moves::Moves;
use crate::output::text::printable;

/// A drain under way.
pub(super) struct Execution<'a> {
    pub(super) context: &'a Context,
    /// Whether the others go on when one could not be moved.
    pub(super) keep_going: bool,
    /// Whether nothing is planned anew: the plan was reviewed as it is.
    pub(super) is_fixed: bool,
    pub(super) wanted: &'a Wanted,
    pub(super) hosts: &'a Hosts,
    pub(super) drains: &'a Drains,
    pub(super) record: Mutex<DrainRecord>,
    pub(super) stops: Stops,
    pub(super) moves: Arc<Moves>,
    /// What became of each guest that was tried, by UUID.
    pub(super) came: BTreeMap<String, Came>,
}

/// A guest that stayed where it was, and the destination that did not get it.
struct Failed {
    uuid: String,
    not_to: String,
}

/// How a move ended: its migration, when one was begun.
type Moved = Result<(journal::Plan, Ending), Stop>;

/// What reaches the thread that plans from those that move.
enum News {
    Happened(usize, Event),
    Ended(usize, Box<Moved>, Printer),
}

/// One move, as its thread sees it.
struct Move<'a> {
    at: usize,
    guest: &'a Leaving,
    execution: &'a Execution<'a>,
    news: Mutex<Sender<News>>,
}

impl Follow for Move<'_> {
    fn begin(&self, migration: &journal::Plan, line: Sender<Note>) -> Result<(), Stop> {
        let fate = Fate::Moving { migration: migration.id.clone() };
        let execution = self.execution;
        execution.drains.settle(&mut execution.record(), &self.guest.uuid, fate).or_stop(Outcome::Unknown)?;
        execution.stops.begin(&migration.id, &self.guest.guest, line);
        Ok(())
    }

    fn tell(&self, event: Event) {
        self.execution.stops.happened(&event);
        self.send(News::Happened(self.at, event));
    }
}

impl Move<'_> {
    /// The receiver lives as long as any move.
    fn send(&self, news: News) {
        let _ = self.news.lock().unwrap_or_else(PoisonError::into_inner).send(news);
    }
}

impl Execution<'_> {
    pub(super) fn record(&self) -> MutexGuard<'_, DrainRecord> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Carries the plan out, plans again what failed or was held up by that, and stops when nothing more can be done.
    pub(super) fn run(&mut self, mut plan: Drain, mut asked: Asked) {
        let mut tried_twice = BTreeSet::new();
        loop {
            let mut gives_up = false;
            for Failed { uuid, not_to } in self.carry_out(&plan, &asked) {
                let is_tried = tried_twice.insert(uuid.clone()) && !self.is_fixed && self.stops.may_begin();
                if !is_tried || !self.elsewhere(&uuid, &not_to) {
                    gives_up = true;
                }
            }
            let waiting = self.waiting();
            let ends = waiting.is_empty() || self.is_fixed || !self.stops.may_begin();
            if ends || gives_up && !self.keep_going {
                return;
            }
            match self.ask_again() {
                Ok(fresh) => asked = fresh.only(&waiting),
                Err(stop) => return self.complain(&stop),
            }
            plan = asked.plan(self.hosts, self.wanted);
            for stay in &plan.stays {
                self.settle(&stay.uuid, Fate::Stays { why: stay.why.clone() });
            }
            // Whoever left by another hand is not planned any more.
            for uuid in waiting.iter().filter(|uuid| !plan.moves.iter().any(|leaving| leaving.uuid == **uuid)) {
                if !plan.stays.iter().any(|stay| stay.uuid == *uuid) {
                    self.settle(uuid, Fate::Gone);
                }
            }
        }
    }

    fn waiting(&self) -> Vec<String> {
        let record = self.record();
        let waiting = record.guests.iter().filter(|guest| guest.fate == Fate::Waiting);
        waiting.map(|guest| guest.uuid.clone()).collect()
    }

    fn ask_again(&self) -> Result<Asked, Stop> {
        let wanted = Wanted { is_again: true, ..self.wanted.clone() };
        ask(self.context, self.hosts, &wanted, Some(self.drains))
    }

    /// Tries a guest once more, on another host. Whether it has left, or was not there any more.
    fn elsewhere(&mut self, uuid: &str, not_to: &str) -> bool {
        let asked = match self.ask_again() {
            Ok(asked) if !asked.has(uuid) => {
                self.settle(uuid, Fate::Gone);
                return true;
            }
            Ok(asked) => asked.elsewhere(uuid, not_to),
            Err(stop) => {
                self.complain(&stop);
                return false;
            }
        };
        let Some(asked) = asked else { return false };
        let plan = asked.plan(self.hosts, self.wanted);
        let Some(leaving) = plan.moves.first() else { return false };
        let (guest, word) = (printable(&leaving.guest), printable(asked.word(leaving.at)));
        self.moves.note(&format!("{guest}: planned again, to {word}"));
        self.carry_out(&plan, &asked).is_empty()
    }

    /// Carries the moves of a plan out. Those that could be tried elsewhere come back.
    fn carry_out(&mut self, plan: &Drain, asked: &Asked) -> Vec<Failed> {
        let (to, news) = mpsc::channel();
        let mut waiting: Vec<usize> = (0..plan.moves.len()).collect();
        let (mut running, mut ended, mut failed) = (Vec::<usize>::new(), Vec::new(), Vec::new());
        let this = &*self;
        std::thread::scope(|scope| {
            loop {
                waiting.retain(|at| {
                    let is_held = !this.stops.may_begin() || !failed.is_empty() && !this.keep_going;
                    if is_held || !has_slots(plan, &running, *at) {
                        return true;
                    }
                    running.push(*at);
                    let (at, guest, to) = (*at, &plan.moves[*at], to.clone());
                    scope.spawn(move || {
                        let mut printer = this.context.printer.holding();
                        printer.quiet = true;
                        let one = Move { at, guest, execution: this, news: Mutex::new(to) };
                        let moved = this.move_one(&one, asked.word(guest.at), &printer);
                        this.stops.over(&guest.guest);
                        one.send(News::Ended(at, Box::new(moved), printer));
                    });
                    false
                });
                if running.is_empty() {
                    return;
                }
                match news.recv() {
                    Ok(News::Happened(at, event)) => this.moves.event(&plan.moves[at].guest, &event),
                    Ok(News::Ended(at, moved, printer)) => {
                        running.retain(|one| *one != at);
                        let guest = &plan.moves[at];
                        let word = asked.word(guest.at);
                        let (came, fate, may_try) = judge(guest, word, &moved);
                        this.settle(&guest.uuid, fate);
                        this.moves.ended(&guest.guest, journal::now(), || this.tell(&came, &printer));
                        ended.push(came);
                        if may_try {
                            failed.push(Failed { uuid: guest.uuid.clone(), not_to: word.to_owned() });
                        }
                    }
                    // This thread has a sender of its own.
                    Err(mpsc::RecvError) => return,
                }
            }
        });
        self.came.extend(ended.into_iter().map(|came| (came.uuid.clone(), came)));
        failed
    }

    fn move_one(&self, one: &Move<'_>, to: &str, printer: &Printer) -> Moved {
        let choices = &self.wanted.choices;
        let order = Order {
            guest: &one.guest.uuid,
            from: &choices.host,
            to,
            map: &one.guest.map,
            allow: &choices.allow,
            options: &choices.options,
            downtime: self.wanted.downtime,
        };
        let context = Context { printer: printer.clone(), ..self.context.clone() };
        carried::carry_out(&context, self.hosts, &order, one)
    }

    /// Says what a move came to.
    fn tell(&self, came: &Came, held: &Printer) {
        let summary = printable(&came.summary);
        let printer = &self.context.printer;
        // What was held back is said where it explains a refusal.
        if came.exit_code != 0 {
            let _ = held.release();
        }
        match printer.format {
            Format::Table if came.exit_code == 0 => {
                // The outcome is fixed, whatever becomes of the printing.
                let _ = printer.lines(&format!("{summary}.\n"));
            }
            Format::Ndjson => {
                let _ = output::moved(printer, came);
            }
            _ if came.exit_code == 0 => {}
            _ => printer.complain(&format!("pvm: {summary}")),
        }
    }

    /// Takes down what became of a guest. Without the record it is found out by asking, when the drain is resumed.
    fn settle(&self, uuid: &str, fate: Fate) {
        let written = self.drains.settle(&mut self.record(), uuid, fate).or_stop(Outcome::Incomplete);
        if let Err(stop) = written {
            self.complain(&stop);
        }
    }

    fn complain(&self, stop: &Stop) {
        let sentence = stop.sentence();
        self.moves.aside(|| self.context.printer.complain(&format!("pvm: {}", printable(&sentence))));
    }
}

/// What a move came to, and whether another destination may be tried.
fn judge(guest: &Leaving, to: &str, moved: &Moved) -> (Came, Fate, bool) {
    let came = |migration: Option<&str>, has_left, outcome: Outcome, summary: &str| Came {
        guest: guest.guest.clone(),
        uuid: guest.uuid.clone(),
        destination: Some(to.to_owned()),
        migration: migration.map(str::to_owned),
        has_left,
        exit_code: outcome.code(),
        summary: summary.to_owned(),
    };
    match moved {
        Err(stop) => {
            let why = format!("{} was not moved: {}", guest.guest, stop.sentence());
            (came(None, Some(false), stop.outcome, &why), Fate::Stays { why }, true)
        }
        Ok((migration, ending)) => {
            let (receipt, outcome) = (&ending.receipt, ending.outcome);
            let runs_on = receipt.runs_on.as_deref();
            let has_left = runs_on.map(|host| host != migration.source_label);
            let fate = match has_left {
                Some(true) if ending.closed => Fate::Left,
                Some(false) if ending.closed => Fate::Stays { why: receipt.summary.clone() },
                _ => Fate::Moving { migration: migration.id.clone() },
            };
            let may_try = ending.closed
                && has_left == Some(false)
                && matches!(outcome, Outcome::Undone | Outcome::Findings | Outcome::Unknown);
            // One that is not finished holds up the others like one that failed.
            let may_try = may_try || !matches!(outcome, Outcome::Fine | Outcome::Interrupted) && has_left != Some(true);
            (came(Some(&migration.id), has_left, outcome, &receipt.summary), fate, may_try)
        }
    }
}

/// Whether the slots of a move are free beside those that run. One that asks for more than there is goes alone.
fn has_slots(plan: &Drain, running: &[usize], at: usize) -> bool {
    let used = |slot: &Held| -> usize {
        let same = |held: &&Held| (held.host, held.pf) == (slot.host, slot.pf);
        running.iter().flat_map(|one| &plan.moves[*one].slots).filter(same).map(|held| held.count).sum()
    };
    running.is_empty() || plan.moves[at].slots.iter().all(|slot| used(slot) + slot.count <= slot.most)
}
