//! Threads that make the calls of [`bounded`](super::bounded), kept for the next one.

use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

pub(super) type Work = Box<dyn FnOnce() + Send>;

/// Workers that have nothing to do.
static IDLE: Mutex<Vec<Sender<Work>>> = Mutex::new(Vec::new());

thread_local! {
    /// The flag of the call that this worker makes.
    static ALIVE: RefCell<Option<Arc<AtomicBool>>> = const { RefCell::new(None) };
}

/// Says that a call which consists of many goes on: its deadline begins anew.
pub(super) fn sign_of_life() {
    ALIVE.with_borrow(|alive| {
        if let Some(alive) = alive {
            alive.store(true, Ordering::Relaxed);
        }
    });
}

/// Runs `call` as one that shows its signs of life here.
pub(super) fn alive<T>(flag: Arc<AtomicBool>, call: impl FnOnce() -> T) -> T {
    ALIVE.set(Some(flag));
    let answer = call();
    ALIVE.set(None);
    answer
}

/// Drops a value that may ask its daemon while it goes, and waits a moment for that.
pub(super) fn let_go(value: impl Send + 'static, limit: Duration) {
    let (done, waiting) = mpsc::channel::<()>();
    in_worker(Box::new(move || {
        drop(value);
        drop(done);
    }));
    // Whether it has gone or is stuck, nothing depends on it any more.
    let _ = waiting.recv_timeout(limit);
}

/// Has a worker do this, an idle one where there is one.
pub(super) fn in_worker(work: Work) {
    let idle = IDLE.lock().unwrap_or_else(PoisonError::into_inner).pop();
    let work = match idle {
        Some(worker) => match worker.send(work) {
            Ok(()) => return,
            Err(mpsc::SendError(work)) => work,
        },
        None => work,
    };
    let spawned = std::thread::Builder::new().name("libvirt-call".into()).spawn(move || {
        let (sender, receiver) = mpsc::channel::<Work>();
        let mut work = Some(work);
        while let Some(next) = work {
            next();
            IDLE.lock().unwrap_or_else(PoisonError::into_inner).push(sender.clone());
            work = receiver.recv().ok();
        }
    });
    // Without a thread the call is lost, which its caller sees as no answer.
    drop(spawned);
}
