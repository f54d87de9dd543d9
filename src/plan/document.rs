//! The plan as a document, `pvm.plan/1`: made offline, reviewed, saved, and executed exactly as reviewed or refused.
//!
//! To execute a plan is to make it again from what the operator chose (guest, hosts, requests, parameters) and its map,
//! with every check, and to compare: whatever differs is named, and the plan refused. So nothing is taken from the file
//! that pvm would not do by itself; the preconditions let it say which fact has changed, and the XML is for eyes. The
//! digest has no key: it tells that a file was damaged or edited by accident, no more.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::preconditions::{Changed, changes, preconditions, sha256};
use crate::domain::XmlError;
use crate::domain::rewrite::{Interfaces, rewrite, rewrite_persistent};
use crate::model::device_move::{Action, DeviceMove, Instance};
use crate::model::options::Options;
use crate::model::pci::PciAddress;
use crate::model::snapshot::{Domain, Snapshot};
use crate::nova::scheduler::Request;

/// The schema this build writes and reads.
pub(crate) const SCHEMA: &str = "pvm.plan/1";

/// One migration as it was planned.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Plan {
    /// [`SCHEMA`].
    pub schema: String,
    /// Id of the migration.
    pub id: String,
    /// When it was made, RFC 3339 UTC.
    pub created_at: String,
    /// The guest.
    pub instance: Instance,
    /// Host it runs on, as the operator named it.
    pub source: String,
    /// Host it goes to, as the operator named it.
    pub destination: String,
    /// What its flavor asks for, `ALIAS:N`.
    pub requests: Vec<String>,
    /// What Nova stored as its requests, when the operator handed that in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pci_requests: Option<Vec<Request>>,
    /// Plain host devices that the operator called ports.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<PciAddress>,
    /// Which device it gets for each it has.
    pub map: Vec<DeviceMove>,
    /// libvirt's flags by name.
    pub flags: Vec<String>,
    /// Downtime, bandwidth and the like.
    pub parameters: Options,
    /// Why a parameter that pvm chose is what it is, or is left to the hypervisor.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub reasons: BTreeMap<String, String>,
    /// Ports on the source that are unplugged before.
    pub detach: Vec<PciAddress>,
    /// Devices of the destination that are plugged in afterwards.
    pub reattach: Vec<PciAddress>,
    /// The running guest's XML as it will be, without secrets.
    pub destination_xml: Option<String>,
    /// The persistent XML as it will be, without secrets.
    pub persistent_xml: Option<String>,
    /// Of the XML it was made from.
    pub source_xml_sha256: String,
    /// Facts that must still hold when it is executed.
    pub preconditions: BTreeMap<String, String>,
    /// SHA-256 over the document with sorted keys and without this.
    pub digest: String,
}

/// Why a text is not a plan that may be executed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// Not a plan at all.
    #[error("it is not a plan (pvm migrate --save-plan): {0}")]
    Malformed(String),
    /// Another schema.
    #[error("its schema is {0:?}, this pvm reads {SCHEMA}")]
    Schema(String),
    /// It was changed after it was made.
    #[error("its digest does not fit: it was changed after it was made")]
    Digest,
    /// It says more than this build reads.
    #[error("it has fields that this pvm does not know")]
    Fields,
}

impl Plan {
    /// The parts that follow from snapshots and a map. Id, time, flags and parameters are the caller's; seal it afterwards.
    pub fn of(
        source: &Snapshot,
        destination: &Snapshot,
        domain: &Domain,
        map: &[DeviceMove],
    ) -> Result<Self, XmlError> {
        let xml = domain.xml.as_deref().unwrap_or_default();
        let ports = || map.iter().filter(|entry| entry.action == Action::Reattach);
        let inactive = domain.inactive_xml.as_deref().filter(|_| domain.persistent);
        let persistent = inactive.map(|xml| rewrite_persistent(xml, map)).transpose()?;
        Ok(Self {
            schema: SCHEMA.to_owned(),
            instance: Instance { name: domain.name.clone(), uuid: domain.uuid.clone() },
            map: map.to_vec(),
            detach: ports().map(|entry| entry.source).collect(),
            reattach: ports().map(|entry| entry.destination).collect(),
            destination_xml: Some(rewrite(xml, map, Interfaces::MustBeMapped)?),
            persistent_xml: persistent.map(|(text, _)| text),
            source_xml_sha256: sha256(xml),
            preconditions: preconditions(source, destination, domain, map),
            ..Self::default()
        })
    }

    /// The plan with its digest.
    #[must_use]
    pub fn sealed(mut self) -> Self {
        self.digest = self.computed_digest();
        self
    }

    /// Reads a plan and refuses one that was edited.
    pub fn parse(text: &str) -> Result<Self, PlanError> {
        let value: Value = serde_json::from_str(text).map_err(|error| PlanError::Malformed(error.to_string()))?;
        let schema = value.get("schema").and_then(Value::as_str).unwrap_or_default().to_owned();
        if schema != SCHEMA {
            return Err(PlanError::Schema(schema));
        }
        let written = digest_of(value.clone());
        let plan: Self = serde_json::from_value(value).map_err(|error| PlanError::Malformed(error.to_string()))?;
        if plan.digest != written {
            return Err(PlanError::Digest);
        }
        // What is not read would not be done.
        if plan.computed_digest() == written { Ok(plan) } else { Err(PlanError::Fields) }
    }

