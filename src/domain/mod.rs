//! libvirt's domain XML: what a guest holds, and its text with other host devices.
//!
//! Reads what planner and checks need and refuses to know the rest of libvirt's schema. Nothing is ever serialised from a
//! tree: a rewritten document is the original text with splices.

pub(crate) mod element;
pub(crate) mod guest;
pub(crate) mod owners;
pub(crate) mod qemu_files;
pub(crate) mod read;
pub(crate) mod rewrite;
mod xml;

pub(crate) use xml::XmlError;
