//! The operator's cloud, for the commands that ask Nova.

use super::hosts::Hosts;
use super::{Context, Stop};
use crate::journal::Managed;
use crate::openstack::{self, Access, AccessError, ApiError, Cause, Session};

/// The operator's cloud.
pub(super) fn find(context: &Context, hosts: &Hosts) -> Result<Option<Access>, Stop> {
    let named = context.global.os_cloud.as_deref().or(hosts.options.settings.nova.cloud.as_deref());
    openstack::find(named).map_err(|error| match error {
        AccessError::Wrong(_) => Stop::usage(error.to_string()),
        AccessError::Absent(_) => Stop::unknown(error.to_string()),
    })
}

/// A session with the operator's cloud.
pub(super) fn open(access: Access) -> Result<Session, Stop> {
    Session::open(access).map_err(|error| stop(&error))
}

/// Nothing was changed by a question; what was refused for good is a refusal.
pub(super) fn stop(error: &ApiError) -> Stop {
    match error.cause {
        Cause::Forbidden | Cause::Conflict | Cause::Refused => Stop::refused(error.to_string()),
        _ => Stop::unknown(error.to_string()),
    }
}

/// A session with the cloud of a migration that is on record.
pub(super) fn session_of(context: &Context, hosts: &Hosts, managed: &Managed) -> Result<Session, Stop> {
    let named = context.global.os_cloud.as_deref().or(managed.cloud.as_deref());
    let found = match named {
        Some(name) => openstack::find(Some(name)).map_err(|error| Stop::unknown(error.to_string()))?,
        None => find(context, hosts)?,
    };
    let access = found.ok_or_else(|| {
        Stop::unknown(
            "Nova makes this migration, and no cloud is described: set OS_* as for the migration, or --os-cloud",
        )
    })?;
    open(access)
}
