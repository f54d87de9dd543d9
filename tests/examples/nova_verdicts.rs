//! Reads cases, a JSON object a line; writes pvm's verdicts in the form of Nova's own. Only decodes and encodes: every
//! rule is the function that the subcommands call.

#![allow(clippy::print_stdout, reason = "an example prints its result")]

use std::io::{self, BufRead as _};
use std::path::Path;

use pvm::internals::facts::nova_files;
use pvm::internals::model::finding::NovaError;
use pvm::internals::model::snapshot::AliasDoc;
use pvm::internals::nova::config::machine::{Netdev, PciLookup};
use pvm::internals::nova::config::{self, Input, Machine, Matcher, ParsedConfig, View, options, request};
use serde_json::{Map, Value, json};

#[path = "nova_verdicts_kinds/placement.rs"]
mod placement;
#[path = "nova_verdicts_kinds/planning.rs"]
mod planning;

type Verdict = Result<Value, NovaError>;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    answer(std::io::stdin().lock().lines(), |answer| println!("{answer}"))
}

/// Gives what pvm says about each case to `take`; kinds it does not know are left out.
pub fn answer(
    lines: impl Iterator<Item = io::Result<String>>,
    mut take: impl FnMut(Value),
) -> Result<(), Box<dyn std::error::Error>> {
    for line in lines {
        let case: Value = serde_json::from_str(&line?)?;
        let verdict = match text(&case, "kind") {
            "ini" => ini(&case),
            "device_spec" => device_spec(&case),
            "alias" => alias(&case),
            "match" => matches(&case),
            "request" => requests(&case),
            "placement" => placement::placement(&case),
            "normalize" => Ok(placement::normalize(&case)),
            "allocate" => planning::allocate(&case),
            "migrate" => planning::migrate(&case),
            "precheck" => planning::precheck(&case),
            "xml" => planning::xml(&case),
            _ => continue,
        };
        let mut answer = match verdict {
            Ok(mut answer) => {
                answer["verdict"] = json!("accepted");
                answer
            }
            Err(error) => json!({"verdict": "rejected", "error": error.class, "message": error.message}),
        };
        (answer["id"], answer["kind"]) = (case["id"].clone(), case["kind"].clone());
        take(answer);
    }
    Ok(())
}

fn text<'a>(case: &'a Value, key: &str) -> &'a str {
    case[key].as_str().unwrap_or_default()
}

/// A case's `sysfs`: what the host says about PFs and interfaces.
#[derive(Debug)]
struct Sysfs<'a>(Option<&'a Map<String, Value>>);

impl PciLookup for Sysfs<'_> {
    fn is_physical_function(&self, name: &str) -> bool {
        self.0.and_then(|sysfs| sysfs.get(name)).is_some_and(|d| d["totalvfs"].as_i64().is_some_and(|n| n > 0))
    }

    fn netdev(&self, name: &str) -> Option<Netdev> {
        let (address, _) = self.0?.iter().find(|(_, d)| d["netdev"] == name)?;
        Some(Netdev { device: address.clone(), is_pf: self.is_physical_function(address) })
    }
}

fn load(case: &Value, conf: &str, sysfs: &str) -> Result<ParsedConfig, NovaError> {
    let mut inputs = Vec::new();
    let mut add = |name: String, text: &Value| {
        inputs.push(Input { name, bytes: text.as_str().unwrap_or_default().as_bytes().to_vec() });
    };
    match &case[conf] {
        Value::Array(texts) => texts.iter().enumerate().for_each(|(i, text)| add(format!("nova-{i}.conf"), text)),
        text => add("nova.conf".to_owned(), text),
    }
    let dir = case["conf_dir"].as_object().into_iter().flatten();
    let read = dir.filter(|(name, _)| nova_files::counts_in_directory(Path::new(name)));
    read.for_each(|(name, text)| add(name.clone(), text));
    let machine = Machine { hostname: Some("oracle-host".to_owned()), address: Some("192.0.2.1".to_owned()) };
    let config = config::load(inputs, &Sysfs(case[sysfs].as_object()), &machine);
    config.refusals.files.clone().map_or(Ok(config), Err)
}

fn specs(case: &Value) -> Result<ParsedConfig, NovaError> {
    let config = load(case, "conf", "sysfs")?;
    config.refusals.device_specs.clone().map_or(Ok(config), Err)
}

fn aliases(case: &Value) -> Result<(ParsedConfig, Vec<AliasDoc>), NovaError> {
    let config = load(case, "conf", "sysfs")?;
    let docs = config.document().aliases;
    config.refusals.aliases.clone().map_or(Ok((config, docs)), Err)
}

