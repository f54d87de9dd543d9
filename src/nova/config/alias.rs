//! `[pci] alias` (`nova/pci/request.py`).

use std::collections::BTreeMap;

use super::device_spec::DeviceSpec;
use crate::model::finding::{Finding, rules};
use crate::model::near_miss::near_miss;
use crate::model::snapshot::{AliasDoc, AliasSpec, Declared};
use crate::nova::oslo::bool_word;
use crate::nova::python::node::{Member, Node, Value};
use crate::nova::python::words;
use crate::text::{Span, Spanned};

rules! {
    /// An alias is not an object with the members Nova's schema allows.
    ///
    /// # Meaning
    /// An alias is one JSON object (not a list) with a name and any of vendor_id, product_id, device_type, numa_policy,
    /// live_migratable, resource_class, traits, all of them text. Any other member is refused.
    /// # Check by hand
    /// echo 'VALUE' | python3 -m json.tool
    /// # Fix
    /// alias = {"name": "a1", "vendor_id": "15b3", "product_id": "101e", "device_type": "type-VF", "live_migratable":
    /// "yes"}
    ALIAS_SHAPE = "alias-shape", Error;

    /// A member of an alias has a value Nova's schema refuses.
    ///
    /// # Meaning
    /// Name has 1 to 256 characters. vendor_id and product_id are exactly four hex digits. device_type is type-PCI,
    /// type-PF or type-VF. numa_policy is required, legacy, preferred or socket. live_migratable is a boolean word in
    /// quotes: unlike device_spec, an alias takes no JSON true or false.
    /// # Check by hand
    /// lspci -nn shows [vendor:product] of each device.
    /// # Fix
    /// Write what the finding suggests.
    ALIAS_VALUE = "alias-value", Error;

    /// An alias lacks vendor_id or product_id.
    ///
    /// # Meaning
    /// Nova refuses an alias without both ids, although its help calls product_id optional. With [filter_scheduler]
    /// pci_in_placement a resource_class alone is enough.
    /// # Check by hand
    /// lspci -nn
    /// # Fix
    /// Give both ids.
    ALIAS_IDS = "alias-ids-missing", Error;

    /// Aliases of one name differ in numa_policy or device_type, or lack device_type.
    ///
    /// # Meaning
    /// Aliases of the same name are alternatives. They must have the same numa_policy (legacy when absent) and the same
    /// device_type, and each must name its device_type: where it is absent Nova fails with the bare message 'dev_type'.
    /// # Check by hand
    /// grep -n '^alias' FILE
    /// # Fix
    /// Give each of them the same "device_type" and "numa_policy".
    ALIAS_CONFLICT = "alias-conflict", Error;

    /// Several aliases of one name, while pci_in_placement is on.
    ///
    /// # Meaning
    /// With [filter_scheduler] pci_in_placement Nova takes one alias per name only.
    /// # Check by hand
    /// grep -nE '^alias|pci_in_placement' FILE
    /// # Fix
    /// One alias with a resource_class, and the same resource_class in every device_spec it may use.
    ALIAS_SEVERAL = "alias-several-with-placement", Error;
}

/// One entry of the list.
#[derive(Debug, Clone)]
pub struct AliasEntry {
    /// The object as written.
    pub node: Node,
    /// The name, stripped.
    pub name: Spanned<String>,
    /// NUMA policy, `legacy` when absent.
    pub numa_policy: String,
    /// What Nova keeps: `vendor_id`, `product_id`, `dev_type`, `live_migratable`, and the rest as written.
    pub spec: AliasSpec,
}

/// Members of the schema.
pub(crate) const MEMBERS: [&str; 9] = [
    "capability_type",
    "device_type",
    "live_migratable",
    "name",
    "numa_policy",
    "product_id",
    "resource_class",
    "traits",
    "vendor_id",
];

const DEVICE_TYPES: [&str; 3] = ["type-PCI", "type-PF", "type-VF"];
const NUMA_POLICIES: [&str; 4] = ["required", "legacy", "preferred", "socket"];

