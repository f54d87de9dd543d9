//! What signals do to a migration, and between two attempts at it.

use std::io::{self, IsTerminal as _};
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use crate::commands::Stop;
use crate::migration::forward::Note;
use crate::model::outcome::Outcome;
use crate::output::Printer;

/// Hears signals for all attempts of one run. While none is under way, they do what they do without pvm: they end it.
#[derive(Clone)]
pub(super) struct Signals {
    attempt: Arc<Mutex<Option<Attempt>>>,
}

/// What answers a wish to end an attempt.
type Answer = Box<dyn Fn() -> bool + Send>;

/// The attempt under way.
struct Attempt {
    sender: Sender<Note>,
    /// Answers the wish to end it at once; `false` when it comes too late.
    answer: Answer,
    /// Whether it was asked to end.
    asked: bool,
    /// What to say when pvm leaves it alone.
    leaving: String,
    /// The command that looks at it later.
    recover: String,
    /// How it ended: what is left is to print that.
    ended: Option<Outcome>,
}

/// What a signal leads to.
#[derive(Debug, PartialEq, Eq)]
enum Heard {
    /// There is nothing to end but pvm itself.
    NothingRuns,
    /// The attempt has heard it, or need not.
    Passed,
    /// pvm leaves at once, with these words.
    Leave(String),
    /// pvm leaves at once: the attempt has ended like this, and somebody does not read it.
    Ended(Outcome),
}

impl Signals {
    /// Begins to hear them.
    pub(super) fn hear(printer: &Printer) -> io::Result<Self> {
        let signals = Self { attempt: Arc::default() };
        let mut coming = signal_hook::iterator::Signals::new([SIGHUP, SIGINT, SIGTERM])?;
        let (printer, hearing) = (printer.clone(), signals.clone());
        std::thread::spawn(move || {
            for signal in coming.forever() {
                match hearing.heard(signal) {
                    Heard::NothingRuns => interrupted(&printer, signal),
                    Heard::Passed => {}
                    Heard::Leave(words) => {
                        leave_in_time(&printer, Outcome::Undecided, words);
                        // This is what a second signal asks for.
                        std::process::exit(Outcome::Undecided.code().into());
                    }
                    Heard::Ended(outcome) => std::process::exit(outcome.code().into()),
                }
            }
        });
        Ok(signals)
    }

    /// From here on they are for the attempt with this id, which hears of them by `sender` what is not too late by `answer`.
    pub(super) fn begin(&self, id: &str, direct: bool, sender: Sender<Note>, answer: Answer) {
        let rest = if direct {
            "libvirt aborts the migration, or leaves the guest paused if it is past switchover"
        } else {
            "libvirt continues the migration in the background"
        };
        let recover = format!("pvm recover {id}");
        let leaving = format!("detached: {rest}; to follow or abort it: {recover}");
        *self.lock() = Some(Attempt { sender, answer, asked: false, leaving, recover, ended: None });
    }

    /// The attempt has ended like this, and only that is still to be printed: a signal then keeps the exit code.
    pub(super) fn ended(&self, outcome: Outcome) {
        if let Some(attempt) = self.lock().as_mut() {
            attempt.ended = Some(outcome);
        }
    }

    /// The attempt is over, and another may follow: `false` if an end was asked for, which it may not have heard any more.
    pub(super) fn may_try_again(&self) -> bool {
        let mut attempt = self.lock();
        if attempt.as_ref().is_some_and(|attempt| attempt.asked) {
            return false;
        }
        *attempt = None;
        true
    }

    /// The first SIGINT or SIGTERM asks for the end, the second leaves at once. A terminal that is closed ends nothing: the
    /// migration would outlive pvm anyway, and so it is finished properly.
    fn heard(&self, signal: i32) -> Heard {
        let mut attempt = self.lock();
        let Some(attempt) = attempt.as_mut() else { return Heard::NothingRuns };
        if let Some(outcome) = attempt.ended {
            return Heard::Ended(outcome);
        }
        if signal == SIGHUP {
            return Heard::Passed;
        }
        if attempt.asked {
            return Heard::Leave(attempt.leaving.clone());
        }
        attempt.asked = true;
        if (attempt.answer)() {
            // An abort was announced: libvirt may have heard it, so nobody may say that the migration goes on.
            attempt.leaving = leaving_an_abort(&attempt.recover);
            // Where nobody listens any more, the run is at its end.
            let _ = attempt.sender.send(Note::Stop);
        }
        Heard::Passed
    }

