//! The operator's cloud, for the commands that ask Nova.

use super::hosts::Hosts;
use super::{Context, Stop};
use crate::journal::Managed;
use crate::openstack::{self, Access, AccessError, ApiError, Cause, Compute, Hypervisor, Server, Session};

/// The operator's cloud.
pub(super) fn find(hosts: &Hosts) -> Result<Option<Access>, Stop> {
    openstack::find(hosts.options.settings.nova.cloud.as_deref()).map_err(|error| match error {
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

/// The cloud that is on record by this name, or came from the environment.
pub(super) fn find_again(context: &Context, hosts: &Hosts, cloud: Option<&str>) -> Result<Option<Access>, Stop> {
    match context.global.os_cloud.as_deref().or(cloud) {
        Some(name) => openstack::find(Some(name)).map_err(|error| Stop::unknown(error.to_string())),
        None => find(hosts),
    }
}

/// A session with the cloud of a migration that is on record.
pub(super) fn session_of(context: &Context, hosts: &Hosts, managed: &Managed) -> Result<Session, Stop> {
    let access = find_again(context, hosts, managed.cloud.as_deref())?.ok_or_else(|| {
        Stop::unknown(
            "Nova makes this migration, and no cloud is described: set OS_* as for the migration, or --os-cloud",
        )
    })?;
    open(access)
}

/// The UUID of the server that has this name in Nova only, as one that was renamed since it booted; none where no cloud is
/// described or Nova knows no such name.
pub(super) fn uuid_of(hosts: &Hosts, name: &str) -> Result<Option<String>, Stop> {
    let Some(access) = find(hosts)? else { return Ok(None) };
    let session = open(access)?;
    let mut named = Compute::new(&session).servers_named(name).map_err(|error| stop(&error))?;
    match named.len() {
        0 => Ok(None),
        1 => Ok(named.pop().map(|server| server.id)),
        _ => Err(Stop::refused(several(name, &named))),
    }
}

/// That several servers have this name.
pub(super) fn several(name: &str, servers: &[Server]) -> String {
    let place = |one: &Server| format!("{} on {}", one.id, one.host.as_deref().unwrap_or("no host"));
    let list: Vec<String> = servers.iter().map(place).collect();
    format!("{} servers are named {name}: {}; give the UUID", servers.len(), list.join(", "))
}

/// The compute host that libvirt knows by this name.
pub(super) fn of_hypervisor<'h>(hypervisors: &'h [Hypervisor], name: &str) -> Option<&'h Hypervisor> {
    hypervisors.iter().find(|one| one.hypervisor_hostname == name)
}
