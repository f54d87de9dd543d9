//! Nova's own answer: its pools, filters, greedy claim and live-migration pre-check, in its order.
//!
//! Where Nova's bookkeeping has a known defect (a PF lost after a failed claim) pvm restores what was taken; verdicts and
//! device choices are Nova's.

pub mod claim;
pub mod filters;
pub mod pools;
pub mod precheck;

pub use claim::{Claimed, Status, Tracker};
pub use filters::{Cells, Request};
pub use pools::{Pool, Pools, Tracked};