impl AliasEntry {
    /// Reads one value of the list; every error of it goes to `findings`.
    pub fn read(node: &Node, findings: &mut Vec<Finding>) -> Option<Self> {
        let before = findings.len();
        if !matches!(node.value, Value::Object(_)) {
            let list = matches!(node.value, Value::Array(_));
            findings.push(
                Finding::new(&ALIAS_SHAPE, format!("an alias is one object, not {}", node.kind()))
                    .at(node.span, node.kind())
                    .remedy(if list {
                        "write one alias option for each object of the list"
                    } else {
                        "alias = {\"name\": …}"
                    })
                    .nova("PciInvalidAlias", invalid(&format!("{} is not of type 'object'", node.python_repr()))),
            );
            return None;
        }
        for member in node.members() {
            check(member, findings);
        }
        let Some(name) = node.get("name") else {
            findings.push(
                Finding::new(&ALIAS_SHAPE, "an alias needs a name")
                    .at(node.span, "no \"name\"")
                    .remedy("\"name\": \"a1\"")
                    .nova("PciInvalidAlias", invalid("'name' is a required property")),
            );
            return None;
        };
        if findings.len() > before {
            return None;
        }
        let text = |key: &str| node.get(key).and_then(|m| m.value.as_str()).map(str::to_owned);
        let mut spec = AliasSpec::default();
        for key in ["vendor_id", "product_id", "resource_class", "traits", "capability_type"] {
            spec.rest.extend(text(key).map(|value| (key.to_owned(), value)));
        }
        spec.rest.extend(text("device_type").map(|value| ("dev_type".to_owned(), value)));
        if let Some(value) = text("live_migratable").and_then(|word| bool_word::word(&word)) {
            spec.live_migratable = value.into();
        }
        Some(Self {
            node: node.clone(),
            name: Spanned::new(words::strip(name.value.as_str()?).to_owned(), name.value.span),
            numa_policy: text("numa_policy").unwrap_or_else(|| "legacy".to_owned()),
            spec,
        })
    }

    /// Where the value of a member stands; where it has none, the name.
    pub fn place(&self, member: &str) -> Span {
        self.node.get(member).map_or(self.name.span, |member| member.value.span)
    }

    /// Whether both ids are there.
    pub fn has_ids(&self) -> bool {
        self.spec.get("vendor_id").is_some() && self.spec.get("product_id").is_some()
    }
}

fn check(member: &Member, findings: &mut Vec<Finding>) {
    let key = member.key.value.as_str();
    if !MEMBERS.contains(&key) {
        let near = near_miss(key, &MEMBERS);
        let mut finding = Finding::new(&ALIAS_SHAPE, format!("an alias has no member '{key}'"))
            .at(member.key.span, near.map_or_else(|| "not allowed".to_owned(), |near| format!("did you mean {near}?")))
            .remedy(near.map_or_else(|| "remove it".to_owned(), |near| format!("\"{near}\"")))
            .nova(
                "PciInvalidAlias",
                invalid(&format!("Additional properties are not allowed ({} was unexpected)", words::repr(key))),
            );
        if matches!(
            key,
            "managed" | "physical_network" | "address" | "devname" | "trusted" | "remote_managed" | "one_time_use"
        ) {
            finding = finding.note("this is a key of device_spec");
        }
        findings.push(finding);
        return;
    }
    let mut refuse = |message: String, found: &str, remedy: String, nova: String| {
        findings.push(
            Finding::new(&ALIAS_VALUE, message)
                .at(member.value.span, found)
                .remedy(remedy)
                .nova("PciInvalidAlias", invalid(&nova)),
        );
    };
    let Some(text) = member.value.as_str() else {
        let fix = match (&member.value.value, key) {
            (Value::Bool(true), "live_migratable") => Some(("true", "\"yes\"")),
            (Value::Bool(false), "live_migratable") => Some(("false", "\"no\"")),
            _ => None,
        };
        let remedy = match (&member.value.value, fix) {
            (_, Some((_, text))) => format!("\"{key}\": {text}"),
            (Value::Int(_) | Value::Float(_), _) => "put it in double quotes".to_owned(),
            _ => format!("\"{key}\": \"…\""),
        };
        refuse(
            format!("{key} of an alias must be text in quotes, not {}", member.value.kind()),
            member.value.kind(),
            remedy,
            format!("{} is not of type 'string'", member.value.python_repr()),
        );
        if let Some((old, new)) = fix {
            let fixed = findings.pop().map(|finding| finding.fix(member.value.span, old, new));
            findings.extend(fixed);
        }
        return;
    };
    check_text(key, text, &mut refuse);
}

