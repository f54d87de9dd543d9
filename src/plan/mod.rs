//! Planning: which device of the destination each host device of a guest gets. Pure functions of two snapshots.
//!
//! [`Planner`] is prepared once for two hosts and then plans any number of guests. Nova's own answer ([`crate::nova::scheduler`]) is computed
//! beside pvm's: Nova takes the first devices that fit a request, pvm finds a map whenever there is one ([`matching`]) and
//! takes only devices that can continue where the guest's stand ([`pair`]).

pub mod candidates;
pub(crate) mod codes;
pub mod document;
pub mod fit;
pub mod instance;
pub mod kinds;
pub mod map;
pub mod matching;
pub mod memory;
pub mod pair;
mod places;
mod preconditions;
pub mod requests;
pub mod stored;

pub use candidates::{Known, Planner};
pub use instance::{InstancePlan, NovaAnswer, Role, Unmet, Wishes};
