//! Nova's API: the servers, their migrations and the compute hosts.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::error::{ApiError, Cause};
use super::session::Session;
use crate::model::time::Timestamp;

/// A server, as far as pvm looks at it.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(crate) struct Server {
    /// Its UUID, which is libvirt's too.
    pub id: String,
    /// Its name, which others may have too.
    pub name: String,
    /// `ACTIVE`, `PAUSED`, `ERROR`, ….
    pub status: String,
    /// What Nova is doing with it; nothing when it is idle.
    #[serde(rename = "OS-EXT-STS:task_state")]
    pub task_state: Option<String>,
    /// The compute service that has it; only administrators see it.
    #[serde(rename = "OS-EXT-SRV-ATTR:host")]
    pub host: Option<String>,
    /// The name of its domain.
    #[serde(rename = "OS-EXT-SRV-ATTR:instance_name")]
    pub domain: Option<String>,
}

/// A compute host.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(crate) struct Hypervisor {
    /// What its libvirt calls it.
    pub hypervisor_hostname: String,
    /// `up` or `down`.
    pub state: String,
    /// `enabled` or `disabled`.
    pub status: String,
    /// The service on it.
    pub service: Service,
}

/// The compute service of a host.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(crate) struct Service {
    /// Its UUID.
    pub id: String,
    /// The name by which Nova knows the host.
    pub host: String,
    /// Why an administrator has disabled it.
    pub disabled_reason: Option<String>,
}

/// Nova's record of a migration.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(crate) struct Migration {
    /// Its number.
    pub id: u64,
    /// `accepted`, `queued`, `preparing`, `running`, `completed`, `error`, `failed`, `cancelled`, ….
    pub status: String,
    /// `live-migration` for those that pvm asks for.
    pub migration_type: String,
    /// Its UUID, under which Placement holds what it has set aside.
    pub uuid: String,
    /// When it was asked for, in UTC without a zone.
    pub created_at: String,
    /// Where the server comes from.
    pub source_compute: Option<String>,
    /// Where it goes; nothing while or because the scheduler has found no host.
    pub dest_compute: Option<String>,
}

/// How far a migration is, by its record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Nova is at it.
    UnderWay,
    /// Nova says that it has succeeded.
    Completed,
    /// Nova says that it has failed or was aborted.
    Failed,
}

impl Migration {
    /// When it was asked for.
    pub(crate) fn begun(&self) -> Option<Timestamp> {
        format!("{}Z", self.created_at.trim_end_matches('Z')).parse().ok()
    }

    /// How far it is. A word that is not known is no end.
    pub(crate) fn stage(&self) -> Stage {
        match self.status.as_str() {
            "completed" | "done" => Stage::Completed,
            "error" | "failed" | "cancelled" => Stage::Failed,
            _ => Stage::UnderWay,
        }
    }
}

/// A migration that runs, with its numbers, which are unknown at first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(crate) struct Running {
    /// The number of its record.
    pub id: u64,
    /// Memory to be sent in all.
    pub memory_total_bytes: Option<u64>,
    /// Memory still to be sent.
    pub memory_remaining_bytes: Option<u64>,
    /// Disks still to be sent.
    pub disk_remaining_bytes: Option<u64>,
}

/// Nova's API over a session.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Compute<'s> {
    pub(super) session: &'s Session,
    /// Whether a question that nobody answers is the caller's to ask again.
    once: bool,
}

impl<'s> Compute<'s> {
    /// Nova of this cloud.
    pub(crate) const fn new(session: &'s Session) -> Self {
        Self { session, once: false }
    }

    /// The same for a caller that goes on asking: an answer that does not come is not waited for twice.
    #[must_use]
    pub(crate) const fn asked_once(self) -> Self {
        Self { once: true, ..self }
    }

    fn get(self, doing: &str, path: &str) -> Result<Value, ApiError> {
        if self.once { self.session.get_once(doing, path) } else { self.session.get(doing, path) }
    }

