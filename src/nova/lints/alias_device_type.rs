//! An alias whose ids and device_type do not fit.

use super::Subject;
use crate::model::finding::Finding;
use crate::model::functions;
use crate::model::snapshot::DevType;

lint! {
    /// The ids of an alias belong to another device_type than it names.
    ///
    /// # Meaning
    /// A VF has a product id of its own. An alias with the PF's product_id and device_type type-VF (or the other way
    /// round) matches no device.
    /// # Check by hand
    /// lspci -nn, and cat /sys/bus/pci/devices/PF/sriov_vf_device
    /// # Fix
    /// The product_id of the kind of function that device_type names.
    "alias-device-type": Warning, run
}

fn run(subject: &Subject<'_>, found: &mut Vec<Finding>) {
    for alias in &subject.config.aliases {
        let (Some(vendor), Some(product), Some(wanted)) =
            (alias.spec.get("vendor_id"), alias.spec.get("product_id"), alias.spec.get("dev_type"))
        else {
            continue;
        };
        let (vendor, product) = (vendor.to_lowercase(), product.to_lowercase());
        let Some((is, why, fix)) = kind(subject, &vendor, &product, wanted) else { continue };
        let Some(member) = alias.node.get("product_id") else { continue };
        found.push(
            Finding::new(
                &RULE,
                format!("alias '{}' wants {wanted}, but {vendor}:{product} is {is}{why}", alias.name.value),
            )
            .at(member.value.span, format!("{is} here"))
            .remedy(fix.map_or_else(
                || format!("\"device_type\": \"{is}\", or the product_id of the {wanted}"),
                |id| format!("\"product_id\": \"{id}\""),
            )),
        );
    }
}

/// What the ids really are, where that is not what is wanted; how it is known; and the ids that would fit.
fn kind(
    subject: &Subject<'_>,
    vendor: &str,
    product: &str,
    wanted: &str,
) -> Option<(&'static str, &'static str, Option<String>)> {
    if let Some(host) = subject.host {
        let mut of_ids = host.devices.iter().filter(|d| {
            d.vendor_id.is_some_and(|id| id.to_string() == vendor)
                && d.product_id.is_some_and(|id| id.to_string() == product)
        });
        let first = of_ids.next()?;
        let fits = |device: DevType| device.as_str() == wanted;
        return (!fits(first.dev_type) && !of_ids.any(|d| fits(d.dev_type)))
            .then(|| (first.dev_type.as_str(), " on this host", None));
    }
    let (vendor, product) = (u16::from_str_radix(vendor, 16).ok()?, u16::from_str_radix(product, 16).ok()?);
    match functions::vf_of(vendor, product) {
        Some(vf) if wanted == "type-VF" => Some(("type-PF", "", Some(format!("{vf:04x}")))),
        None if wanted == "type-PF" && functions::is_vf(vendor, product) => Some(("type-VF", "", None)),
        _ => None,
    }
}
