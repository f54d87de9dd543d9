//! The plan of a drain in a file: saved for review, compared with what both ends say later, and carried out as it is or not at
//! all. As with the plan of a migration, nothing is taken from the file that pvm would not plan by itself, and the digest
//! guards against accidents only.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::document::{Drain, SCHEMA};
use crate::model::device_move::DeviceMove;
use crate::model::options::Options;
use crate::model::snapshot::{Domain, Snapshot};
use crate::plan::document::digest_of;
use crate::plan::preconditions::{Changed, changes, preconditions};

/// What the operator chose.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Choices {
    /// The host that is emptied.
    pub host: String,
    /// The hosts that guests may go to; none: those of pvm.yaml.
    pub to: Vec<String>,
    /// The guests that were chosen, when not all were.
    pub only: Vec<String>,
    /// The guests that were left out.
    pub except: Vec<String>,
    /// How many guests leave at once.
    pub parallel: u16,
    /// Checks that may fail.
    pub allow: Vec<String>,
    /// How each guest is migrated.
    pub options: Options,
}

/// The plan, as far as it is read back.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(crate) struct Saved {
    /// What the operator chose.
    pub choices: Choices,
    /// Who leaves.
    pub moves: Vec<SavedMove>,
    /// Who stays.
    pub stays: Vec<SavedStay>,
    /// Whether it was proved that no other plan moves more guests.
    pub is_proved: bool,
    /// The checksum of all of it.
    pub digest: String,
}

/// A guest that leaves.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(crate) struct SavedMove {
    /// Its name.
    pub guest: String,
    /// Its UUID.
    pub uuid: String,
    /// The name of the host it goes to.
    pub destination: String,
    /// With which devices.
    pub map: Vec<DeviceMove>,
    /// The facts that must still hold.
    pub preconditions: BTreeMap<String, String>,
}

/// A guest that stays.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(crate) struct SavedStay {
    /// Its name.
    pub guest: String,
    /// Its UUID.
    pub uuid: String,
}

/// Why a text is no plan of a drain that may be carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SavedError {
    /// Not a plan at all, or one of something else.
    #[error("it is not the plan of a drain (pvm drain --save-plan): {0}")]
    Malformed(String),
    /// It was changed after it was made.
    #[error("its digest does not fit: it was changed after it was made")]
    Digest,
}

/// The document of a plan, with what is needed to carry it out later.
pub(crate) fn seal(plan: &Drain, choices: &Choices, source: &Snapshot, hosts: &[Snapshot], now: &str) -> Value {
    let mut document = json!(plan);
    let moves = document["moves"].as_array_mut().into_iter().flatten();
    for (shown, leaving) in moves.zip(&plan.moves) {
        let nobody = Domain::default();
        let domain = source.domains.iter().find(|domain| domain.uuid == leaving.uuid).unwrap_or(&nobody);
        shown["preconditions"] = json!(preconditions(source, &hosts[leaving.at], domain, &leaving.map));
    }
    document["created_at"] = json!(now);
    document["choices"] = json!(choices);
    document["digest"] = json!(digest_of(document.clone()));
    document
}

impl Saved {
    /// Reads a plan and refuses one that was edited.
    pub(crate) fn parse(text: &str) -> Result<Self, SavedError> {
        let malformed = |error: serde_json::Error| SavedError::Malformed(error.to_string());
        let document: Value = serde_json::from_str(text).map_err(malformed)?;
        match document["schema"].as_str() {
            Some(SCHEMA) if document["digest"].is_string() => {}
            Some(SCHEMA) => return Err(SavedError::Malformed("it was printed, not saved".to_owned())),
            other => {
                let other = other.unwrap_or_default();
                return Err(SavedError::Malformed(format!("its schema is {other:?}, this pvm reads {SCHEMA}")));
            }
        }
        let digest = digest_of(document.clone());
        let saved: Self = serde_json::from_value(document).map_err(malformed)?;
        if saved.digest == digest { Ok(saved) } else { Err(SavedError::Digest) }
    }

    /// Where each guest goes, by its index among these, with the host's; or everything that is not as it was planned.
    pub(crate) fn holds(
        &self,
        source: &Snapshot,
        hosts: &[Snapshot],
        guests: &[usize],
    ) -> Result<Vec<(usize, usize)>, Vec<String>> {
        let (mut to, mut other) = (Vec::new(), Vec::new());
        let domain = |at: &usize| &source.domains[*at];
        for planned in &self.moves {
            let name = &planned.guest;
            let Some(guest) = guests.iter().position(|at| domain(at).uuid == planned.uuid) else {
                other.push(format!("{name} is not on {} any more, or does not run", source.host.name));
                continue;
            };
            let uuid = planned.preconditions.get("destination uuid");
            let is_planned = |host: &Snapshot| match (&host.host.uuid, uuid) {
                (Some(now), Some(then)) => now == then,
                _ => host.host.name == planned.destination,
            };
            let Some(host) = hosts.iter().position(is_planned) else {
                other.push(format!("{name}: {} is not among the destinations any more", planned.destination));
                continue;
            };
            let now = preconditions(source, &hosts[host], domain(&guests[guest]), &planned.map);
            let changed = changes(&planned.preconditions, &now);
            let line = |Changed { fact, was, is }: Changed| format!("{name}: {fact} was {was}, is {is}");
            other.extend(changed.into_iter().map(line));
            to.push((guest, host));
        }
        let planned: BTreeSet<&str> =
            self.moves.iter().map(|one| &*one.uuid).chain(self.stays.iter().map(|one| &*one.uuid)).collect();
        let is_new = |at: &&usize| !planned.contains(&*domain(at).uuid);
        other.extend(guests.iter().filter(is_new).map(|at| format!("{} is not in the plan", domain(at).name)));
        if other.is_empty() { Ok(to) } else { Err(other) }
    }
}
