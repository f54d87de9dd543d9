//! Does what [`step`](super::step) decides, with two hypervisors, and tells what happens.

use std::sync::mpsc::{self, Receiver, Sender};
use std::time::{Duration, Instant};

use super::event::{Event, What};
use super::order::Order;
use super::step::{Action, End, News, Phase, Place, Proof, State, Stopped, Terms, step};
use super::words::message;
use crate::journal::record::VERSION;
use crate::journal::{self, Entry, Journal, Receipt, Record, Side, Step};
use crate::libvirt::{self, Happened, Hypervisor, Job, PauseReason, Watch};
use crate::migration::recover::answer::{self, Answer};
use crate::migration::recover::look::look;
use crate::migration::recover::mark;
use crate::model::causes;
use crate::model::outcome::Outcome;
use crate::model::pci::PciAddress;
use crate::proof::{self, Verdict};

/// How often the job's numbers are read. libvirt tells of the ends and of switch-over by itself.
pub(super) const POLL: Duration = Duration::from_millis(250);

/// How long the two hosts may take to agree on where the guest is, once libvirt's call has returned.
const SETTLE: Duration = Duration::from_secs(10);

/// What reaches a running migration from other threads.
#[derive(Debug)]
pub enum Note {
    /// The source's daemon told something.
    Happened(Happened),
    /// libvirt's call returned.
    Returned(libvirt::Result<()>),
    /// The operator asked for the end.
    Stop,
}

/// How it ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Ended {
    /// The exit code's meaning.
    pub outcome: Outcome,
    /// What it came to.
    pub receipt: Receipt,
    /// Whether its journal stays open: a decision is needed, or something is still to come.
    pub open: bool,
}

/// The two daemons.
#[derive(Debug, Clone, Copy)]
pub struct Hosts<'a> {
    /// Where the guest runs.
    pub source: &'a dyn Hypervisor,
    /// Where it goes.
    pub destination: &'a dyn Hypervisor,
}

/// Reads a host's logs and judges by them: whether the state arrived, or on the source whether it stayed.
pub type Prover<'a> = dyn Fn(Side, &proof::Question<'_>) -> Verdict + 'a;

/// The line to a running migration: its sender is for signals.
#[derive(Debug)]
pub struct Line {
    sender: Sender<Note>,
    pub(super) receiver: Receiver<Note>,
}

impl Line {
    /// A new one.
    pub fn new() -> Self {
        let (sender, receiver) = mpsc::channel();
        Self { sender, receiver }
    }

    /// For other threads.
    pub fn sender(&self) -> Sender<Note> {
        self.sender.clone()
    }
}

impl Default for Line {
    fn default() -> Self {
        Self::new()
    }
}

/// Migrates one guest, recording each change in `journal` before it is made. Every event goes to `tell`,
/// except the result, which is the caller's: a journal that stays open may still be brought to an end.
pub fn run(
    hosts: Hosts<'_>,
    order: &Order,
    journal: &mut Journal,
    line: &Line,
    prove: &Prover<'_>,
    tell: &mut dyn FnMut(&Event),
) -> Ended {
    let terms = Terms { ports: order.ports.len(), require_proof: order.options.require_proof };
    let mut engine = Engine {
        hosts,
        order,
        journal,
        line,
        prove,
        tell,
        state: State::new(terms),
        started: now(),
        phase: (Phase::Plan, now()),
        phases: Vec::new(),
        recorded: recorded(order),
        job: None,
        flowed: false,
        abort_owed: false,
        verdict: None,
        watch: None,
        missing: Vec::new(),
    };
    let mut news = News::Start;
    loop {
        let (state, actions) = step(engine.state.clone(), news);
        engine.state = state;
        engine.enter_phase();
        let mut next = None;
        for action in actions {
            match action {
                Action::End(end) => return engine.end(end),
                other => next = Some(engine.act(&other)),
            }
        }
        news = match next {
            Some(Some(news)) => news,
            Some(None) | None => engine.wait(),
        };
    }
}

