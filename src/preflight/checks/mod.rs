//! The checks: of the hosts, of each device of the map, of the guest.

pub mod device;
pub mod guest;
pub mod host;
