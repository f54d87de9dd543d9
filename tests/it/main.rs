//! Every integration test, in one program: pvm is linked once, and what the tests share is compiled once.
//!
//! - One test: `cargo test --test it NAME`; a part of the name will do. One module: `cargo test --test it preflight::`.
//! - Their names: `cargo test --test it -- --list`.
//! - Without the two real libvirt hosts, as somebody who is not root: `cargo test --test it -- --skip two_hosts::`; those
//!   alone: `cargo test --test it two_hosts::`.
//! - All of them and the unit tests, to the end, with a line per group: `make test`.
//!
//! Tests of one program run at the same time, so none may change what they share: the working directory, the environment,
//! a file outside of its own directory. pvm is started by [`program`] alone, away from the machine's own state; two hosts
//! stand in namespaces and a directory of their own ([`two_hosts`]).

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    unreachable_pub,
    reason = "a test runs programs, reads files, prints tables and stops at the first surprise"
)]

mod cases;
mod documents;
mod program;
mod tree;

mod binary;
mod check_config;
mod circles;
mod claims;
mod completion;
mod config_properties;
mod contributing;
mod drain;
mod fleet;
#[path = "../fleet/mod.rs"]
mod fleets;
mod generated;
mod history;
mod hostile_inputs;
mod inventory;
mod layering;
mod libvirt_only;
mod licences;
mod matrix;
mod mismatch;
mod nova;
mod packaging;
mod preflight;
mod recover;
mod remedies;
mod runner;
mod saved_plan;
mod schemas;
mod two_hosts;
