//! What a guest asks for: the requests of its flavor, or what stands for them.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::snapshot::{AliasDoc, AliasSpec, Declared, Device, Domain, Hostdev, HostdevKind, Snapshot};
use crate::nova::config;
use crate::nova::scheduler::Request;

/// Where the requests come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// What Nova stored, by `--pci-requests`.
    Stored,
    /// `--request`.
    Given,
    /// The flavor's extra specs in Nova's metadata.
    Flavor,
    /// The aliases of the source's configuration that describe the devices.
    Inferred,
    /// No metadata: each device asks for its like.
    Implicit,
}

/// Why the requests cannot be said.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// Not `ALIAS:N,…`, or of an alias that no host defines.
    #[error("{0}")]
    Malformed(String),
    /// Several aliases describe a device.
    #[error("device {device} may come from any of the aliases {}", aliases.join(", "))]
    Ambiguous {
        /// The device.
        device: String,
        /// The aliases.
        aliases: Vec<String>,
    },
    /// Flavor and image want different NUMA policies, or one that there is not.
    #[error("{0}")]
    Policy(String),
}

/// The requests of a guest.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    /// Where they come from.
    pub origin: Origin,
    /// One per item of the flavor, or one per device.
    pub requests: Vec<Request>,
}

/// Most devices one request may name; no guest has more PCI slots.
pub(crate) const MOST_DEVICES: usize = 4096;

/// The aliases of both hosts; where both define one, it is the source's.
pub(crate) fn aliases(source: &Snapshot, destination: &Snapshot) -> Vec<AliasDoc> {
    let mut all = source.config.aliases.clone();
    let names: BTreeSet<&str> = source.config.aliases.iter().map(|alias| alias.name.as_str()).collect();
    all.extend(destination.config.aliases.iter().filter(|alias| !names.contains(alias.name.as_str())).cloned());
    all
}

/// The requests of `domain`: `stored` when the operator hands in what Nova keeps, else by `given` (`ALIAS:N,…`) when the
/// operator says them. `aliases` are those of both hosts.
pub(crate) fn asked(
    domain: &Domain,
    source: &Snapshot,
    aliases: &[AliasDoc],
    given: Option<&str>,
    stored: Option<&[Request]>,
) -> Result<Asked, RequestError> {
    if let Some(requests) = stored {
        return Ok(Asked { origin: Origin::Stored, requests: requests.to_vec() });
    }
    if let Some(text) = given {
        return Ok(Asked { origin: Origin::Given, requests: translate(text, aliases, None)? });
    }
    let Some(nova) = &domain.nova else {
        return Ok(Asked { origin: Origin::Implicit, requests: implicit(domain, source) });
    };
    let Some(specs) = &nova.extra_specs else {
        return Ok(Asked { origin: Origin::Inferred, requests: inferred(domain, source)? });
    };
    let image = nova.image_properties.as_ref().and_then(|all| all.get("hw_pci_numa_affinity_policy"));
    let flavor = specs.get("hw:pci_numa_affinity_policy").map(String::as_str);
    let policy = config::request::affinity_policy(flavor, image.map(String::as_str))
        .map_err(|error| RequestError::Policy(error.message))?;
    let requests = match specs.get("pci_passthrough:alias") {
        Some(text) => translate(text, aliases, policy.as_deref())?,
        None => Vec::new(),
    };
    Ok(Asked { origin: Origin::Flavor, requests })
}

/// Requests of a flavor's text, in its order. Aliases are the source's, then the destination's.
fn translate(text: &str, aliases: &[AliasDoc], policy: Option<&str>) -> Result<Vec<Request>, RequestError> {
    let requests = config::requests(text, aliases, policy).map_err(|error| RequestError::Malformed(error.message))?;
    if requests.iter().any(|request| !usize::try_from(request.count).is_ok_and(|count| count <= MOST_DEVICES)) {
        return Err(RequestError::Malformed(format!("'{text}' asks for more devices than a guest can have")));
    }
    Ok(requests.into_iter().map(Request::from).collect())
}

impl From<config::Request> for Request {
    /// Fewer than none is none.
    fn from(request: config::Request) -> Self {
        Self {
            count: usize::try_from(request.count).unwrap_or(0),
            alias: request.alias_name,
            spec: request.specs,
            numa_policy: request.numa_policy,
        }
    }
}

fn request(alias: &AliasDoc, count: usize, policy: Option<&str>) -> Request {
    Request {
        count,
        alias: alias.name.clone(),
        spec: alias.specs.clone(),
        numa_policy: policy.unwrap_or(&alias.numa_policy).to_owned(),
    }
}

/// Plain host devices of a guest with what the source knows of them.
fn plain<'a>(domain: &'a Domain, source: &'a Snapshot) -> impl Iterator<Item = (&'a Hostdev, &'a Device)> {
    domain
        .hostdevs
        .iter()
        .filter(|hostdev| hostdev.kind == HostdevKind::Hostdev)
        .filter_map(|hostdev| Some((hostdev, source.device(hostdev.source?)?)))
}

fn implicit(domain: &Domain, source: &Snapshot) -> Vec<Request> {
    plain(domain, source)
        .filter(|(_, device)| device.tags.physical_network.is_none())
        .map(|(_, device)| {
            let mut rest = BTreeMap::from([("dev_type".to_owned(), device.dev_type.as_str().to_owned())]);
            rest.extend(device.vendor_id.map(|id| ("vendor_id".to_owned(), id.to_string())));
            rest.extend(device.product_id.map(|id| ("product_id".to_owned(), id.to_string())));
            let spec = AliasSpec { live_migratable: Declared::Yes, rest };
            Request { count: 1, alias: String::new(), spec: vec![spec], numa_policy: "preferred".to_owned() }
        })
        .collect()
}

fn inferred(domain: &Domain, source: &Snapshot) -> Result<Vec<Request>, RequestError> {
    let mut requests: Vec<Request> = Vec::new();
    for (_, device) in plain(domain, source) {
        let fitting: Vec<&AliasDoc> =
            source.config.aliases.iter().filter(|alias| describes(&alias.specs, device)).collect();
        match fitting[..] {
            [] => {}
            [alias] => match requests.iter_mut().find(|request| request.alias == alias.name) {
                Some(request) => request.count += 1,
                None => requests.push(request(alias, 1, None)),
            },
            _ => {
                return Err(RequestError::Ambiguous {
                    device: device.address.to_string(),
                    aliases: fitting.iter().map(|alias| alias.name.clone()).collect(),
                });
            }
        }
    }
    Ok(requests)
}

/// Whether any alternative names the device's ids and type. Tags are left out: the configuration may have changed since the
/// guest got the device.
pub(crate) fn describes(specs: &[AliasSpec], device: &Device) -> bool {
    specs.iter().any(|spec| {
        let says = |key: &str, value: Option<String>| {
            spec.get(key).is_none_or(|wanted| value.is_some_and(|has| has.eq_ignore_ascii_case(wanted)))
        };
        says("vendor_id", device.vendor_id.map(|id| id.to_string()))
            && says("product_id", device.product_id.map(|id| id.to_string()))
            && says("dev_type", Some(device.dev_type.as_str().to_owned()))
    })
}
