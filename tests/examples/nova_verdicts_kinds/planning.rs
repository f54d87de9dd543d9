//! The kinds about pools, claims, migrations and the rewritten XML.

use pvm::internals::domain::{read, rewrite};
use pvm::internals::model::device_move::{Action, DeviceMove};
use pvm::internals::model::finding::NovaError;
use pvm::internals::model::pci::PciAddress;
use pvm::internals::model::snapshot::{AliasDoc, DevType, HostdevKind, Tags};
use pvm::internals::nova::config::{self, Matcher, View};
use pvm::internals::nova::scheduler::precheck::{self, Services};
use pvm::internals::nova::scheduler::{Cells, Claimed, Request, Tracked, Tracker};
use serde_json::{Map, Value, json};

use super::{Verdict, load, text};

const FAILED: &str = "PciDeviceRequestFailed";

/// One host of a case: its devices with the tags of the specs that match them, and its aliases.
struct Host {
    devices: Vec<(Value, Tags)>,
    aliases: Vec<AliasDoc>,
}

impl Host {
    fn read(case: &Value, [conf, sysfs, devices]: [&str; 3]) -> Result<Self, NovaError> {
        let config = load(case, conf, sysfs)?;
        if let Some(refused) = config.refusals.device_specs.clone().or_else(|| config.refusals.aliases.clone()) {
            return Err(refused);
        }
        let matcher = Matcher::new(&config.device_specs);
        let all = case[devices].as_array().into_iter().flatten();
        let devices = all
            .filter_map(|device| {
                let view = View {
                    vendor_id: text(device, "vendor_id").parse().ok(),
                    product_id: text(device, "product_id").parse().ok(),
                    address: text(device, "address").parse().ok()?,
                    parent: text(device, "parent_addr").parse().ok(),
                    card_serial: !text(&device["capabilities"]["vpd"], "card_serial_number").is_empty(),
                };
                let spec = &config.device_specs[matcher.first_match(&view)?];
                Some((device.clone(), spec.tags.clone()))
            })
            .collect();
        Ok(Self { devices, aliases: config.document().aliases })
    }

    fn tracker(&self) -> Tracker<'_> {
        let tracked = self.devices.iter().filter_map(|(device, tags)| {
            Some(Tracked {
                address: text(device, "address").parse().ok()?,
                vendor_id: text(device, "vendor_id").parse().ok()?,
                product_id: text(device, "product_id").parse().ok()?,
                dev_type: serde_json::from_value::<DevType>(device["dev_type"].clone()).ok()?,
                parent: text(device, "parent_addr").parse().ok(),
                numa_node: device["numa_node"].as_u64().and_then(|node| u32::try_from(node).ok()),
                parent_ifname: device["parent_ifname"].as_str(),
                tags,
            })
        });
        Tracker::new(tracked.collect())
    }

    fn requests(&self, wanted: &str, policy: Option<&str>) -> Result<Vec<Request>, NovaError> {
        let requests = config::requests(wanted, &self.aliases, policy).map_err(|error| error.nova)?;
        Ok(requests.into_iter().map(Request::from).collect())
    }
}

fn cells(case: &Value, guest: &Value) -> Cells {
    let number = |value: &Value| value.as_u64().and_then(|n| u32::try_from(n).ok());
    let host = case["host_cells"].as_array().into_iter().flatten();
    Cells {
        guest: guest.as_array().into_iter().flatten().filter_map(number).collect(),
        host: host.filter_map(|cell| Some((number(&cell["id"])?, number(&cell["socket"])))).collect(),
    }
}

fn pools(tracker: &Tracker<'_>) -> Value {
    let pools = tracker.pools.list.iter().map(|pool| {
        let mut fields: Map<String, Value> = pool.fields().into_iter().collect();
        let devices = pool.devices.iter().map(|device| tracker.pools.devices[*device].address);
        fields.insert("devices".to_owned(), json!(devices.collect::<Vec<_>>()));
        fields.insert("count".to_owned(), json!(pool.devices.len()));
        Value::Object(fields)
    });
    pools.collect()
}

fn claimed(claims: &[Claimed]) -> Value {
    claims.iter().map(|claim| json!({"alias": claim.alias, "devices": claim.devices})).collect()
}

pub(super) fn allocate(case: &Value) -> Verdict {
    let host = Host::read(case, ["conf", "sysfs", "devices"])?;
    let mut tracker = host.tracker();
    let before = pools(&tracker);
    let mut steps = Vec::new();
    let mut held: Vec<Option<Vec<Claimed>>> = Vec::new();
    let single = [case.clone()];
    for instance in case["instances"].as_array().map_or(&single[..], Vec::as_slice) {
        if let Some(index) = instance["release"].as_u64() {
            let freed = usize::try_from(index).ok().and_then(|index| held.get_mut(index)).and_then(Option::take);
            if let Some(claims) = &freed {
                tracker.release(claims);
            }
            steps.push(json!({"released": freed.is_some()}));
            held.push(None);
            continue;
        }
        let requests = host.requests(text(instance, "requests"), instance["numa_policy"].as_str())?;
        let cells = cells(case, &instance["numa_cells"]);
        let supported = tracker.supports(&requests, &cells);
        let claims = tracker.claim(&requests, &cells).ok();
        steps.push(match &claims {
            Some(claims) => json!({"claimed": claimed(claims), "supported": supported}),
            None => json!({"claimed": null, "error": FAILED, "supported": supported}),
        });
        held.push(claims);
    }
    let status: Map<String, Value> = tracker
        .pools
        .devices
        .iter()
        .filter_map(|device| Some((device.address.to_string(), json!(tracker.status(device.address)?.as_str()))))
        .collect();
    Ok(json!({"pools": before, "steps": steps, "pools_after": pools(&tracker), "status": status}))
}

