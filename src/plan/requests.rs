//! What a guest asks for: the requests of its flavor, or what stands for them.

use std::collections::BTreeMap;

use super::nova::Request;
use crate::snapshot::{AliasDoc, ConfigDoc, Device, Domain, Hostdev, HostdevKind, Snapshot};

/// Where the requests come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
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
    /// Not `ALIAS:N,…`.
    #[error("'{0}' is not a list of ALIAS:N")]
    Malformed(String),
    /// No host defines the alias.
    #[error("alias '{0}' is in neither host's configuration")]
    NoSuchAlias(String),
    /// Several aliases describe a device.
    #[error("device {device} may come from any of the aliases {}", aliases.join(", "))]
    Ambiguous {
        /// The device.
        device: String,
        /// The aliases.
        aliases: Vec<String>,
    },
    /// Flavor and image want different NUMA policies.
    #[error("flavor and image ask for different NUMA policies")]
    PolicyConflict,
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
const MOST_DEVICES: usize = 4096;

/// The requests of `domain`, by `given` (`ALIAS:N,…`) when the operator says them.
pub fn asked(
    domain: &Domain,
    source: &Snapshot,
    destination: &Snapshot,
    given: Option<&str>,
) -> Result<Asked, RequestError> {
    let configs = [&source.config, &destination.config];
    if let Some(text) = given {
        return Ok(Asked { origin: Origin::Given, requests: translate(text, &configs, None)? });
    }
    let Some(nova) = &domain.nova else {
        return Ok(Asked { origin: Origin::Implicit, requests: implicit(domain, source) });
    };
    let Some(specs) = &nova.extra_specs else {
        return Ok(Asked { origin: Origin::Inferred, requests: inferred(domain, source)? });
    };
    let policy = policy(specs.get("hw:pci_numa_affinity_policy"), nova.image_properties.as_ref())?;
    let requests = match specs.get("pci_passthrough:alias") {
        Some(text) => translate(text, &configs, policy)?,
        None => Vec::new(),
    };
    Ok(Asked { origin: Origin::Flavor, requests })
}

fn policy<'a>(
    flavor: Option<&'a String>,
    image: Option<&'a BTreeMap<String, String>>,
) -> Result<Option<&'a str>, RequestError> {
    let image = image.and_then(|all| all.get("hw_pci_numa_affinity_policy"));
    match (flavor, image) {
        (Some(flavor), Some(image)) if flavor != image => Err(RequestError::PolicyConflict),
        (flavor, image) => Ok(flavor.or(image).map(String::as_str)),
    }
}

/// Requests of a flavor's text, in its order. Aliases are the source's, then the destination's.
fn translate(text: &str, configs: &[&ConfigDoc], policy: Option<&str>) -> Result<Vec<Request>, RequestError> {
    text.split(',')
        .map(|item| {
            let malformed = || RequestError::Malformed(text.to_owned());
            let (name, count) = item.split_once(':').ok_or_else(malformed)?;
            let count = count.trim().parse().ok().filter(|n| *n <= MOST_DEVICES).ok_or_else(malformed)?;
            let name = name.trim();
            let alias = configs
                .iter()
                .find_map(|config| config.aliases.iter().find(|alias| alias.name == name))
                .ok_or_else(|| RequestError::NoSuchAlias(name.to_owned()))?;
            Ok(request(alias, count, policy))
        })
        .collect()
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
        .filter(|(_, device)| !device.tags.contains_key("physical_network"))
        .map(|(_, device)| {
            let mut spec = BTreeMap::from([
                ("dev_type".to_owned(), device.dev_type.as_str().to_owned()),
                ("live_migratable".to_owned(), "true".to_owned()),
            ]);
            spec.extend(device.vendor_id.map(|id| ("vendor_id".to_owned(), id.to_string())));
            spec.extend(device.product_id.map(|id| ("product_id".to_owned(), id.to_string())));
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
pub fn describes(specs: &[BTreeMap<String, String>], device: &Device) -> bool {
    specs.iter().any(|spec| {
        let says = |key: &str, value: Option<String>| {
            spec.get(key).is_none_or(|wanted| value.is_some_and(|has| has.eq_ignore_ascii_case(wanted)))
        };
        says("vendor_id", device.vendor_id.map(|id| id.to_string()))
            && says("product_id", device.product_id.map(|id| id.to_string()))
            && says("dev_type", Some(device.dev_type.as_str().to_owned()))
    })
}
