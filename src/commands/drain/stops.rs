//! What signals do to a drain: the first one lets what runs finish, the second aborts it, the third leaves.

use std::io;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use crate::commands::migrate::signals::{leave_in_time, leaving_an_abort};
use crate::migration::event::{Event, What};
use crate::migration::forward::Note;
use crate::model::outcome::Outcome;
use crate::output::Printer;
use crate::output::moves::Moves;
use crate::output::text::printable;

/// Hears signals for all moves of a drain.
#[derive(Debug, Clone, Default)]
pub(super) struct Stops {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    heard: u32,
    running: Vec<Running>,
    /// How the drain ended: what is left is to print that.
    ended: Option<Outcome>,
}

#[derive(Debug)]
struct Running {
    id: String,
    guest: String,
    line: Sender<Note>,
    /// Past switchover there is nothing to abort.
    has_switched: bool,
}

/// What a signal leads to.
#[derive(Debug, PartialEq, Eq)]
enum Heard {
    Nothing,
    Say(String),
    Leave(String),
    Ended(Outcome),
}

impl Stops {
    /// Begins to hear them.
    pub(super) fn hear(&self, printer: &Printer, moves: &Arc<Moves>) -> io::Result<()> {
        let mut coming = signal_hook::iterator::Signals::new([SIGHUP, SIGINT, SIGTERM])?;
        let (printer, moves, hearing) = (printer.clone(), Arc::clone(moves), self.clone());
        std::thread::spawn(move || {
            for signal in coming.forever() {
                match hearing.heard(signal) {
                    Heard::Nothing => {}
                    Heard::Say(words) => moves.note(&words),
                    Heard::Leave(words) => {
                        leave_in_time(&printer, Outcome::Undecided, words);
                        std::process::exit(Outcome::Undecided.code().into());
                    }
                    Heard::Ended(outcome) => std::process::exit(outcome.code().into()),
                }
            }
        });
        Ok(())
    }

    /// A move has begun, which hears of a wish to stop by this line.
    pub(super) fn begin(&self, id: &str, guest: &str, line: Sender<Note>) {
        let mut state = self.lock();
        if state.heard > 1 {
            // It began while the others were aborted. Where nobody listens any more, it is at its end.
            let _ = line.send(Note::Stop);
        }
        state.running.push(Running { id: id.to_owned(), guest: guest.to_owned(), line, has_switched: false });
    }

    /// What happened in a move.
    pub(super) fn happened(&self, event: &Event) {
        if event.what == What::Switched {
            self.lock().running.iter_mut().filter(|one| one.id == event.id).for_each(|one| one.has_switched = true);
        }
    }

    /// A move is over.
    pub(super) fn over(&self, guest: &str) {
        self.lock().running.retain(|one| one.guest != guest);
    }

    /// Whether nobody asked for the end.
    pub(super) fn may_begin(&self) -> bool {
        self.lock().heard == 0
    }

    /// From here on a signal keeps the exit code.
    pub(super) fn ended(&self, outcome: Outcome) {
        self.lock().ended = Some(outcome);
    }

    fn heard(&self, signal: i32) -> Heard {
        let mut state = self.lock();
        if let Some(outcome) = state.ended {
            return Heard::Ended(outcome);
        }
        // A terminal that is closed ends nothing: the moves would outlive pvm anyway.
        if signal == SIGHUP {
            return Heard::Nothing;
        }
        state.heard += 1;
        let names = |running: &[Running]| {
            let names: Vec<_> = running.iter().map(|one| printable(&one.guest).into_owned()).collect();
            if names.is_empty() { "nothing".to_owned() } else { names.join(", ") }
        };
        match state.heard {
            1 => Heard::Say(format!(
                "interrupted: no new moves; {} under way, to be finished; again: abort",
                names(&state.running)
            )),
            2 => {
                for one in state.running.iter().filter(|one| !one.has_switched) {
                    // As above.
                    let _ = one.line.send(Note::Stop);
                }
                Heard::Say(format!("interrupted again: aborting and undoing: {}; again: leave", names(&state.running)))
            }
            _ => {
                let calls: Vec<_> = state.running.iter().map(|one| format!("pvm recover {}", one.id)).collect();
                let calls = if calls.is_empty() { "pvm recover".to_owned() } else { calls.join("; ") };
                Heard::Leave(leaving_an_abort(&calls))
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn the_first_waits_the_second_aborts_what_can_be_and_the_third_leaves() {
        let stops = Stops::default();
        let ((one, hears), (other, late)) = (mpsc::channel(), mpsc::channel());
        stops.begin("m-1", "db-1", one);
        stops.begin("m-2", "db-2", other);
        stops.lock().running[1].has_switched = true;
        assert_eq!(stops.heard(SIGHUP), Heard::Nothing);
        assert!(stops.may_begin());
        assert!(matches!(stops.heard(SIGINT), Heard::Say(words) if words.contains("db-1, db-2")));
        assert!(!stops.may_begin() && hears.try_recv().is_err());
        assert!(matches!(stops.heard(SIGTERM), Heard::Say(_)));
        assert!(matches!(hears.try_recv(), Ok(Note::Stop)) && late.try_recv().is_err());
        stops.over("db-1");
        let Heard::Leave(words) = stops.heard(SIGINT) else { panic!("the third one leaves") };
        assert!(words.ends_with(": pvm recover m-2"), "{words}");
        stops.ended(Outcome::Incomplete);
        assert_eq!(stops.heard(SIGINT), Heard::Ended(Outcome::Incomplete));
    }
}
