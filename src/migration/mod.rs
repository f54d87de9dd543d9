//! Moving one guest, and every way in which it can end.
//!
//! A migration goes [`forward`] until libvirt's call has returned. From there it is brought to its end by [`finish`], which is
//! the same code for a migration whose pvm died: look at both hosts, take the row of the [`table`], do it, record it.
//! A guest of Nova goes through [`nova`], whose end only looks. [`answer`] turns what the hosts say into the columns of the table; [`step`](steps) is one change to a host as a value.

pub(crate) mod action;
pub(crate) mod answer;
pub(crate) mod cancel;
pub(crate) mod downtime;
pub(crate) mod ending;
pub(crate) mod event;
pub(crate) mod finish;
pub(crate) mod forward;
pub(crate) mod ground;
pub(crate) mod look;
pub(crate) mod lookup;
pub(crate) mod mark;
pub(crate) mod nova;
pub(crate) mod orders;
pub(crate) mod port;
mod rehearsal;
pub(crate) mod situation;
pub(crate) mod steps;
pub(crate) mod table;
pub(crate) mod taken;
pub(crate) mod way;
pub(crate) mod words;

#[cfg(test)]
pub(crate) mod bench;
#[cfg(test)]
mod end_tests;
#[cfg(test)]
mod finish_tests;
#[cfg(test)]
mod table_tests;