/// What the journal says when its plan is all there is.
fn recorded(order: &Order) -> journal::State {
    let plan = Entry::Plan(Box::new(order.journal_plan()));
    let record = Record { v: VERSION, seq: 1, time: journal::now(), entry: plan };
    journal::State::of(&[record]).expect("a journal that begins with its plan has a state")
}

#[expect(clippy::disallowed_methods, reason = "the engine measures its phases")]
pub(super) fn now() -> Instant {
    Instant::now()
}

/// One migration under way.
pub(super) struct Engine<'a> {
    pub(super) hosts: Hosts<'a>,
    pub(super) order: &'a Order,
    pub(super) journal: &'a mut Journal,
    pub(super) line: &'a Line,
    prove: &'a Prover<'a>,
    tell: &'a mut dyn FnMut(&Event),
    pub(super) state: State,
    pub(super) started: Instant,
    pub(super) phase: (Phase, Instant),
    phases: Vec<(Phase, u64)>,
    /// What the journal says so far.
    pub(super) recorded: journal::State,
    pub(super) job: Option<Job>,
    /// Whether memory was seen to flow.
    pub(super) flowed: bool,
    /// Whether the job is still to be aborted: the daemon has refused to.
    pub(super) abort_owed: bool,
    pub(super) verdict: Option<Verdict>,
    watch: Option<Box<dyn Watch>>,
    /// Ports the guest is known to be without: unplugged, and not plugged in again.
    pub(super) missing: Vec<PciAddress>,
}

