//! One entry of `[pci] device_spec` (`nova/pci/devspec.py`).

use serde_json::Value as Json;

use super::address::{AddressError, AddressPattern};
use super::machine::PciLookup;
use crate::model::finding::{Finding, rules};
use crate::model::pci::PciId;
use crate::model::snapshot::{Declared, SpecDoc, Tags};
use crate::nova::oslo::bool_word;
use crate::nova::python::node::{Member, Node, Value};
use crate::nova::python::words;
use crate::text::{Sources, Span};

rules! {
    /// A device_spec is neither an object nor a list of objects.
    ///
    /// # Meaning
    /// Each device_spec is one JSON object, or a list of objects, which count as if each stood alone.
    /// # Check by hand
    /// echo 'VALUE' | python3 -m json.tool shows the outermost bracket.
    /// # Fix
    /// device_spec = {"vendor_id": "15b3", "product_id": "101e"}
    SPEC_SHAPE = "spec-shape", Error;

    /// vendor_id or product_id of a device_spec is not a PCI id.
    ///
    /// # Meaning
    /// vendor_id and product_id are text: * or a hex number up to ffff. For a VF the product id is the VF's own, not
    /// the PF's.
    /// # Check by hand
    /// lspci -nn shows [vendor:product] of each device.
    /// # Fix
    /// "vendor_id": "15b3" with quotes.
    SPEC_ID = "spec-id", Error;

    /// The address of a device_spec is not one Nova can read.
    ///
    /// # Meaning
    /// An address is text, domain:bus:slot.function, each field * or one hex number (fields left out on the left are
    /// *), or an object of Python regular expressions with the keys domain, bus, slot, function. 8* or [0-3] in text
    /// are not allowed.
    /// # Check by hand
    /// lspci -D shows the addresses of the host.
    /// # Fix
    /// "address": "0000:81:00.*", or "address": {"bus": "8[0-3]$"}.
    SPEC_ADDRESS = "spec-address", Error;

    /// A device_spec has both address and devname.
    ///
    /// # Meaning
    /// devname is another way to give the address, by the name of a network interface. Nova refuses both together.
    /// # Check by hand
    /// ls -l /sys/class/net/NAME/device shows the address of an interface.
    /// # Fix
    /// Keep the address; interface names can change.
    SPEC_DEVNAME = "spec-devname", Error;

    /// live_migratable, managed or one_time_use of a device_spec is not a boolean word.
    ///
    /// # Meaning
    /// These tags take yes, true, on, y, t, 1 and no, false, off, n, f, 0 in any case, or JSON's true and false.
    /// # Check by hand
    /// grep -nE "live_migratable|managed|one_time_use" FILE
    /// # Fix
    /// "live_migratable": "yes"
    SPEC_BOOLEAN = "spec-boolean", Error;

    /// one_time_use needs [pci] report_in_placement.
    ///
    /// # Meaning
    /// A device for one use is reserved in Placement after its first guest. Without report_in_placement there is
    /// nothing to reserve, and Nova refuses to start.
    /// # Check by hand
    /// grep -n report_in_placement FILE
    /// # Fix
    /// report_in_placement = true in [pci] on that host (it cannot be switched off again), or drop one_time_use.
    ONE_TIME_USE = "one-time-use-without-placement", Error;

    /// remote_managed is set on a PF's address, or on an interface that does not exist.
    ///
    /// # Meaning
    /// remote_managed is for VFs whose PF belongs to another host (a SmartNIC). With a PF's exact address Nova tries to
    /// compare ids through a file that sysfs does not have, and stops. With a devname that does not exist it stops too.
    /// # Check by hand
    /// ls /sys/bus/pci/devices/ADDRESS/physfn exists for a VF only.
    /// # Fix
    /// Give the VFs' own addresses, for example "address": "0000:81:00.*" with the VFs' product_id.
    REMOTE_MANAGED = "remote-managed-pf", Error;
}

/// Keys that choose devices; every other key is a tag.
pub(crate) const MATCHING_KEYS: [&str; 4] = ["vendor_id", "product_id", "address", "devname"];

/// Tags Nova knows.
pub(crate) const KNOWN_TAGS: [&str; 8] = [
    "live_migratable",
    "managed",
    "one_time_use",
    "physical_network",
    "remote_managed",
    "resource_class",
    "traits",
    "trusted",
];

/// A vendor or product id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdPattern {
    /// As Nova keeps it: `*` or four lower-case digits.
    pub text: String,
    /// The id, unless any or one that no device has.
    pub id: Option<PciId>,
}

impl IdPattern {
    fn any() -> Self {
        Self { text: "*".to_owned(), id: None }
    }

    /// Whether every device matches.
    pub fn is_any(&self) -> bool {
        self.text == "*"
    }
}

