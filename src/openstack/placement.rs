//! Placement's API: what the service holds of a compute host.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::compute::{query, segment};
use super::error::{ApiError, Cause};
use super::session::Session;
use crate::model::both::both;
use crate::model::snapshot::HeldProvider;

#[derive(Debug, Deserialize)]
struct Providers {
    resource_providers: Vec<Named>,
}

#[derive(Debug, Deserialize)]
struct Named {
    uuid: String,
    name: String,
}

#[derive(Debug, Deserialize)]
struct Inventories {
    inventories: BTreeMap<String, Inventory>,
}

#[derive(Debug, Deserialize)]
struct Inventory {
    total: u64,
    #[serde(default)]
    reserved: u64,
    allocation_ratio: f64,
}

#[derive(Debug, Deserialize)]
struct Usages {
    usages: BTreeMap<String, u64>,
}

/// What a host has too little of for a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Lack {
    /// The resource class.
    pub class: String,
    /// How much the server has set aside where it is.
    pub needed: u64,
    /// How much is free on the host.
    pub free: u64,
}

/// What every server takes of its host itself; other classes may be those of devices or of shared storage.
const OF_HOSTS: [&str; 4] = ["VCPU", "PCPU", "MEMORY_MB", "DISK_GB"];

#[derive(Debug, Deserialize)]
struct Traits {
    traits: BTreeSet<String>,
}

#[derive(Debug, Deserialize)]
struct Allocations {
    allocations: BTreeMap<String, Allocation>,
}

#[derive(Debug, Deserialize)]
struct Allocation {
    resources: BTreeMap<String, u64>,
}

impl Inventory {
    /// How much may be set aside in all, as Placement reckons it.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        clippy::cast_sign_loss,
        reason = "Placement multiplies and truncates the same way"
    )]
    fn most(&self) -> u64 {
        (self.total.saturating_sub(self.reserved) as f64 * self.allocation_ratio) as u64
    }
}

/// Placement's API over a session.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Placement<'s> {
    session: &'s Session,
}

impl<'s> Placement<'s> {
    /// Placement of this cloud.
    pub(crate) const fn new(session: &'s Session) -> Self {
        Self { session }
    }

    /// The providers of the compute host with this name, its own first; none when Placement knows no such host.
    pub(crate) fn of_host(self, name: &str) -> Result<Vec<HeldProvider>, ApiError> {
        let doing = format!("cannot read what Placement holds of {name}");
        let root: Providers = self.get(&doing, &format!("/resource_providers?name={}", query(name)))?;
        let Some(root) = root.resource_providers.into_iter().find(|one| one.name == name) else {
            return Ok(Vec::new());
        };
        let tree: Providers = self.get(&doing, &format!("/resource_providers?in_tree={}", query(&root.uuid)))?;
        let mut held = Vec::new();
        for Named { uuid, name } in tree.resource_providers {
            let path = format!("/resource_providers/{}", segment(&uuid));
            let Inventories { inventories } = self.get(&doing, &format!("{path}/inventories"))?;
            let Traits { traits } = self.get(&doing, &format!("{path}/traits"))?;
            let Allocations { allocations } = self.get(&doing, &format!("{path}/allocations"))?;
            held.push(HeldProvider {
                provider: name,
                uuid,
                totals: inventories.into_iter().map(|(class, inventory)| (class, inventory.total)).collect(),
                traits,
                allocations: allocations.into_iter().map(|(consumer, of)| (consumer, of.resources)).collect(),
            });
        }
        held.sort_by(|a, b| (a.provider != root.name, &a.provider).cmp(&(b.provider != root.name, &b.provider)));
        Ok(held)
    }

    /// What the host with this name has too little of for the server: then the scheduler finds no host.
    pub(crate) fn lacks(self, server: &str, host: &str) -> Result<Vec<Lack>, ApiError> {
        let doing = format!("cannot read what Placement has free on {host}");
        let ask = || -> Result<(Inventories, Usages), ApiError> {
            let found: Providers = self.get(&doing, &format!("/resource_providers?name={}", query(host)))?;
            let Some(found) = found.resource_providers.into_iter().find(|one| one.name == host) else {
                return Err(ApiError::new(&doing, Cause::Absent, "Placement has no such host"));
            };
            let path = format!("/resource_providers/{}", segment(&found.uuid));
            let (inventories, usages) = both(
                || self.get(&doing, &format!("{path}/inventories")),
                || self.get(&doing, &format!("{path}/usages")),
            );
            Ok((inventories?, usages?))
        };
        let (there, needed) = both(ask, || self.get(&doing, &format!("/allocations/{}", segment(server))));
        let ((Inventories { inventories }, Usages { usages }), needed) = (there?, needed?);
        let Allocations { allocations } = needed;
        let mut lacks = Vec::new();
        for class in OF_HOSTS {
            let needed: u64 = allocations.values().filter_map(|of| of.resources.get(class)).sum();
            // Where the host itself has none, others may: storage that is shared.
            let Some(inventory) = inventories.get(class).filter(|_| needed > 0) else { continue };
            let free = inventory.most().saturating_sub(usages.get(class).copied().unwrap_or(0));
            if needed > free {
                lacks.push(Lack { class: class.to_owned(), needed, free });
            }
        }
        Ok(lacks)
    }

    fn get<T: DeserializeOwned>(self, doing: &str, path: &str) -> Result<T, ApiError> {
        let body = self.session.get_placement(doing, path)?;
        let wrong =
            |error| ApiError::new(doing, Cause::Unsuitable, format!("Placement's answer is not as expected: {error}"));
        serde_json::from_value(body).map_err(wrong)
    }
}
