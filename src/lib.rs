//! pvm moves running virtual machines that own SR-IOV virtual functions between KVM hosts, and tells the truth about whether
//! it can before it tries. It is OpenStack Nova's specification "live migrate VFIO devices using kernel variant drivers" as
//! one binary.
//!
//! ```text
//! nova.conf / YAML ──► nova ────┐
//! sysfs, VFIO, debugfs ─────────┼─► snapshot of a host ─┐
//! libvirt (local or remote) ────┘                       ├─► plan ─► preflight report ─► migration ─► libvirt
//!                                snapshot of the other ─┘
//! ```
//!
//! A [`model::snapshot::Snapshot`] is one serialisable value. Planner, checks and the XML rewriter are pure functions of two
//! of them, so a plan can be made offline, reviewed and executed exactly as reviewed. Reading hosts (`facts`), talking to
//! libvirt (`libvirt`) and printing (`output`) are the thin edges; `commands` glues them together.

pub mod cli;
pub mod commands;
pub mod domain;
pub mod facts;
pub mod journal;
pub mod libvirt;
pub mod migration;
pub mod model;
pub mod nova;
pub mod output;
pub mod plan;
pub mod preflight;
pub mod proof;
pub mod text;
