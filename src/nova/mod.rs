//! Everything in pvm that must equal Nova: Python's words and regular expressions, oslo.config's files, the `[pci]`
//! configuration with the lints on it, the tags of devices, the scheduler's pools and filters, and Placement's names.

pub mod config;
pub mod lints;
pub mod oslo;
pub mod placement;
pub mod python;
pub mod scheduler;
pub mod tagging;