    /// The facts of pvm's own list that are not in these snapshots what the plan says, in a fixed order. The plan's list
    /// cannot shorten it.
    pub fn changes(&self, source: &Snapshot, destination: &Snapshot) -> Vec<Changed> {
        let nobody = Domain::default();
        let domain = source.domains.iter().find(|domain| domain.uuid == self.instance.uuid).unwrap_or(&nobody);
        let now = preconditions(source, destination, domain, &self.map);
        changes(&self.preconditions, &now)
    }

    /// The fields of this plan that are other ones in `now`, which was made of the same choices. What names one making of
    /// it does not count, nor do the words for the hosts: who they are is a precondition.
    pub fn other_fields(&self, now: &Self) -> Vec<String> {
        const OF_ONE_MAKING: [&str; 6] = ["id", "created_at", "source", "destination", "reasons", "digest"];
        let fields = |plan: &Self| match serde_json::to_value(plan) {
            Ok(Value::Object(fields)) => fields,
            Ok(_) | Err(_) => serde_json::Map::new(),
        };
        let (mine, theirs) = (fields(self), fields(now));
        let names: BTreeSet<&String> = mine.keys().chain(theirs.keys()).collect();
        let counts = |name: &&String| !OF_ONE_MAKING.contains(&name.as_str()) && mine.get(*name) != theirs.get(*name);
        names.into_iter().filter(counts).cloned().collect()
    }

    fn computed_digest(&self) -> String {
        serde_json::to_value(self).map_or_else(|_| String::new(), digest_of)
    }
}

/// Over the document as it is written: keys sorted, without `digest`.
pub(crate) fn digest_of(mut document: Value) -> String {
    if let Some(map) = document.as_object_mut() {
        map.remove("digest");
    }
    sha256(&document.to_string())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::plan::{Known, Planner, Wishes};

    fn made() -> (Snapshot, Snapshot, Plan) {
        let read = |text| serde_json::from_str::<Snapshot>(text).unwrap();
        let source = read(include_str!("../../tests/fixtures/pair/src.json"));
        let destination = read(include_str!("../../tests/fixtures/pair/dst.json"));
        let planner = Planner::new(&source, &destination, &BTreeSet::new());
        let found = planner.plan(&source.domains[0], &Wishes::default(), &mut Known::default());
        let plan = Plan::of(&source, &destination, &source.domains[0], &found.map.unwrap()).unwrap().sealed();
        (source, destination, plan)
    }

    #[test]
    fn a_plan_is_read_back_and_an_edited_one_is_refused() {
        let (_, _, plan) = made();
        let text = serde_json::to_string_pretty(&plan).unwrap();
        assert_eq!(Plan::parse(&text).unwrap(), plan);
        assert_eq!(Plan::parse(&text.replacen("0000:3b:00.1", "0000:3b:00.3", 1)), Err(PlanError::Digest));
        assert_eq!(Plan::parse(&text.replace("plan/1", "plan/2")), Err(PlanError::Schema("pvm.plan/2".into())));
        // A field that this build does not know is covered by the digest, and refused where that fits.
        let more = text.replacen('{', "{\"extra\": 1,", 1);
        assert_eq!(Plan::parse(&more), Err(PlanError::Digest));
        let digest = digest_of(serde_json::from_str(&more).unwrap());
        assert_eq!(Plan::parse(&more.replace(&plan.digest, &digest)), Err(PlanError::Fields));
        assert!(matches!(Plan::parse("[]"), Err(PlanError::Schema(_))));
        assert!(matches!(Plan::parse("{"), Err(PlanError::Malformed(_))));
    }

    #[test]
    fn what_has_changed_is_named_and_nothing_else() {
        let (mut source, mut destination, plan) = made();
        assert_eq!(plan.changes(&source, &destination), []);
        // What the plan does not rely on may change.
        destination.devices[4].driver = None;
        assert_eq!(plan.changes(&source, &destination), []);
        destination.devices[1].claimed_by = Some("m-2".into());
        source.host.qemu = Some("10.1.0".into());
        let changed = plan.changes(&source, &destination);
        let facts: Vec<_> = changed.iter().map(|c| (c.fact.as_str(), c.was.as_str(), c.is.as_str())).collect();
        assert_eq!(
            facts,
            [("destination 0000:3b:00.1 claimed by", "nobody", "m-2"), ("source qemu", "10.0.2", "10.1.0")]
        );
    }

    #[test]
    fn a_device_or_guest_that_is_gone_is_a_change() {
        let (mut source, mut destination, plan) = made();
        destination.devices.remove(1);
        source.domains.clear();
        let facts: Vec<_> = plan.changes(&source, &destination).into_iter().map(|c| c.fact).collect();
        assert!(facts.contains(&"destination 0000:3b:00.1 driver".to_owned()), "{facts:?}");
        assert!(facts.contains(&"guest state".to_owned()), "{facts:?}");
    }
}
