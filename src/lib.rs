//! pvm moves running virtual machines that own SR-IOV virtual functions between KVM hosts, and tells the truth about whether
//! it can before it tries. It is OpenStack Nova's specification "live migrate VFIO devices using kernel variant drivers" as
//! one binary.
//!
//! ```text
//! nova.conf / YAML ──► config ──┐
//! sysfs, VFIO, debugfs ─────────┼─► snapshot of a host ─┐
//! libvirt (local or remote) ────┘                       ├─► plan ─► preflight report ─► engine ─► libvirt
//!                                snapshot of the other ─┘
//! ```
//!
//! A [`snapshot::Snapshot`] is one serialisable value. Planner, checks and the XML rewriter are pure functions of two of
//! them, so a plan can be made offline, reviewed and executed exactly as reviewed. Reading hosts (`inventory`, `host`),
//! talking to libvirt (`hypervisor`) and printing (`output`) are the thin edges; `commands` glues them together.

pub mod cli;
pub mod commands;
pub mod config;
pub mod domain;
pub mod finding;
pub mod host;
pub mod hypervisor;
pub mod inventory;
pub mod journal;
pub mod migrate;
pub mod outcome;
pub mod output;
pub mod pci;
pub mod plan;
pub mod preflight;
pub mod proof;
pub mod recover;
pub mod snapshot;
pub mod source;
pub mod time;
