//! What Nova leaves wrong after a migration, each in words that follow "but", with the command that sets it right.

use crate::model::both::both;
use crate::model::paste::quoted;
use crate::openstack::{ApiError, Compute, LeftBinding, Migration, Server, Stage};

/// What Nova has wrong of a server whose guest runs on this host, which both hypervisors say. Each in words that follow "but",
/// with the command that sets it right.
pub(super) fn of_server(server: &Server, host: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    if server.status == "ERROR" {
        let uuid = quoted(&server.id);
        wrong.push(format!(
            "Nova shows the server in ERROR although the guest runs; to reset that: openstack server set --state active {uuid}"
        ));
    }
    if let Some(named) = server.host.as_deref().filter(|named| *named != host) {
        wrong.push(format!("Nova says that it is on {named}"));
    }
    if let Some(task) = &server.task_state {
        wrong.push(format!("Nova is still at it (task_state {task})"));
    }
    wrong
}

/// What Nova, Placement and Neutron have wrong of this server, whose guest runs on the host with this compute service; and what of it
/// could not be asked.
pub(crate) fn behind(nova: Compute<'_>, uuid: &str, host: &str) -> Result<(Vec<String>, Option<String>), ApiError> {
    let Some(server) = nova.server(uuid)? else {
        return Ok((vec!["Nova has no such server".to_owned()], None));
    };
    let mut wrong = of_server(&server, host);
    let Some(last) = nova.last_migration(uuid)? else { return Ok((wrong, None)) };
    match last.stage() {
        Stage::UnderWay => {
            let status = &last.status;
            wrong.push(format!("Nova's record of migration {} says {status}, and libvirt has no job", last.id));
            Ok((wrong, None))
        }
        Stage::Completed | Stage::Failed => {
            let (held, bound) = of_services(nova, uuid, &last);
            let unknown: Vec<String> =
                [held.as_ref().err(), bound.as_ref().err()].into_iter().flatten().map(ToString::to_string).collect();
            wrong.extend(held.into_iter().flatten().chain(bound.into_iter().flatten()));
            Ok((wrong, (!unknown.is_empty()).then(|| unknown.join("; "))))
        }
    }
}

/// What Placement and Neutron still hold for a migration of this server that is over.
pub(super) fn of_services(
    nova: Compute<'_>,
    uuid: &str,
    migration: &Migration,
) -> (Result<Option<String>, ApiError>, Result<Vec<String>, ApiError>) {
    both(|| of_placement(nova, migration), || of_neutron(nova, uuid))
}

/// Bindings of ports to a host where the server is not: they are in the way of its next migration.
fn of_neutron(nova: Compute<'_>, uuid: &str) -> Result<Vec<String>, ApiError> {
    let text = |left: LeftBinding| {
        let port = quoted(&left.port);
        format!(
            "Neutron still has an inactive binding of port {} to {}; to remove it, on Neutron's controller: \
             neutron-remove-duplicated-port-bindings --port {port}",
            left.port, left.host
        )
    };
    Ok(nova.inactive_bindings(uuid)?.into_iter().map(text).collect())
}

/// What Placement still holds for a migration that is over.
fn of_placement(nova: Compute<'_>, migration: &Migration) -> Result<Option<String>, ApiError> {
    let text = || {
        format!(
            "Placement still has resources set aside for migration {}, which is over; to give them back: \
             openstack resource provider allocation delete {}",
            migration.id,
            quoted(&migration.uuid)
        )
    };
    nova.has_allocation(migration).map(|held| held.then(text))
}
