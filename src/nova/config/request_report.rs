//! What becomes of a flavor string: Nova's answer, the requests, who could serve them, and whether such a guest could move.

use serde::Serialize;

use super::alias;
use super::options::PCI_IN_PLACEMENT;
use super::request::requests;
use super::request::{self, Group, Groups, LIVE_MIGRATABLE_TRAIT, Request};
use crate::model::finding::{Finding, NovaError, rules};
use crate::model::snapshot::{Declared, DevType, Device};
use crate::nova::lints::{Subject, serves};

rules! {
    /// Nova does not take this pci_passthrough:alias.
    ///
    /// # Meaning
    /// The value is ALIAS:COUNT, several apart by commas. The flavor API refuses other forms; where it did not look
    /// (old microversions) the guest fails to start with an internal error. Alias names are case-sensitive.
    /// # Check by hand
    /// openstack flavor show FLAVOR -c properties
    /// # Fix
    /// pci_passthrough:alias=a1:1.
    pub(crate) REFUSED = "request-refused", Error;

    /// No device_spec, or not enough devices of the host, could serve the request.
    ///
    /// # Meaning
    /// A device serves a request when its ids, type and live_migratable are those of the alias. A missing
    /// live_migratable in device_spec serves neither yes nor no.
    /// # Check by hand
    /// pvm inventory HOST
    /// # Fix
    /// The tags of device_spec, or the ids of the alias.
    pub(crate) UNSERVED = "request-unserved", Warning;

    /// A guest with this request could never be live-migrated.
    ///
    /// # Meaning
    /// Every alternative of every alias in the request must say live_migratable yes. The request is stored when the
    /// guest is made: changing the alias later does not help guests that exist, they must be resized.
    /// # Check by hand
    /// openstack flavor show FLAVOR -c properties, then the alias in nova.conf
    /// # Fix
    /// "live_migratable": "yes" in the alias, before guests are made.
    pub(crate) IMMOVABLE = "request-never-migrates", Warning;
}

/// The answer to `--request`.
#[derive(Debug, Serialize)]
pub(crate) struct RequestReport {
    /// The text.
    pub text: String,
    /// Whether the flavor API takes it.
    pub api_accepts: bool,
    /// Whether a guest with it could be live-migrated.
    pub live_migratable: bool,
    /// Each item.
    pub requests: Vec<Item>,
    /// Placement's request groups, with `pci_in_placement`.
    pub groups: Option<GroupsReport>,
    /// What is wrong with it.
    #[serde(skip)]
    pub findings: Vec<Finding>,
}

/// One item.
#[derive(Debug, Serialize)]
pub(crate) struct Item {
    /// Alias.
    pub alias: String,
    /// How many devices.
    pub count: i64,
    /// NUMA policy.
    pub numa_policy: String,
    /// Whether every alternative says yes.
    pub live_migratable: bool,
    /// Indexes of the device_specs that could serve it.
    pub specs: Vec<usize>,
    /// Devices of the host that could; absent without a host.
    pub devices: Option<Vec<String>>,
}

/// Request groups, today's and the specification's.
#[derive(Debug, Serialize)]
pub(crate) struct GroupsReport {
    /// As Nova sends them.
    pub nova: Vec<GroupDoc>,
    /// As the specification's option would.
    pub specification: Vec<GroupDoc>,
}

/// One request group.
#[derive(Debug, Serialize)]
pub(crate) struct GroupDoc {
    /// Resource class, one of it.
    pub resource_class: String,
    /// Required traits.
    pub required: Vec<String>,
    /// Forbidden traits.
    pub forbidden: Vec<String>,
    /// Devices of the host it would exclude although Nova's group does not; absent without a host.
    pub excludes: Option<Vec<String>>,
}

/// Answers for one flavor string.
pub(crate) fn report(text: &str, subject: &Subject<'_>) -> RequestReport {
    let aliases = alias::documents(&subject.config.aliases);
    let mut report = RequestReport {
        text: text.to_owned(),
        api_accepts: request::api_accepts(text),
        live_migratable: false,
        requests: Vec::new(),
        groups: None,
        findings: Vec::new(),
    };
    let requests = match requests(text, &aliases, None) {
        Ok(requests) => requests,
        Err(error) => {
            let mut finding =
                Finding::new(&REFUSED, error.message.clone()).remedy("write ALIAS:COUNT,… with aliases of this file");
            finding.nova_error = Some(error.nova);
            report.findings.push(finding);
            return report;
        }
    };
    if !report.api_accepts {
        let mut finding = Finding::new(&REFUSED, format!("the flavor API refuses '{text}'"))
            .remedy("a1:1,a2:2 without other blanks and signs");
        finding.nova_error = Some(NovaError::new("ValidationError", "the value does not have the form ALIAS:COUNT,…"));
        report.findings.push(finding);
    }
    report.live_migratable = requests.iter().all(Request::is_live_migratable);
    for request in &requests {
        report.item(request, subject);
    }
    if subject.config.is_on(&PCI_IN_PLACEMENT) {
        let groups = |which| request::placement_groups(&requests, which);
        report.groups = Some(GroupsReport {
            nova: groups(Groups::Nova).iter().map(|g| document(g, subject)).collect(),
            specification: groups(Groups::Specification).iter().map(|g| document(g, subject)).collect(),
        });
    }
    report
}

