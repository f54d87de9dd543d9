//! The events of a migration, shown in a thread of their own: the migration never waits for a terminal or a reader.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use super::StdoutError;
use super::progress::Reporter;
use crate::migration::event::{Event, Phase, TOO_LATE, What};
use crate::migration::forward::Stopped;
use crate::model::time::Timestamp;

/// What waits to be shown. Of progress only the latest waits, so that what can pile up is the few events of a migration's
/// phases, and none of those is dropped.
#[derive(Debug, Default)]
struct Waiting {
    events: VecDeque<Event>,
    ended: bool,
    /// Where the migration is, as far as it was sent.
    phase: Option<Phase>,
    switched: bool,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, event: Event) {
        let mut waiting = self.lock();
        if matches!(event.what, What::Progress(_)) {
            waiting.events.retain(|event| !matches!(event.what, What::Progress(_)));
        }
        waiting.phase = Some(event.phase);
        waiting.switched |= event.what == What::Switched;
        waiting.events.push_back(event);
        self.changed.notify_one();
    }

    /// Answers the operator's wish to stop at once, whatever the migration is waiting for. Whether the wish is not too late.
    fn wish_to_stop(&self, id: &str, time: Timestamp) -> bool {
        let (phase, switched) = {
            let waiting = self.lock();
            (waiting.phase.unwrap_or(Phase::Plan), waiting.switched)
        };
        let what = if switched {
            What::Note { message: TOO_LATE.into() }
        } else {
            What::Stopping { why: Stopped::Operator.why().into(), by_signal: true }
        };
        self.push(Event { time, id: id.to_owned(), phase, what });
        !switched
    }

    /// The next event, waited for; none when all are shown and no more come.
    fn next(&self) -> Option<Event> {
        let waiting = self.lock();
        let more = |waiting: &mut Waiting| waiting.events.is_empty() && !waiting.ended;
        let mut waiting = self.changed.wait_while(waiting, more).unwrap_or_else(PoisonError::into_inner);
        waiting.events.pop_front()
    }
}

/// Shows events as they are read.
#[derive(Debug)]
pub(crate) struct Events {
    queue: Arc<Queue>,
    writer: JoinHandle<Result<(), StdoutError>>,
}

impl Events {
    /// Begins to show what is sent.
    pub(crate) fn show(reporter: Reporter) -> Self {
        Self::to(reporter, Reporter::show, |mut reporter| reporter.finish())
    }

    fn to<T: Send + 'static>(
        mut shown_by: T,
        show: impl Fn(&mut T, &Event) -> Result<(), StdoutError> + Send + 'static,
        finish: impl FnOnce(T) + Send + 'static,
    ) -> Self {
        let queue = Arc::new(Queue::default());
        let waiting = Arc::clone(&queue);
        let writer = std::thread::spawn(move || {
            let mut last = Ok(());
            while let Some(event) = waiting.next() {
                last = show(&mut shown_by, &event);
            }
            finish(shown_by);
            last
        });
        Self { queue, writer }
    }

    /// Shows this next, and waits for nobody.
    pub(crate) fn send(&self, event: Event) {
        self.queue.push(event);
    }

    /// What answers a wish to stop the migration with this id, in whichever thread it is heard: whether it is not too late.
    pub(crate) fn wish_to_stop(&self, id: &str, now: fn() -> Timestamp) -> impl Fn() -> bool + Send + 'static {
        let (queue, id) = (Arc::clone(&self.queue), id.to_owned());
        move || queue.wish_to_stop(&id, now())
    }

    /// Waits until all is shown. An error is that of the last event.
    pub(crate) fn finish(self) -> Result<(), StdoutError> {
        self.queue.lock().ended = true;
        self.queue.changed.notify_one();
        self.writer.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::mpsc;

    use super::*;
    use crate::migration::event::Progress;

    fn event(what: What) -> Event {
        Event { time: Timestamp(0), id: "m-1".into(), phase: Phase::Perform, what }
    }

    fn progress(elapsed_ms: u64) -> What {
        What::Progress(Progress { elapsed_ms, ..Progress::default() })
    }

    #[test]
    fn a_reader_that_sleeps_loses_progress_and_nothing_else_and_keeps_nobody_waiting() {
        let ((asleep, wakes), (to_reader, read)) = (mpsc::channel::<()>(), mpsc::channel());
        let events = Events::to(
            (wakes, to_reader),
            |(wakes, to_reader), event| {
                // Asleep until the other end is dropped.
                let _ = wakes.recv();
                to_reader.send(event.what.clone()).unwrap();
                Ok(())
            },
            drop,
        );
        let note = |text: &str| What::Note { message: text.to_owned() };
        for elapsed in 0..1000 {
            events.send(event(progress(elapsed)));
        }
        events.send(event(note("first")));
        for elapsed in 1000..2000 {
            events.send(event(progress(elapsed)));
        }
        for what in [What::Switched, note("second")] {
            events.send(event(what));
        }
        drop(asleep);
        events.finish().unwrap();
        let mut seen: Vec<What> = read.into_iter().collect();
        // The one that was being shown when the reader fell asleep.
        if seen.len() == 5 {
            assert!(matches!(seen.remove(0), What::Progress(_)));
        }
        assert_eq!(seen, [note("first"), progress(1999), What::Switched, note("second")]);
    }

    #[test]
    fn a_wish_to_stop_is_answered_at_once_by_where_the_migration_is() {
        let (to_reader, read) = mpsc::channel();
        let show = |to_reader: &mut mpsc::Sender<What>, event: &Event| {
            to_reader.send(event.what.clone()).unwrap();
            Ok(())
        };
        let events = Events::to(to_reader, show, drop);
        let wish = events.wish_to_stop("m-1", || Timestamp(0));
        assert!(wish(), "nobody has sent anything yet, and nobody waits for the engine");
        events.send(event(What::Switched));
        assert!(!wish());
        events.finish().unwrap();
        let stopping = What::Stopping { why: "interrupted".into(), by_signal: true };
        let late = What::Note { message: TOO_LATE.into() };
        assert_eq!(read.into_iter().collect::<Vec<_>>(), [stopping, What::Switched, late]);
    }

    #[test]
    fn what_cannot_be_shown_at_the_end_is_told() {
        let events = Events::to((), |(), _| Err(StdoutError(io::Error::from(io::ErrorKind::StorageFull))), drop);
        events.send(event(What::Switched));
        assert_eq!(events.finish().unwrap_err().to_string(), "cannot write to stdout");
    }
}
