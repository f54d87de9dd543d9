//! Nova's own answer: its pools, filters, greedy claim and live-migration pre-check, in its order.
//!
//! Where Nova's bookkeeping has a known defect (a PF lost after a failed claim) pvm restores what was taken; verdicts and
//! device choices are Nova's.

pub(crate) mod claim;
pub(crate) mod filters;
pub(crate) mod pools;
pub(crate) mod precheck;

pub(crate) use claim::Tracker;
pub(crate) use filters::{Cells, Request};
pub(crate) use pools::{Pools, Tracked};
