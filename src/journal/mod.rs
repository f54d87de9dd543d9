//! The journal of migrations: what was going to be done, written before it was, so that a pvm that died can be followed.
//!
//! [`record`] is what a line says, [`text`] how it is written and read, [`state`] what the lines come to; all three are pure.
//! [`store`] keeps the files, [`lock`] keeps two pvm processes apart. One migration in short:
//!
//! ```no_run
//! use pvm::internals::journal::{Entry, Lock, Plan, Store, Subject};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let directory = std::path::Path::new("/var/lib/pvm");
//! let plan = Plan { id: "20261128-161200-0a1b2c".into(), ..Plan::default() };
//! let _guest = Lock::take(directory, &Subject::Guest(plan.instance.uuid.clone()), &format!("migration {}", plan.id))?;
//! let mut journal = Store::at(directory).create(plan)?; // no journal, no migration
//! journal.append(&Entry::Recheck)?; // on disk when it returns; the change comes after
//! # Ok(())
//! # }
//! ```

pub(crate) mod drains;
pub(crate) mod index;
pub(crate) mod lock;
pub(crate) mod mark;
pub(crate) mod record;
pub(crate) mod state;
pub(crate) mod store;
pub(crate) mod text;

mod claims;
mod fault;
#[cfg(test)]
mod store_tests;

pub(crate) use crate::model::device_move::{Action, DeviceMove, Instance};
pub(crate) use claims::{Claim, claims};
pub(crate) use drains::{ComputeService, DrainGuest, DrainRecord, Drains, Fate};
pub(crate) use lock::{Lock, LockError, Subject};
pub(crate) use mark::Mark;
pub(crate) use record::{Entry, Host, Keep, Managed, PerformIntent, Plan, Port, Receipt, Record, Side, Step};
pub(crate) use state::{Came, Last, PortState, State};
pub(crate) use store::{Journal, JournalError, Listed, Store, machine, new_id, now, state_directory};
pub(crate) use text::checksum;
