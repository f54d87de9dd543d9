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
mod network;
mod placement;
mod secret;
mod session;
mod version;

#[cfg(test)]
#[cfg(feature = "openstack")]
mod session_tests;
#[cfg(test)]
#[cfg(feature = "openstack")]
mod stand;

pub(crate) use access::{Access, AccessError};
pub(crate) use compute::{Compute, Hypervisor, Migration, Server, Stage};
pub(crate) use environment::find;
pub(crate) use error::{ApiError, Cause};
pub(crate) use network::LeftBinding;
pub(crate) use placement::{Lack, Placement};
pub(crate) use session::Session;
