//! Planning: which device of the destination each host device of a guest gets. Pure functions of two snapshots.
//!
//! [`Planner`] is prepared once for two hosts and then plans any number of guests. Nova's own answer ([`crate::nova::scheduler`]) is computed
//! beside pvm's: Nova takes the first devices that fit a request, pvm finds a map whenever there is one ([`matching`]) and
//! takes only devices that can continue where the guest's stand ([`pair`]).

pub(crate) mod candidates;
pub(crate) mod codes;
pub(crate) mod document;
pub(crate) mod fit;
pub(crate) mod instance;
pub(crate) mod kinds;
pub(crate) mod map;
pub(crate) mod matching;
pub(crate) mod memory;
pub(crate) mod pair;
mod places;
pub(crate) mod preconditions;
pub(crate) mod requests;
pub(crate) mod stored;

pub(crate) use candidates::{Known, Planner};
pub(crate) use instance::{InstancePlan, NovaAnswer, Role, Unmet, Wishes};