impl Engine<'_> {
    pub(super) fn say(&mut self, what: What) {
        let event = Event { time: journal::now(), id: self.order.id.clone(), phase: self.phase.0, what };
        (self.tell)(&event);
    }

    fn enter_phase(&mut self) {
        let phase = self.state.phase();
        if phase == self.phase.0 {
            return;
        }
        self.phases.push((self.phase.0, milliseconds(self.phase.1.elapsed())));
        self.phase = (phase, now());
        if phase != Phase::Done {
            self.say(What::Begun);
        }
    }

    /// Writes a record that announces a change. Without it the change is not made.
    pub(super) fn announce(&mut self, entry: &Entry) -> Result<(), String> {
        let record = self.journal.append(entry).map_err(|e| causes::sentence(&e))?;
        self.recorded.apply(&record);
        Ok(())
    }

    /// Writes a record of what was seen or cannot be left out any more: a failure changes nothing but is told.
    pub(super) fn note_down(&mut self, entry: &Entry) {
        if let Err(message) = self.announce(entry) {
            self.say(What::Note { message });
        }
    }

    /// Closes the journal, unless it waits for a decision, or for somebody who may still answer.
    fn end(&mut self, end: End) -> Ended {
        let receipt = self.receipt(&end);
        if end.open {
            return Ended { outcome: end.outcome, receipt, open: true };
        }
        let closing = match end.place {
            Place::Destination => Entry::Done { receipt: receipt.clone() },
            Place::Source | Place::Unclear => Entry::Undone { receipt: receipt.clone() },
        };
        match self.announce(&closing) {
            Ok(()) => Ended { outcome: end.outcome, receipt, open: false },
            Err(error) => {
                let end = end.unrecorded(&error);
                Ended { outcome: end.outcome, receipt: self.receipt(&end), open: true }
            }
        }
    }

    fn receipt(&self, end: &End) -> Receipt {
        let runs_on = match end.place {
            Place::Source => Some(self.order.source_label.clone()),
            Place::Destination => Some(self.order.destination.name.clone()),
            Place::Unclear => None,
        };
        let number = |name| self.job.as_ref().and_then(|job| job.get(name));
        let mut summary = message(self.order, end, self.verdict.as_ref(), &self.missing);
        if end.place == Place::Source && self.recorded.perform.is_some() {
            summary.push_str(&self.recorded.plan.left_of_copies());
        }
        Receipt {
            exit_code: end.outcome.code(),
            summary,
            runs_on,
            phases: self
                .phases
                .iter()
                .filter(|(phase, _)| *phase != Phase::Plan)
                .map(|(phase, time)| (phase.name().to_owned(), *time))
                .collect(),
            total_ms: Some(milliseconds(self.started.elapsed())),
            downtime_ms: number("downtime"),
            memory_bytes: number("memory_processed"),
            vfio_bytes: number("vfio_data_transferred"),
            verdict: self.verdict.clone(),
            map: self.recorded.map.clone(),
            missing_ports: self.missing.clone(),
        }
    }

    /// Does one thing. `None`: its news come later.
    fn act(&mut self, action: &Action) -> Option<News> {
        match action {
            Action::Claim => Some(self.claim()),
            Action::Recheck => Some(match self.recheck() {
                News::Rechecked => match self.announce(&Entry::Recheck) {
                    Ok(()) => self.mark(),
                    Err(why) => News::Failed { why, outcome: Outcome::Unknown },
                },
                failed => failed,
            }),
            Action::Perform => Some(self.perform()),
            Action::Abort(by) => {
                self.abort(*by);
                None
            }
            Action::Ask => Some(self.ask()),
            Action::SuspendSource => {
                // Two copies run: row 15 of the decision table, which recovery recognises by this record.
                self.note_down(&Entry::RecoverIntent { row: "15".into(), step: Step::SuspendSource });
                if let Err(e) = self.hosts.source.suspend(&self.order.instance.uuid) {
                    self.say(What::Note { message: format!("the source's copy could not be suspended: {e}") });
                }
                None
            }
            Action::Prove { on_source } => Some(self.prove(*on_source)),
            Action::CleanUp => Some(self.clean_up()),
            Action::Release => {
                if self.recorded.marked {
                    self.note_down(&Entry::UndoIntent { step: Step::RemoveMark });
                    if let Err(why) = self.unmark(Side::Source) {
                        return Some(News::Pending { why });
                    }
                }
                self.note_down(&Entry::UndoIntent { step: Step::ReleaseClaims });
                self.note_down(&Entry::UndoDone { step: Step::ReleaseClaims });
                Some(News::Undone { done: true })
            }
            Action::Detach(port) => Some(self.detach(*port)),
            Action::Attach(port) => Some(self.attach(*port)),
            Action::Reattach(port) => Some(self.reattach(*port)),
            Action::End(_) => None,
        }
    }

    /// Waits for somebody outside.
    fn wait(&mut self) -> News {
        loop {
            match self.line.receiver.recv() {
                Ok(Note::Stop) => return News::Stop(Stopped::Operator),
                // Late news of a job that is over.
                Ok(Note::Happened(_) | Note::Returned(_)) => {}
                Err(_) => unreachable!("the line keeps a sender of its own"),
            }
        }
    }

    fn claim(&mut self) -> News {
        match self.announce(&Entry::Claim { map: self.order.map.clone() }) {
            Ok(()) => News::Claimed,
            Err(why) => News::Failed { why, outcome: Outcome::Unknown },
        }
    }

    /// Listens to the source's daemon: to switch-over, to devices the guest lets go of, to the job's end.
    fn listen(&mut self) -> libvirt::Result<()> {
        let (sender, receiver) = mpsc::channel();
        self.watch = Some(self.hosts.source.watch(&self.order.instance.uuid, sender)?);
        let line = self.line.sender();
        // Ends when the watch is dropped, which drops the last sender.
        std::thread::spawn(move || {
            for happened in receiver {
                if line.send(Note::Happened(happened)).is_err() {
                    return;
                }
            }
        });
        Ok(())
    }

    fn recheck(&mut self) -> News {
        let uuid = &self.order.instance.uuid;
        let failed = |why: String, outcome| News::Failed { why, outcome };
        let fresh = match self.hosts.source.domain(uuid) {
            Ok(Some(fresh)) => fresh,
            Ok(None) => return News::Gone { why: "the guest is gone from the source".into() },
            Err(e) => return failed(e.to_string(), Outcome::Unknown),
        };
        let as_planned = match fresh.state {
            libvirt::State::Running(_) => !self.order.paused,
            libvirt::State::Paused(PauseReason::User) => self.order.paused,
            _ => false,
        };
        if !as_planned {
            return failed(format!("the guest is {} now", fresh.state), Outcome::Findings);
        }
        match self.hosts.source.job(uuid) {
            Ok(None) => {}
            Ok(Some(_)) => return failed("another job runs on the guest".into(), Outcome::Findings),
            Err(e) => return failed(e.to_string(), Outcome::Unknown),
        }
        match self.hosts.destination.domain(uuid) {
            Ok(Some(there)) if there.state.is_active() => {
                failed(format!("a guest with this UUID is {} on the destination", there.state), Outcome::Findings)
            }
            Ok(_) => {
                let known = |id: &str| self.order.known_marks.iter().any(|known| known == id);
                match mark::obstacle(self.hosts.source, uuid, known) {
                    Ok(None) => {}
                    Ok(Some(why)) => return failed(format!("the guest {why}"), Outcome::Findings),
                    Err(e) => return failed(e.to_string(), Outcome::Unknown),
                }
                match self.listen() {
                    Ok(()) => News::Rechecked,
                    Err(e) => failed(e.to_string(), Outcome::Unknown),
                }
            }
            Err(e) => failed(e.to_string(), Outcome::Unknown),
        }
    }

    /// Asks both hosts until their answers tell where the guest is, or until they have had time enough.
    fn ask(&mut self) -> News {
        let until = now() + SETTLE;
        loop {
            let uuid = &self.order.instance.uuid;
            let source = answer::source(&look(self.hosts.source, uuid), &self.recorded);
            let destination = answer::destination(&look(self.hosts.destination, uuid), &self.recorded);
            let split = source == Answer::RunUnchanged && destination == Answer::RunMigrated;
            let silent = source == Answer::Unreachable || destination == Answer::Unreachable;
            let clear = Place::of(source, destination) != Place::Unclear;
            if clear || split || silent || now() > until {
                return News::Answered { source, destination };
            }
            self.pause(POLL);
        }
    }

    /// What became of the devices' state.
    fn prove(&mut self, on_source: bool) -> News {
        let side = if on_source { Side::Source } else { Side::Destination };
        let moving = self.order.moving_state();
        let devices: Vec<_> =
            moving.map(if on_source { proof::Device::on_source } else { proof::Device::on_destination }).collect();
        let verdict = match &self.recorded.perform {
            _ if devices.is_empty() => Verdict::NothingToProve,
            None => Verdict::not_verified("when the migration began is not recorded"),
            Some((since, _)) => {
                let vfio_bytes = self.recorded.vfio_bytes;
                let question =
                    proof::Question { devices: &devices, since: *since, running: journal::now(), vfio_bytes };
                (self.prove)(side, &question)
            }
        };
        self.note_down(&Entry::Verify { side, verdict: verdict.clone() });
        let proof = if verdict.is_lost() {
            Proof::Lost
        } else if verdict.is_certain() {
            Proof::Certain
        } else {
            Proof::Open
        };
        if proof != Proof::Certain {
            self.say(What::Note { message: format!("device state {verdict}") });
        }
        self.verdict = Some(verdict);
        News::Proved(proof)
    }

    fn clean_up(&mut self) -> News {
        self.note_down(&Entry::Cleanup);
        let mut left = self.unmark(Side::Destination);
        if self.order.autostart
            && let Err(e) = self.hosts.destination.set_autostart(&self.order.instance.uuid, true)
        {
            left = left.and(Err(format!("autostart was not carried over: {e}")));
        }
        for (disk, path) in &self.order.options.copy_disks {
            let message = format!("{} keeps what was disk {disk}: {path}", self.order.source_label);
            self.say(What::Note { message });
        }
        match left {
            Ok(()) => News::Cleaned,
            Err(why) => News::Pending { why },
        }
    }
}

pub(super) fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
