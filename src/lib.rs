#![doc = include_str!("ARCHITECTURE.md")]

pub mod cli;
pub mod commands;
pub mod domain;
pub mod drain;
pub mod facts;
pub mod journal;
pub mod libvirt;
pub mod migration;
pub mod model;
pub mod nova;
pub mod openstack;
pub mod output;
pub mod plan;
pub mod preflight;
pub mod proof;
pub mod text;