fn ini(case: &Value) -> Verdict {
    let config = load(case, "conf", "sysfs")?;
    if let Some(d) = config.findings.iter().find(|d| d.is(&pvm::internals::nova::oslo::substitute::SUBSTITUTION)) {
        return Err(d.nova_error.clone().unwrap_or_else(|| NovaError::new("unknown", "")));
    }
    let raw = |entries: &[config::Entry]| -> Vec<_> {
        entries.iter().filter_map(|e| Some(e.text.as_ref()?.text.clone())).collect()
    };
    Ok(json!({
        "device_spec": raw(&config.spec_entries),
        "alias": raw(&config.alias_entries),
        "report_in_placement": config.is_on(&options::REPORT_IN_PLACEMENT),
        "pci_in_placement": config.is_on(&options::PCI_IN_PLACEMENT),
    }))
}

fn device_spec(case: &Value) -> Verdict {
    let config = specs(case)?;
    let specs = config.device_specs.iter().map(|spec| {
        json!({
            "vendor_id": spec.vendor_id.text, "product_id": spec.product_id.text, "devname": spec.devname,
            "remote_managed": spec.remote_managed, "tags": spec.tags,
            "address": spec.address.as_ref().map(config::address::AddressPattern::document),
        })
    });
    Ok(json!({"specs": specs.collect::<Vec<_>>()}))
}

fn alias(case: &Value) -> Verdict {
    let (_, docs) = aliases(case)?;
    let by_name = docs.into_iter().map(|d| (d.name, json!({"numa_policy": d.numa_policy, "specs": d.specs})));
    Ok(json!({"aliases": by_name.collect::<Map<_, _>>()}))
}

fn matches(case: &Value) -> Verdict {
    let config = specs(case)?;
    let matcher = Matcher::new(&config.device_specs);
    let answers = case["devices"].as_array().into_iter().flatten().map(|device| {
        let address = text(device, "address");
        let Ok(parsed) = address.parse() else { return json!({"address": address, "spec": null}) };
        let view = View {
            vendor_id: text(device, "vendor_id").parse().ok(),
            product_id: text(device, "product_id").parse().ok(),
            address: parsed,
            parent: text(device, "parent_addr").parse().ok(),
            card_serial: !text(&device["capabilities"]["vpd"], "card_serial_number").is_empty(),
        };
        match matcher.first_match(&view) {
            Some(index) => {
                let tags = &config.device_specs[index].tags;
                json!({"address": address, "spec": index, "tags": tags,
                    "managed": tags.get("managed"), "live_migratable": tags.get("live_migratable")})
            }
            None if matcher.skips(&view) => {
                json!({"address": address, "spec": null, "skipped": "PciConfigInvalidSpec"})
            }
            None => json!({"address": address, "spec": null}),
        }
    });
    Ok(json!({"matches": answers.collect::<Vec<_>>()}))
}

fn requests(case: &Value) -> Verdict {
    let extra = &case["flavor"]["extra_specs"];
    let policy = extra["hw:pci_numa_affinity_policy"].as_str();
    let policy = request::affinity_policy(policy, case["image"]["hw_pci_numa_affinity_policy"].as_str())?;
    let mut answer = json!({});
    let mut api = Map::new();
    for (key, value) in extra.as_object().into_iter().flatten() {
        let ok = request::api_accepts_extra_spec(key, value.as_str().unwrap_or_default());
        api.insert(key.clone(), json!(if ok { "ok" } else { "ValidationError" }));
    }
    if !api.is_empty() {
        answer["api"] = api.into();
    }
    let (config, requests) = match extra["pci_passthrough:alias"].as_str() {
        None => (load(case, "conf", "sysfs")?, Vec::new()),
        Some(wanted) => {
            let (config, docs) = aliases(case)?;
            (config, config::requests(wanted, &docs, policy.as_deref()).map_err(|e| e.nova)?)
        }
    };
    if config.is_on(&options::PCI_IN_PLACEMENT) {
        let groups = request::placement_groups(&requests, request::Groups::Nova);
        let groups = groups.iter().map(|g| {
            json!({"resources": {&*g.resource_class: 1}, "required_traits": g.required, "forbidden_traits": g.forbidden})
        });
        answer["groups"] = groups.collect();
    }
    let requests = requests.iter().map(|r| {
        json!({"alias_name": r.alias_name, "count": r.count, "numa_policy": r.numa_policy, "spec": r.specs,
            "live_migratable": r.is_live_migratable()})
    });
    answer["requests"] = requests.collect();
    Ok(answer)
}
