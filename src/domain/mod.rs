//! libvirt's domain XML: what a guest holds, and its text with other host devices.
//!
//! Reads what planner and checks need and refuses to know the rest of libvirt's schema. Nothing is ever serialised from a
//! tree: a rewritten document is the original text with splices.

pub mod element;
pub mod guest;
pub mod owners;
pub mod qemu_files;
pub mod read;
pub mod rewrite;
mod xml;

pub use xml::XmlError;
