//! OpenStack's APIs, as far as the migration of a guest that Nova owns needs them: Keystone for a token, Nova for the rest.
//!
//! [`Access`] is how the operator reaches a cloud, found as by every OpenStack client; [`Session`] sends requests with its
//! token; [`Compute`] has a method for each question to Nova.

mod access;
mod clouds;
mod compute;
mod environment;
mod error;
mod fields;
mod http;
mod keystone;
mod secret;
mod session;
mod version;

#[cfg(test)]
#[cfg(feature = "openstack")]
mod session_tests;
#[cfg(test)]
#[cfg(feature = "openstack")]
mod stand;

pub use access::{Access, AccessError};
pub use compute::{Compute, Hypervisor, Migration, Running, Server, Stage};
pub use environment::find;
pub use error::{ApiError, Cause};
pub use session::Session;