/// One entry that Nova accepts.
#[derive(Debug, Clone)]
pub struct DeviceSpec {
    /// The object as written.
    pub node: Node,
    /// Vendor.
    pub vendor_id: IdPattern,
    /// Product, for a VF the VF's own.
    pub product_id: IdPattern,
    /// Address; `None` for a `devname` that does not exist here, which matches nothing.
    pub address: Option<AddressPattern>,
    /// `devname` as written.
    pub devname: Option<Json>,
    /// Whether only devices with a card serial number match.
    pub remote_managed: bool,
    /// Every other key as Nova keeps it.
    pub tags: Tags,
}

/// What reading an entry needs besides the entry.
#[derive(Debug, Clone, Copy)]
pub struct Surroundings<'a> {
    /// The host's sysfs.
    pub host: &'a dyn PciLookup,
    /// `[pci] report_in_placement`.
    pub report_in_placement: bool,
}

impl DeviceSpec {
    /// Where the entry stands.
    pub fn span(&self) -> Span {
        self.node.span
    }

    /// Reads one member of the list; every error of it goes to `findings`.
    pub fn read(node: &Node, around: Surroundings<'_>, findings: &mut Vec<Finding>) -> Option<Self> {
        let before = findings.len();
        if !matches!(node.value, Value::Object(_)) {
            findings.push(
                Finding::new(&SPEC_SHAPE, format!("a device_spec is an object, not {}", node.kind()))
                    .at(node.span, node.kind())
                    .remedy("{\"vendor_id\": …, \"product_id\": …}")
                    .nova(
                        "PciConfigInvalidSpec",
                        format!(
                            "Invalid [pci]device_spec config: Invalid entry: '{}'; Expecting dict",
                            node.python_str()
                        ),
                    ),
            );
            return None;
        }
        let vendor_id = id(node, "vendor_id", findings);
        let product_id = id(node, "product_id", findings);
        let address = node.get("address").filter(|m| m.value.truthy());
        let devname = node.get("devname").filter(|m| m.value.truthy());
        if let (Some(address), Some(devname)) = (address, devname) {
            findings.push(
                Finding::new(&SPEC_DEVNAME, "a device_spec has either an address or a devname, not both")
                    .at(devname.key.span.to(devname.value.span), "devname")
                    .also(address.key.span.to(address.value.span), "address")
                    .remedy("remove devname")
                    .nova(
                        "PciDeviceInvalidDeviceName",
                        "Invalid PCI Whitelist: The PCI whitelist can specify devname or address, but not both",
                    ),
            );
        }
        let pattern = match (address, devname) {
            (None, Some(devname)) => around.host.netdev(&devname.value.python_str()).map(|netdev| {
                AddressPattern::of_netdev(&netdev.device, netdev.is_pf, around.host).map_err(|e| (e, devname))
            }),
            (Some(address), _) => Some(AddressPattern::read(&address.value, around.host).map_err(|e| (e, address))),
            (None, None) => Some(Ok(AddressPattern::any())),
        };
        let pattern = match pattern {
            Some(Err((error, member))) => {
                findings.push(address_diagnostic(*error, member));
                None
            }
            Some(Ok(pattern)) => Some(pattern),
            None => None,
        };
        let tags = tags(node, around.report_in_placement, findings);
        let remote = node.get("remote_managed").filter(|m| bool_word::value(&m.value) == Some(true));
        if let Some(member) = remote {
            remote_managed(member, pattern.as_ref(), devname, findings);
        }
        (findings.len() == before).then(|| Self {
            node: node.clone(),
            vendor_id,
            product_id,
            address: pattern,
            devname: node.get("devname").map(|m| m.value.to_json()).filter(|v| !v.is_null()),
            remote_managed: remote.is_some(),
            tags,
        })
    }

    /// What the spec declares.
    pub fn declared(&self) -> Declared {
        self.tags.declared()
    }

    /// The document's form.
    pub fn document(&self, index: usize, sources: &Sources) -> SpecDoc {
        SpecDoc {
            index,
            file: Some(sources.file(self.span().file).name.clone()),
            line: Some(sources.line(self.span())),
            vendor_id: self.vendor_id.text.clone(),
            product_id: self.product_id.text.clone(),
            address: self.address.as_ref().map(AddressPattern::document).unwrap_or_default(),
            devname: self.devname.as_ref().map(|v| v.as_str().map_or_else(|| v.to_string(), str::to_owned)),
            remote_managed: self.remote_managed,
            tags: self.tags.clone(),
        }
    }
}

