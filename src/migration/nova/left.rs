//! What Nova leaves wrong after a migration, each in words that follow "but", with the command that sets it right.

use crate::model::paste::quoted;
use crate::openstack::{ApiError, Compute, Migration, Server, Stage};

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

/// What Nova and Placement have wrong of this server, whose guest runs on the host with this compute service; and what of it
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
            let held = of_placement(nova, &last);
            let unknown = held.as_ref().err().map(ToString::to_string);
            wrong.extend(held.unwrap_or_default());
            Ok((wrong, unknown))
        }
    }
}

/// What Placement still holds for a migration that is over.
pub(super) fn of_placement(nova: Compute<'_>, migration: &Migration) -> Result<Option<String>, ApiError> {
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