    /// The server with this UUID; none when Nova has no such server, or does not show it to this user.
    pub(crate) fn server(self, uuid: &str) -> Result<Option<Server>, ApiError> {
        let doing = format!("cannot read server {uuid}");
        match self.session.get(&doing, &format!("/servers/{}", segment(uuid))) {
            Ok(mut body) => read(&doing, body.get_mut("server").map(Value::take)).map(Some),
            Err(error) if error.cause == Cause::Absent => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The servers with exactly this name, in every project.
    pub(crate) fn servers_named(self, name: &str) -> Result<Vec<Server>, ApiError> {
        let doing = format!("cannot find servers named {name}");
        // Nova takes a regular expression of its database, and its databases differ in what they escape: the answer is sifted.
        let path = format!("/servers/detail?all_tenants=1&name={}", query(&format!("^{}$", escaped(name))));
        let all: Vec<Server> = self.list(&doing, &path, "servers")?;
        Ok(all.into_iter().filter(|server| server.name == name).collect())
    }

    /// Every compute host.
    pub(crate) fn hypervisors(&self) -> Result<Vec<Hypervisor>, ApiError> {
        self.list("cannot list the compute hosts", "/os-hypervisors/detail", "hypervisors")
    }

    /// Whether Nova hears of the compute service with this name; none when there is no such service.
    pub(crate) fn is_up(self, host: &str) -> Result<Option<bool>, ApiError> {
        let doing = format!("cannot read the compute service of {host}");
        let path = format!("/os-services?binary=nova-compute&host={}", query(host));
        let body = self.get(&doing, &path)?;
        let state = body.pointer("/services/0/state").and_then(Value::as_str);
        Ok(state.map(|state| state == "up"))
    }

    /// The newest record of a migration of this server.
    pub(crate) fn last_migration(self, uuid: &str) -> Result<Option<Migration>, ApiError> {
        let doing = format!("cannot read the migrations of server {uuid}");
        let path = format!("/os-migrations?instance_uuid={}&limit=1", query(uuid));
        let mut body = self.get(&doing, &path)?;
        let all: Vec<Migration> = read(&doing, body.get_mut("migrations").map(Value::take))?;
        Ok(all.into_iter().next())
    }

    /// The records of migrations to or from this compute service, newest first, as many as one page has.
    pub(crate) fn migrations_of(self, host: &str) -> Result<Vec<Migration>, ApiError> {
        let doing = format!("cannot read the migrations of {host}");
        let mut body = self.get(&doing, &format!("/os-migrations?host={}", query(host)))?;
        read(&doing, body.get_mut("migrations").map(Value::take))
    }

    /// The numbers of the migration that runs; none when none does.
    pub(crate) fn running(self, uuid: &str) -> Result<Option<Running>, ApiError> {
        let doing = format!("cannot read the progress of server {uuid}");
        let mut body = self.get(&doing, &format!("/servers/{}/migrations", segment(uuid)))?;
        let all: Vec<Running> = read(&doing, body.get_mut("migrations").map(Value::take))?;
        Ok(all.into_iter().next())
    }

    /// Tells Nova to migrate the server to this host, past no rule of its scheduler; gives the id of the request.
    pub(crate) fn migrate(self, uuid: &str, host: &str) -> Result<Option<String>, ApiError> {
        let body = json!({"os-migrateLive": {"host": host, "block_migration": "auto"}});
        let doing = format!("cannot migrate server {uuid} to {host}");
        self.session.act(&doing, "POST", &format!("/servers/{}/action", segment(uuid)), Some(&body))
    }

    /// Tells Nova to abort the migration with this number.
    pub(crate) fn abort(self, uuid: &str, migration: u64) -> Result<(), ApiError> {
        let doing = format!("cannot abort migration {migration} of server {uuid}");
        let path = format!("/servers/{}/migrations/{migration}", segment(uuid));
        self.session.act(&doing, "DELETE", &path, None).map(drop)
    }

    /// Has Nova's scheduler use the service with this UUID no more, for this reason, or again.
    pub(crate) fn set_service(self, service: &str, disabled: Option<&str>) -> Result<(), ApiError> {
        let body = match disabled {
            Some(reason) => json!({"status": "disabled", "disabled_reason": reason}),
            None => json!({"status": "enabled"}),
        };
        let doing =
            format!("cannot {} compute service {service}", if disabled.is_some() { "disable" } else { "enable" });
        self.session.act(&doing, "PUT", &format!("/os-services/{}", segment(service)), Some(&body)).map(drop)
    }

    /// What Nova's services noted of a request that failed; empty when they noted nothing.
    pub(crate) fn reasons(self, uuid: &str, request: &str) -> Result<Vec<String>, ApiError> {
        let doing = format!("cannot read the events of request {request}");
        let path = format!("/servers/{}/os-instance-actions/{}", segment(uuid), segment(request));
        let body = self.session.get(&doing, &path)?;
        let events = body.pointer("/instanceAction/events").and_then(Value::as_array);
        let text = |event: &Value| {
            let failed = event.get("result").is_some_and(|result| result == "Error");
            event.get("details").and_then(Value::as_str).filter(|_| failed).map(|text| text.trim().to_owned())
        };
        Ok(events.into_iter().flatten().filter_map(text).filter(|text| !text.is_empty()).collect())
    }

    /// Whether Placement still has resources set aside for this migration.
    pub(crate) fn has_allocation(self, migration: &Migration) -> Result<bool, ApiError> {
        let doing = format!("cannot read the allocations of migration {}", migration.id);
        let body = self.session.get_placement(&doing, &format!("/allocations/{}", segment(&migration.uuid)))?;
        Ok(body.get("allocations").and_then(Value::as_object).is_some_and(|held| !held.is_empty()))
    }

    fn list<T: DeserializeOwned>(self, doing: &str, path: &str, key: &str) -> Result<Vec<T>, ApiError> {
        read(doing, Some(Value::Array(self.session.list(doing, path, key)?)))
    }
}

fn read<T: DeserializeOwned>(doing: &str, value: Option<Value>) -> Result<T, ApiError> {
    serde_json::from_value(value.unwrap_or_default())
        .map_err(|error| ApiError::new(doing, Cause::Unsuitable, format!("Nova's answer is not as expected: {error}")))
}

/// A text as one segment of a path.
pub(super) fn segment(text: &str) -> String {
    query(text)
}

/// A text as a value in a URL.
pub(super) fn query(text: &str) -> String {
    use std::fmt::Write as _;
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'~') {
            encoded.push(char::from(byte));
        } else {
            // Writing to a string does not fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

/// A text whose characters mean themselves in a regular expression.
fn escaped(text: &str) -> String {
    let mut all = String::new();
    for character in text.chars() {
        if !character.is_alphanumeric() && !matches!(character, '-' | '_' | ' ') && character.is_ascii() {
            all.push('\\');
        }
        all.push(character);
    }
    all
}
