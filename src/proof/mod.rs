//! Did the state of the guest's devices arrive? libvirt reports success when the destination's driver failed to load it, so
//! the answer is put together from what the hosts have written.

pub mod verdict;

pub use verdict::Verdict;