pub(super) fn precheck(case: &Value) -> Verdict {
    let requests = match case["flavor"]["extra_specs"]["pci_passthrough:alias"].as_str() {
        Some(wanted) => {
            let (_, docs) = super::aliases(case)?;
            config::requests(wanted, &docs, None).map_err(|error| error.nova)?
        }
        // Nobody asks for the aliases then, so whatever is wrong with them is not found.
        None => load(case, "conf", "sysfs").map(|_| Vec::new())?,
    };
    let requests: Vec<Request> = requests.into_iter().map(Request::from).collect();
    let version = |side: &str| case["service_versions"][side].as_u64().and_then(|n| u32::try_from(n).ok()).unwrap_or(0);
    let services = Services {
        port_bindings: case["port_binding_extension"] == true,
        source: version("src"),
        destination: version("dst"),
    };
    let ports = case["neutron"].as_array().map_or(0, Vec::len);
    Ok(json!({"precheck": word(&precheck::check(&requests, ports, services))}))
}

fn word(answer: &Result<(), precheck::Refused>) -> &'static str {
    if answer.is_ok() { "ok" } else { "MigrationPreCheckError" }
}

pub(super) fn migrate(case: &Value) -> Verdict {
    let source = Host::read(case, ["src_conf", "src_sysfs", "src_devices"])?;
    let destination = Host::read(case, ["dst_conf", "dst_sysfs", "dst_devices"])?;
    let extra = &case["flavor"]["extra_specs"];
    let requests = match extra["pci_passthrough:alias"].as_str() {
        Some(wanted) => source.requests(wanted, extra["hw:pci_numa_affinity_policy"].as_str())?,
        None => Vec::new(),
    };
    let mut tracker = source.tracker();
    let Ok(mine) = tracker.claim(&requests, &cells(case, &case["src_numa_cells"])) else {
        return Ok(json!({"result": "source-unsupported"}));
    };
    let ports = case["neutron"].as_array().map_or(0, Vec::len);
    let answer = word(&precheck::check(&requests, ports, Services::default()));
    if answer != "ok" {
        return Ok(json!({"result": "precheck-failed", "precheck": answer}));
    }
    let mut tracker = destination.tracker();
    for busy in case["dst_busy"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        // A destination that cannot serve its own guests just has fewer of them.
        let _ = tracker.claim(&destination.requests(busy, None)?, &Cells::default());
    }
    let scheduler = tracker.supports(&requests, &Cells::default());
    let Ok(theirs) = tracker.claim(&requests, &cells(case, &case["dst_numa_cells"])) else {
        return Ok(
            json!({"result": "destination-unsupported", "precheck": answer, "scheduler": scheduler, "error": FAILED}),
        );
    };
    let mut pairs: Vec<(PciAddress, PciAddress)> = Vec::new();
    for (mine, theirs) in mine.iter().zip(&theirs) {
        let mut devices = mine.devices.clone();
        devices.sort_unstable();
        pairs.extend(devices.into_iter().zip(theirs.devices.iter().copied()));
    }
    let before: String = mine.iter().flat_map(|claim| &claim.devices).enumerate().map(hostdev).collect();
    let domain = format!("<domain type='kvm'><name>i</name><devices>{before}</devices></domain>");
    // A destination that tracks nothing claims nothing; Nova then migrates with the XML as it is.
    let after = if pairs.is_empty() { domain } else { rewritten(&domain, &pairs)? };
    Ok(json!({
        "result": "migratable", "precheck": answer, "scheduler": scheduler, "map": pairs, "after": hostdevs(&after)?,
    }))
}

fn hostdev((index, address): (usize, &PciAddress)) -> String {
    let PciAddress { domain, bus, slot, function } = address;
    format!(
        "<hostdev mode='subsystem' type='pci' managed='yes'><source><address domain='0x{domain:04x}' bus='0x{bus:02x}' \
         slot='0x{slot:02x}' function='0x{function:x}'/></source><alias name='hostdev{index}'/></hostdev>"
    )
}

fn rewritten(domain: &str, pairs: &[(PciAddress, PciAddress)]) -> Result<String, NovaError> {
    let moves = pairs.iter().map(|(from, to)| DeviceMove::new(*from, *to, Action::Migrate)).collect::<Vec<_>>();
    // Ports are detached before, so interfaces may stay as they are.
    rewrite::rewrite(domain, &moves, rewrite::Interfaces::MayStay)
        .map_err(|error| NovaError::new("NovaException", error.to_string()))
}

fn hostdevs(domain: &str) -> Verdict {
    let guest = read::read(domain).map_err(|error| NovaError::new("NovaException", error.to_string()))?;
    let plain = guest.hostdevs.iter().filter(|hostdev| hostdev.kind == HostdevKind::Hostdev);
    Ok(plain
        .map(|hostdev| {
            let managed = hostdev.managed.map(|managed| if managed { "yes" } else { "no" });
            json!({"alias": hostdev.alias, "managed": managed, "source": hostdev.source})
        })
        .collect())
}

pub(super) fn xml(case: &Value) -> Verdict {
    let pairs = case["map"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|pair| Some((pair[0].as_str()?.parse().ok()?, pair[1].as_str()?.parse().ok()?)));
    let after = rewritten(text(case, "xml"), &pairs.collect::<Vec<_>>())?;
    Ok(json!({"hostdevs": hostdevs(&after)?, "xml": after}))
}
