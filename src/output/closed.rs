//! Whether stdout was closed when the process began. Rust's runtime opens `/dev/null` in place of a closed one before `main`, so
//! that output would be lost without a word.

#![expect(unsafe_code, reason = "only what runs before the runtime sees a closed descriptor")]

use std::io;
use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicBool, Ordering};

static IS_CLOSED: AtomicBool = AtomicBool::new(false);

extern "C" fn look() {
    // SAFETY: the descriptor is only asked about, and that it may not be open is the question.
    let stdout = unsafe { BorrowedFd::borrow_raw(1) };
    if rustix::io::fcntl_getfd(stdout).is_err() {
        IS_CLOSED.store(true, Ordering::Relaxed);
    }
}

// SAFETY: the loader calls the functions of this section before the runtime begins; this one makes one system call.
#[used]
#[unsafe(link_section = ".init_array")]
static LOOK: extern "C" fn() = look;

/// An error where there is no stdout to write to.
pub(crate) fn stdout() -> io::Result<()> {
    if IS_CLOSED.load(Ordering::Relaxed) { Err(io::Error::other("it is closed")) } else { Ok(()) }
}
