//! `pci_passthrough:alias` of a flavor: what it asks for (`_translate_alias_to_requests`), and whether the API takes it.

use std::collections::BTreeSet;

use super::placement_names;
use crate::model::finding::NovaError;
use crate::model::snapshot::{AliasDoc, AliasSpec, Declared};
use crate::nova::python::words;

/// One item of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Alias asked for.
    pub alias_name: String,
    /// How many devices. Nova takes zero and, where the API did not check, less.
    pub count: i64,
    /// NUMA policy: the flavor's or image's, else the alias's.
    pub numa_policy: String,
    /// The alias's alternatives.
    pub specs: Vec<AliasSpec>,
}

impl Request {
    /// Whether a guest with it may migrate: every alternative says yes.
    pub fn is_live_migratable(&self) -> bool {
        self.specs.iter().all(|spec| spec.live_migratable == Declared::Yes)
    }
}

/// Why a text asks for nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct RequestError {
    /// What is wrong.
    pub message: String,
    /// The item it is about.
    pub item: String,
    /// What Nova answers.
    pub nova: NovaError,
}

/// The requests in `text`, as Nova makes them of these aliases. `policy` replaces every alias's NUMA policy.
pub fn requests(text: &str, aliases: &[AliasDoc], policy: Option<&str>) -> Result<Vec<Request>, RequestError> {
    text.split(',')
        .map(|item| {
            let parts: Vec<&str> = item.split(':').collect();
            let [name, count] = parts[..] else {
                let nova = if parts.len() < 2 {
                    "not enough values to unpack (expected 2, got 1)"
                } else {
                    "too many values to unpack (expected 2)"
                };
                return Err(RequestError {
                    message: format!("'{item}' is not ALIAS:COUNT"),
                    item: item.to_owned(),
                    nova: NovaError::new("ValueError", nova),
                });
            };
            let name = words::strip(name);
            let alias = aliases.iter().find(|alias| alias.name == name).ok_or_else(|| RequestError {
                message: format!("there is no alias '{name}'"),
                item: item.to_owned(),
                nova: NovaError::new("PciRequestAliasNotDefined", format!("PCI alias {name} is not defined")),
            })?;
            let value = words::int(count, 10).and_then(|n| i64::try_from(n).ok()).ok_or_else(|| RequestError {
                message: format!("'{count}' is not a number of devices"),
                item: item.to_owned(),
                nova: NovaError::new(
                    "ValueError",
                    format!("invalid literal for int() with base 10: {}", words::repr(count)),
                ),
            })?;
            Ok(Request {
                alias_name: name.to_owned(),
                count: value,
                numa_policy: policy.unwrap_or(&alias.numa_policy).to_owned(),
                specs: alias.specs.clone(),
            })
        })
        .collect()
}

/// What Placement is asked for one device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Resource class, of which one is wanted.
    pub resource_class: String,
    /// Traits the provider must have.
    pub required: BTreeSet<String>,
    /// Traits it must not have.
    pub forbidden: BTreeSet<String>,
}

/// Which request groups to make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Groups {
    /// As Nova sends them: `live_migratable` is left to the scheduler's filter.
    Nova,
    /// As the specification's option would: the trait required for yes, forbidden for no.
    Specification,
}

/// One group per device (`nova/objects/request_spec.py`), with `pci_in_placement`.
pub fn placement_groups(requests: &[Request], which: Groups) -> Vec<Group> {
    let mut groups = Vec::new();
    for request in requests {
        let Some(spec) = request.specs.first() else { continue };
        let text = |key: &str| spec.get(key).map_or("", String::as_str);
        let mut group = Group {
            resource_class: placement_names::resource_class(
                spec.get("resource_class").map(String::as_str),
                text("vendor_id"),
                text("product_id"),
            ),
            required: placement_names::traits(text("traits")),
            forbidden: BTreeSet::new(),
        };
        if which == Groups::Specification {
            match spec.live_migratable {
                Declared::Yes => group.required.insert(LIVE_MIGRATABLE_TRAIT.to_owned()),
                Declared::No => group.forbidden.insert(LIVE_MIGRATABLE_TRAIT.to_owned()),
                Declared::Unset => false,
            };
        }
        groups.extend((0..request.count).map(|_| group.clone()));
    }
    groups
}

/// The trait of devices whose spec says yes.
pub(crate) const LIVE_MIGRATABLE_TRAIT: &str = "HW_PCI_LIVE_MIGRATABLE";

/// Whether the flavor API takes the text: all of it is `[^:]+:\d+(?:\s*,\s*[^:]+:\d+)*`.
pub(crate) fn api_accepts(text: &str) -> bool {
    let pieces: Vec<&str> = text.split(':').collect();
    let Some(((first, rest), last)) =
        pieces.split_first().and_then(|(first, rest)| Some(((first, rest.split_last()?.1), rest.last()?)))
    else {
        return false;
    };
    let digits = |text: &str| !text.is_empty() && text.chars().all(|c| words::decimal_digit(c).is_some());
    // Between two colons: a count, blanks, a comma, blanks, a name, which may itself hold commas and blanks.
    let between = |piece: &str| {
        let name = piece.trim_start_matches(|c| words::decimal_digit(c).is_some());
        let count_len = piece.len() - name.len();
        count_len > 0 && name.trim_start_matches(words::is_space).strip_prefix(',').is_some_and(|name| !name.is_empty())
    };
    !first.is_empty() && rest.iter().all(|piece| between(piece)) && digits(last)
}

/// The NUMA policies a flavor or an image may ask for.
pub(crate) const POLICIES: [&str; 4] = ["required", "legacy", "preferred", "socket"];

/// The policy that replaces the aliases' own: `hw:pci_numa_affinity_policy` of the flavor, `hw_pci_numa_affinity_policy` of the
/// image (`nova/virt/hardware.py`, `get_pci_numa_policy_constraint`).
pub fn affinity_policy(flavor: Option<&str>, image: Option<&str>) -> Result<Option<String>, NovaError> {
    // Python takes an empty text for false.
    let (flavor, image) = (flavor.filter(|p| !p.is_empty()), image.filter(|p| !p.is_empty()));
    if let (Some(flavor), Some(image)) = (flavor, image)
        && flavor != image
    {
        return Err(NovaError::new(
            "ImagePCINUMAPolicyForbidden",
            "Image property 'hw_pci_numa_affinity_policy' is not permitted to override the 'hw:pci_numa_affinity_policy' flavor extra spec.",
        ));
    }
    match flavor.or(image) {
        Some(policy) if !POLICIES.contains(&policy) => {
            Err(NovaError::new("InvalidPCINUMAAffinity", format!("Invalid PCI NUMA affinity configured: {policy}")))
        }
        policy => Ok(policy.map(str::to_owned)),
    }
}

/// Whether the flavor API takes an extra spec with this value; it checks the two it knows about PCI devices.
pub fn api_accepts_extra_spec(key: &str, value: &str) -> bool {
    match key {
        "pci_passthrough:alias" => api_accepts(value),
        "hw:pci_numa_affinity_policy" => POLICIES.contains(&value),
        _ => true,
    }
}
