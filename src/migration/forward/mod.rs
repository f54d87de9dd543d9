//! Moving one guest: the phases, what undoes them, and what is said on the way.
//!
//! [`step`] decides what comes next and is pure; [`engine`] does it and tells [`event`]s. What a migration that lost its pvm
//! needs is decided elsewhere, from the journal.

mod cancelled;
pub mod engine;
#[cfg(test)]
pub(crate) mod engine_tests;
pub mod event;
pub mod lookup;
mod marking;
pub mod order;
mod passes;
mod perform;
mod ports;
mod raise;
mod stall;
#[cfg(test)]
mod stall_tests;
pub mod step;
#[cfg(test)]
mod step_tests;
pub mod way;
mod words;

pub use engine::{Ended, Hosts, Line, Note, Prover, run};
pub use event::{Conclusion, Event, Progress, What};
pub use order::Order;
pub use raise::{LONGEST_RAISED_MS, RAISED};
pub use step::Phase;
pub use words::taken_device;