fn id(node: &Node, key: &str, findings: &mut Vec<Finding>) -> IdPattern {
    let Some(member) = node.get(key) else { return IdPattern::any() };
    let mut refuse = |message: String, found: String, remedy: String, class, nova: String| {
        findings.push(Finding::new(&SPEC_ID, message).at(member.value.span, found).remedy(remedy).nova(class, nova));
        IdPattern::any()
    };
    let Some(text) = member.value.as_str() else {
        let class = if key == "vendor_id" { "AttributeError" } else { "TypeError" };
        return refuse(
            format!("{key} must be text, not {}", member.value.kind()),
            member.value.kind().to_owned(),
            format!("put it in double quotes: \"{key}\": \"…\""),
            class,
            if key == "vendor_id" {
                "the value has no attribute 'strip'".to_owned()
            } else {
                "int() can't convert non-string with explicit base".to_owned()
            },
        );
    };
    // Nova strips the vendor before it looks for the star, the product not.
    let stripped = if key == "vendor_id" { words::strip(text) } else { text };
    if stripped == "*" {
        return IdPattern::any();
    }
    let invalid = "PciConfigInvalidSpec";
    let Some(value) = words::int(stripped, 16) else {
        return refuse(
            format!("{key} '{text}' is not a hex number"),
            "not hex".to_owned(),
            format!("write four hex digits as lspci -nn shows them, or \"{key}\": \"*\""),
            invalid,
            format!("Invalid [pci]device_spec config: property {key} ('{stripped}') does not parse as a hex number."),
        );
    };
    if value > 0xffff {
        return refuse(
            format!("{key} '{text}' is larger than ffff"),
            "more than four digits".to_owned(),
            "write four hex digits as lspci -nn shows them".to_owned(),
            invalid,
            format!(
                "Invalid [pci]device_spec config: property {key} ({stripped}) is greater than the maximum allowable value (FFFF)."
            ),
        );
    }
    IdPattern { text: words::hex(value, 4), id: u16::try_from(value).ok().map(PciId) }
}

fn address_diagnostic(error: AddressError, member: &Member) -> Finding {
    let mut finding = Finding::new(&SPEC_ADDRESS, error.message)
        .at(error.span.unwrap_or(member.value.span), error.found)
        .remedy(error.remedy);
    finding.nova_error = Some(error.nova);
    finding
}

fn tags(node: &Node, report_in_placement: bool, findings: &mut Vec<Finding>) -> Tags {
    let mut tags = Tags::default();
    for member in node.members() {
        let key = member.key.value.as_str();
        if MATCHING_KEYS.contains(&key) {
            continue;
        }
        let strict = matches!(key, "live_migratable" | "managed" | "one_time_use");
        if !strict || matches!(member.value.value, Value::Null) {
            tags.set(key, member.value.to_json());
            continue;
        }
        let Some(value) = bool_word::value(&member.value) else {
            let shown = member.value.as_str().map_or_else(|| member.value.kind().to_owned(), |t| format!("'{t}'"));
            findings.push(
                Finding::new(&SPEC_BOOLEAN, format!("{key} must be a boolean word, not {shown}"))
                    .at(member.value.span, "not a boolean word")
                    .note(format!("Nova takes {}", bool_word::WORDS))
                    .remedy(format!("\"{key}\": \"yes\" or \"{key}\": \"no\""))
                    .nova(
                        "PciConfigInvalidSpec",
                        format!(
                            "Invalid [pci]device_spec config: Cannot parse tag '{key}': {}",
                            bool_word::refusal(&member.value.python_str())
                        ),
                    ),
            );
            continue;
        };
        if key == "one_time_use" && value && !report_in_placement {
            findings.push(
                Finding::new(&ONE_TIME_USE, "one_time_use needs report_in_placement, which is off")
                    .at(member.key.span.to(member.value.span), "on")
                    .remedy("report_in_placement = true in [pci] (once on, it cannot go off), or remove one_time_use")
                    .nova(
                        "PciConfigInvalidSpec",
                        "Invalid [pci]device_spec config: one_time_use=true requires pci.report_in_placement to be enabled",
                    ),
            );
        }
        tags.set(key, Json::Bool(value));
    }
    tags
}

/// Nova means to compare ids here, but reads a file sysfs does not have: with a PF it always stops.
fn remote_managed(
    member: &Member,
    pattern: Option<&AddressPattern>,
    devname: Option<&Member>,
    findings: &mut Vec<Finding>,
) {
    let span = member.key.span.to(member.value.span);
    match (pattern, devname) {
        (None, Some(devname)) => findings.push(
            Finding::new(
                &REMOTE_MANAGED,
                "remote_managed is set, but the interface of devname does not exist here",
            )
            .at(devname.value.span, "no such interface on this host")
            .also(span, "remote_managed")
            .remedy("give the VFs' addresses instead of devname")
            .nova(
                "PciDeviceRemoteManagedNotPresent",
                "Invalid PCI Whitelist: A device specified as \"remote_managed\" is not actually present on the host",
            ),
        ),
        (Some(pattern), _) if pattern.is_pf => findings.push(
            Finding::new(&REMOTE_MANAGED, "remote_managed is for VFs, and this address is a PF")
                .at(span, "on a PF")
                .remedy("give the VFs' own addresses, with the VFs' product_id")
                .nova("PciDeviceNotFoundById", "PCI device not found"),
        ),
        _ => {}
    }
}
