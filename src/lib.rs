#![doc = include_str!("ARCHITECTURE.md")]

mod cli;
mod commands;
mod domain;
mod drain;
mod facts;
mod journal;
mod libvirt;
mod migration;
mod model;
mod nova;
mod openstack;
mod output;
mod plan;
mod preflight;
mod proof;
mod text;

pub use commands::main;

// The generators of tests/ name what they use as from outside.
#[cfg(test)]
extern crate self as pvm;

#[doc(hidden)]
pub mod internals;
