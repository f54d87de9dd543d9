//! Draining a host: one joint plan for all of its guests. A pure function of snapshots.
//!
//! `needs` asks preflight which guest fits which host alone, `capacity` says which guests fit a host together,
//! `assign` finds the assignment with which most guests leave, `timetable` when each move starts, and `document` is
//! what comes out. `policies` says who is not moved, or not there; a plan that was `saved` is compared with what is now. Every
//! planned move is judged by preflight once more, with the devices that the plan gives it.

pub(crate) mod assign;
pub(crate) mod capacity;
pub(crate) mod document;
pub(crate) mod needs;
pub(crate) mod plan;
pub(crate) mod policies;
mod room;
pub(crate) mod saved;
pub(crate) mod timetable;

pub(crate) use document::{Drain, Held, Leaving};
pub(crate) use plan::{Limits, again, plan};