impl RequestReport {
    fn item(&mut self, request: &Request, subject: &Subject<'_>) {
        let specs = &subject.config.device_specs;
        let serving: Vec<usize> = (0..specs.len())
            .filter(|i| {
                request
                    .specs
                    .iter()
                    .any(|want| serves(&specs[*i], want) && answers(specs[*i].declared(), want.live_migratable))
            })
            .collect();
        let devices = subject.host.map(|_| {
            let matched = subject.matched();
            let fits = |device: &Device, winner: usize| {
                request.specs.iter().any(|want| {
                    let id = |key: &str, id: Option<crate::model::pci::PciId>| {
                        want.get(key)
                            .is_none_or(|wanted| id.is_some_and(|id| id.to_string().eq_ignore_ascii_case(wanted)))
                    };
                    // Without a device_type Nova gives VFs too, but never PFs.
                    let kind =
                        want.get("dev_type").map_or(device.dev_type != DevType::Pf, |t| t == device.dev_type.as_str());
                    id("vendor_id", device.vendor_id)
                        && id("product_id", device.product_id)
                        && kind
                        && serving.contains(&winner)
                })
            };
            let serving = matched.iter().filter(|(d, winner)| winner.is_some_and(|winner| fits(d, winner)));
            serving.map(|(device, _)| device.address.to_string()).collect::<Vec<_>>()
        });
        if !request.is_live_migratable() {
            self.findings.push(
                Finding::new(
                    &IMMOVABLE,
                    format!("a guest with alias '{}' could never be live-migrated", request.alias_name),
                )
                .remedy("\"live_migratable\": \"yes\" in the alias, before guests are made"),
            );
        }
        let short = devices.as_ref().is_some_and(|found| i64::try_from(found.len()).is_ok_and(|n| n < request.count));
        if (serving.is_empty() && !specs.is_empty()) || short {
            let message = match &devices {
                Some(found) if !serving.is_empty() => {
                    format!(
                        "alias '{}' wants {} devices, {} of this host could serve it",
                        request.alias_name,
                        request.count,
                        found.len()
                    )
                }
                _ => format!("no device_spec here could serve alias '{}'", request.alias_name),
            };
            self.findings.push(
                Finding::new(&UNSERVED, message).remedy("compare ids and live_migratable of alias and device_spec"),
            );
        }
        self.requests.push(Item {
            alias: request.alias_name.clone(),
            count: request.count,
            numa_policy: request.numa_policy.clone(),
            live_migratable: request.is_live_migratable(),
            specs: serving,
            devices,
        });
    }
}

/// Nova's truth table: absent serves neither yes nor no.
fn answers(declared: Declared, wanted: Declared) -> bool {
    wanted == Declared::Unset || declared == wanted
}

fn document(group: &Group, subject: &Subject<'_>) -> GroupDoc {
    let kept_out = |declared: Declared| {
        (group.required.contains(LIVE_MIGRATABLE_TRAIT) && declared != Declared::Yes)
            || (group.forbidden.contains(LIVE_MIGRATABLE_TRAIT) && declared == Declared::Yes)
    };
    let excludes = subject.host.map(|_| {
        let matched = subject.matched();
        let of_class = matched.iter().filter(|(device, winner)| {
            winner.is_some_and(|i| {
                let spec = &subject.config.device_specs[i];
                let id = |id: Option<crate::model::pci::PciId>| id.map(|id| id.to_string()).unwrap_or_default();
                let name = spec.tags.resource_class.as_ref().and_then(|v| v.as_str());
                let class = super::placement_names::resource_class(name, &id(device.vendor_id), &id(device.product_id));
                class == group.resource_class && kept_out(spec.declared())
            })
        });
        of_class.map(|(device, _)| device.address.to_string()).collect()
    });
    GroupDoc {
        resource_class: group.resource_class.clone(),
        required: group.required.iter().cloned().collect(),
        forbidden: group.forbidden.iter().cloned().collect(),
        excludes,
    }
}
