//! Tests with two real libvirt daemons and real QEMU guests. They need root and the packages that
//! `tests/two-hosts/two-hosts install` installs; a missing part is a failure. Each test has two hosts of its own, so that
//! several run at the same time.

mod harness;
mod hold;
mod outcome;
mod running;

mod ansible;
mod drain;
mod faults;
mod hung;
mod moves;
mod options;
mod predictions;
mod rehearsal;
// The hook that ends pvm at a record is not in release builds.
#[cfg(debug_assertions)]
mod attacked;
#[cfg(debug_assertions)]
mod recover;
#[cfg(debug_assertions)]
mod table;
