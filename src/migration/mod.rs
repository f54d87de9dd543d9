//! Moving one guest, and every way in which it can end.
//!
//! A migration goes [`forward`] until libvirt's call has returned. From there it is brought to its end by [`finish`], which is
//! the same code for a migration whose pvm died: look at both hosts, take the row of the [`table`], do it, record it.
//! A guest of Nova goes through [`nova`], whose end only looks. [`answer`] turns what the hosts say into the columns of the table; [`step`](steps) is one change to a host as a value.

pub mod action;
pub mod answer;
pub mod cancel;
pub mod downtime;
pub mod ending;
pub mod event;
pub mod finish;
pub mod forward;
pub mod ground;
pub mod look;
pub mod lookup;
pub mod mark;
pub mod nova;
pub mod orders;
pub mod port;
mod rehearsal;
pub mod situation;
pub mod steps;
pub mod table;
pub mod taken;
pub mod way;
pub mod words;

#[cfg(test)]
pub(crate) mod bench;
#[cfg(test)]
mod end_tests;
#[cfg(test)]
mod finish_tests;
#[cfg(test)]
mod table_tests;