/// The rules for one member's text; `refuse` takes the message, what was found, the remedy and Nova's words.
fn check_text(key: &str, text: &str, refuse: &mut dyn FnMut(String, &str, String, String)) {
    let one_of = |allowed: &[&str]| {
        let list = allowed.iter().map(|word| words::repr(word)).collect::<Vec<_>>().join(", ");
        format!("{} is not one of [{list}]", words::repr(text))
    };
    match key {
        "name" if text.is_empty() || text.chars().count() > 256 => {
            let (words, nova) =
                if text.is_empty() { ("empty", "should be non-empty") } else { ("too long", "is too long") };
            refuse(
                "the name of an alias has 1 to 256 characters".to_owned(),
                words,
                "\"name\": \"a1\"".to_owned(),
                format!("{} {nova}", words::repr(text)),
            );
        }
        "vendor_id" | "product_id" if !is_id(text) => {
            let digits = text.trim().trim_start_matches("0x");
            let hex = !digits.is_empty() && digits.len() <= 4 && digits.bytes().all(|b| b.is_ascii_hexdigit());
            refuse(
                format!("{key} of an alias is exactly four hex digits, not '{text}'"),
                "not four hex digits",
                if hex {
                    format!("\"{key}\": \"{:0>4}\"", digits.to_lowercase())
                } else {
                    format!("\"{key}\": \"…\", four hex digits in double quotes")
                },
                format!("{} does not match '^([\\\\da-fA-F]{{4}})$'", words::repr(text)),
            );
        }
        "device_type" if !DEVICE_TYPES.contains(&text) => {
            let near = near_miss(text, &DEVICE_TYPES).unwrap_or("type-VF");
            refuse(
                format!("device_type is type-PCI, type-PF or type-VF, not '{text}'"),
                "unknown type",
                format!("\"device_type\": \"{near}\""),
                one_of(&DEVICE_TYPES),
            );
        }
        "numa_policy" if !NUMA_POLICIES.contains(&text) => {
            let near = near_miss(text, &NUMA_POLICIES).unwrap_or("legacy");
            refuse(
                format!("numa_policy is required, legacy, preferred or socket, not '{text}'"),
                "unknown policy",
                format!("\"numa_policy\": \"{near}\""),
                one_of(&NUMA_POLICIES),
            );
        }
        "capability_type" if text != "pci" => refuse(
            format!("capability_type can only be pci, not '{text}'"),
            "not pci",
            "remove it: a request with it can never be met".to_owned(),
            one_of(&["pci"]),
        ),
        "live_migratable" if bool_word::word(text).is_none() => refuse(
            format!("live_migratable must be a boolean word, not '{text}'"),
            "not a boolean word",
            "\"live_migratable\": \"yes\" or \"live_migratable\": \"no\"".to_owned(),
            bool_word::refusal(text),
        ),
        _ => {}
    }
}

/// `^([\da-fA-F]{4})$` of `nova/pci/utils.py`: any script's digits, and one newline behind.
fn is_id(text: &str) -> bool {
    let text = text.strip_suffix('\n').unwrap_or(text);
    text.chars().count() == 4 && text.chars().all(|c| c.is_ascii_hexdigit() || words::decimal_digit(c).is_some())
}

fn invalid(reason: &str) -> String {
    format!("Invalid PCI alias definition: {reason}")
}

