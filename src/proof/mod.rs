//! Did the state of the guest's devices arrive? libvirt reports success when the destination's driver failed to load it, so
//! the answer is put together from what the hosts have written.
//!
//! `verified` needs all of: (a) QEMU's log on the destination, complete from the start of this guest's process, dated inside
//! this migration and read after the guest was resumed; (b) no line in it that means a loss, see [`messages`]; (c) device
//! state was sent; (d) the kernel logged no error for the device or its physical function. A line that means a loss makes it
//! `lost`; whatever else is missing makes it `not verified`, with the reason.
//!
//! [`device`], [`evidence`], [`messages`] and [`prove`] are pure; [`collect`] reads the logs of this host.

pub(crate) mod collect;
pub(crate) mod device;
pub(crate) mod evidence;
pub(crate) mod messages;
pub(crate) mod prove;
pub(crate) mod verdict;

pub(crate) use device::Device;
pub(crate) use evidence::Evidence;
pub(crate) use prove::{Question, Received, arrived, never_ran, stayed};
pub(crate) use verdict::Verdict;
