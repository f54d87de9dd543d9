//! The kinds about Placement: what Nova would report, and its names.

use pvm::internals::model::finding::NovaError;
use pvm::internals::model::snapshot::Device;
use pvm::internals::model::snapshot::device::Vpd;
use pvm::internals::nova::config::placement_names;
use pvm::internals::nova::{placement as reported, tagging};
use serde_json::{Map, Value, json};

use super::{Verdict, specs, text};

pub(super) fn placement(case: &Value) -> Verdict {
    let config = specs(case)?;
    let listed: Vec<Device> = case["devices"].as_array().into_iter().flatten().filter_map(device).collect();
    let mut devices = listed;
    // Nova's order is that of discovery; tagging looks PFs up by address.
    devices.sort_by_key(|d| d.address);
    tagging::tag(&config, &mut devices);
    match reported::providers(text(case, "host"), &config.document(), &devices) {
        Ok(providers) => {
            let by_name: Map<_, _> = providers
                .into_iter()
                .map(|p| {
                    let inventory = json!({p.resource_class: {"total": p.total, "max_unit": p.total}});
                    (p.provider, json!({"inventory": inventory, "traits": p.traits}))
                })
                .collect();
            Ok(json!({"providers": by_name}))
        }
        Err(refusal) => Err(NovaError::new(refusal.class, refusal.message)),
    }
}

/// A case's device, as a snapshot has it.
fn device(case: &Value) -> Option<Device> {
    let card_serial = case["capabilities"]["vpd"]["card_serial_number"].as_str().map(str::to_owned);
    Some(Device {
        address: text(case, "address").parse().ok()?,
        vendor_id: text(case, "vendor_id").parse().ok(),
        product_id: text(case, "product_id").parse().ok(),
        parent_addr: text(case, "parent_addr").parse().ok(),
        dev_type: serde_json::from_value(case["dev_type"].clone()).ok()?,
        vpd: card_serial.map(|serial| Vpd { card_serial: Some(serial), ..Vpd::default() }),
        ..Device::default()
    })
}

pub(super) fn normalize(case: &Value) -> Value {
    let class = placement_names::resource_class(
        case["resource_class"].as_str(),
        text(case, "vendor_id"),
        text(case, "product_id"),
    );
    let mut answer = json!({"resource_class": class});
    if let Some(list) = case["traits"].as_str() {
        answer["traits"] = json!(placement_names::traits(list));
    }
    answer
}