/// The rules between entries: same names, ids, Placement.
pub(crate) fn check_together(
    entries: &[AliasEntry],
    specs: &[DeviceSpec],
    pci_in_placement: bool,
    findings: &mut Vec<Finding>,
) {
    let mut first: BTreeMap<&str, &AliasEntry> = BTreeMap::new();
    for entry in entries {
        let name = entry.name.value.as_str();
        if let Some(earlier) = first.get(name) {
            let mut conflict = |member: &str, message: String, remedy: &str, nova: String| {
                findings.push(
                    Finding::new(&ALIAS_CONFLICT, message)
                        .at(entry.place(member), "this one")
                        .also(earlier.place(member), "the first of that name")
                        .remedy(remedy)
                        .nova("PciInvalidAlias", invalid(&nova)),
                );
            };
            let types = (earlier.spec.get("dev_type"), entry.spec.get("dev_type"));
            if earlier.numa_policy != entry.numa_policy {
                conflict(
                    "numa_policy",
                    format!(
                        "aliases named '{name}' have different numa_policy ({} and {})",
                        earlier.numa_policy, entry.numa_policy
                    ),
                    "give both the same numa_policy (absent means legacy)",
                    format!("NUMA policy mismatch for alias '{name}'"),
                );
            } else if types.0.is_none() || types.1.is_none() {
                conflict(
                    "device_type",
                    format!("aliases named '{name}' must all name their device_type"),
                    "add the same \"device_type\" to each of them",
                    "'dev_type'".to_owned(),
                );
            } else if types.0 != types.1 {
                conflict(
                    "device_type",
                    format!("aliases named '{name}' have different device_type"),
                    "use another name for the other kind of device",
                    format!("Device type mismatch for alias '{name}'"),
                );
            }
            if pci_in_placement {
                findings.push(
                    Finding::new(&ALIAS_SEVERAL, format!("there are several aliases named '{name}', and pci_in_placement is on"))
                        .at(entry.name.span, "another one")
                        .also(earlier.name.span, "the first of that name")
                        .remedy("keep one alias with a resource_class, and give the device_specs it may use that resource_class")
                        .nova("PciInvalidAlias", format!("The PCI alias(es) {name} have multiple specs but [filter_scheduler]pci_in_placement is True.")),
                );
            }
        } else {
            first.insert(name, entry);
        }
        let class = pci_in_placement && entry.spec.get("resource_class").is_some();
        if !entry.has_ids() && !class {
            let (or_class, nova) = if pci_in_placement {
                (", or a resource_class", "fields set or resource_class field set.")
            } else {
                ("", "fields set.")
            };
            let remedy = match entry.spec.get("resource_class") {
                Some(class) => {
                    let ids = ids_of_class(specs, class);
                    format!("[filter_scheduler] pci_in_placement = True in this file too, or {ids}")
                }
                None => "\"vendor_id\": \"…\", \"product_id\": \"…\" of the devices that the alias is for".to_owned(),
            };
            findings.push(
                Finding::new(&ALIAS_IDS, format!("alias '{name}' needs vendor_id and product_id{or_class}"))
                    .at(entry.name.span, "ids missing")
                    .remedy(remedy)
                    .nova(
                        "PciInvalidAlias",
                        format!("The PCI alias(es) {name} does not have vendor_id and product_id {nova}"),
                    ),
            );
        }
    }
}

/// The ids of the first `device_spec` that has this resource class.
fn ids_of_class(specs: &[DeviceSpec], class: &str) -> String {
    let word = |spec: &DeviceSpec, key: &str| Some(spec.node.get(key)?.value.as_str()?.to_owned());
    let of_class = specs.iter().filter(|spec| word(spec, "resource_class").as_deref() == Some(class));
    let mut ids = of_class.filter_map(|spec| word(spec, "vendor_id").zip(word(spec, "product_id")));
    let (vendor, product) = ids.next().unwrap_or_else(|| ("…".to_owned(), "…".to_owned()));
    format!("\"vendor_id\": \"{vendor}\", \"product_id\": \"{product}\"")
}

/// Aliases by first appearance, each with all its entries.
pub(crate) fn documents(entries: &[AliasEntry]) -> Vec<AliasDoc> {
    let mut docs: Vec<AliasDoc> = Vec::new();
    let mut by_name = std::collections::HashMap::new();
    for entry in entries {
        let at = *by_name.entry(entry.name.value.as_str()).or_insert(docs.len());
        if at == docs.len() {
            docs.push(AliasDoc {
                name: entry.name.value.clone(),
                numa_policy: entry.numa_policy.clone(),
                live_migratable: None,
                specs: Vec::new(),
            });
        }
        docs[at].specs.push(entry.spec.clone());
    }
    for doc in &mut docs {
        let all = |word: &Declared| doc.specs.iter().all(|spec| spec.live_migratable == *word);
        doc.live_migratable = [Declared::Yes, Declared::No].into_iter().find(all);
    }
    docs
}