    fn lock(&self) -> MutexGuard<'_, Option<Attempt>> {
        self.attempt.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is said when pvm leaves after an abort was announced, which libvirt may or may not have heard.
pub(in crate::commands) fn leaving_an_abort(recover: &str) -> String {
    format!("detached while aborting; whether the abort took effect: {recover}")
}

/// Says on stderr why pvm leaves, and to a machine on stdout, and waits for that no longer than a terminal that is read needs.
pub(in crate::commands) fn leave_in_time(printer: &Printer, outcome: Outcome, words: String) {
    let (printer, (done, said)) = (printer.clone(), mpsc::channel());
    std::thread::spawn(move || {
        Stop::new(outcome, words).tell(&printer, false);
        // Where nobody waits any more, pvm is about to end.
        let _ = done.send(());
    });
    let _ = said.recv_timeout(Duration::from_secs(1));
}

/// Ends pvm by a signal that came while nothing was changed, with a last word.
fn interrupted(printer: &Printer, signal: i32) {
    if io::stderr().is_terminal() {
        // The cursor may stand after a question.
        printer.ask("\n");
    }
    leave_in_time(printer, Outcome::Interrupted, "interrupted; nothing was changed".to_owned());
    // Signals that end a process are known to it: it does not come back from here.
    drop(signal_hook::low_level::emulate_default_handler(signal));
}

/// Has a signal end pvm with a last word while the operator is asked.
pub(in crate::commands) fn while_asked<T>(printer: &Printer, ask: impl FnOnce() -> T) -> io::Result<T> {
    let mut coming = signal_hook::iterator::Signals::new([SIGHUP, SIGINT, SIGTERM])?;
    let (handle, printer) = (coming.handle(), printer.clone());
    std::thread::spawn(move || coming.forever().for_each(|signal| interrupted(&printer, signal)));
    let answer = ask();
    handle.close();
    Ok(answer)
}

#[cfg(test)]
mod tests {

    use super::*;
    use crate::model::format::{Color, Format};

    /// With real signals of this process.
    #[test]
    fn each_attempt_is_asked_to_end_by_the_first_signal_in_it() {
        let printer = Printer::new(Format::Table, Color::Never, 0, true);
        let signals = Signals::hear(&printer).unwrap();
        for signal in [SIGINT, SIGTERM] {
            let (sender, receiver) = mpsc::channel();
            signals.begin("m-1", false, sender, Box::new(|| true));
            for signal in [SIGHUP, signal] {
                signal_hook::low_level::raise(signal).unwrap();
            }
            let note = receiver.recv_timeout(Duration::from_secs(20)).unwrap();
            assert!(matches!(note, Note::Stop), "{note:?}");
        }
    }

    #[test]
    fn a_signal_between_two_attempts_ends_pvm_and_the_second_in_one_names_that_one() {
        let signals = Signals { attempt: Arc::default() };
        for signal in [SIGHUP, SIGINT, SIGTERM] {
            assert_eq!(signals.heard(signal), Heard::NothingRuns, "before the first");
        }
        let ((to_first, first), (to_second, second)) = (mpsc::channel(), mpsc::channel());
        signals.begin("m-1", false, to_first, Box::new(|| true));
        assert_eq!(signals.heard(SIGHUP), Heard::Passed);
        assert!(signals.may_try_again());
        assert_eq!(signals.heard(SIGINT), Heard::NothingRuns, "while it is planned again");
        signals.begin("m-2", false, to_second, Box::new(|| true));
        assert_eq!(signals.heard(SIGINT), Heard::Passed);
        assert!(!signals.may_try_again(), "what was asked for is not forgotten");
        let Heard::Leave(words) = signals.heard(SIGTERM) else { panic!("the second one leaves") };
        assert_eq!(words, "detached while aborting; whether the abort took effect: pvm recover m-2");
        assert_eq!((first.try_iter().count(), second.try_iter().count()), (0, 1));
        let (to_third, third) = mpsc::channel();
        signals.begin("m-3", false, to_third, Box::new(|| false));
        assert_eq!((signals.heard(SIGINT), third.try_iter().count()), (Heard::Passed, 0), "too late, which was said");
        let Heard::Leave(words) = signals.heard(SIGINT) else { panic!("the second one leaves") };
        assert!(words.contains("libvirt continues"), "no abort was announced: {words}");
        signals.ended(Outcome::Incomplete);
        for signal in [SIGHUP, SIGINT] {
            assert_eq!(signals.heard(signal), Heard::Ended(Outcome::Incomplete), "its end is known");
        }
    }
}
