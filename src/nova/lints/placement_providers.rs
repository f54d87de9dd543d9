//! Devices that cannot be one resource provider.

use super::Subject;
use crate::model::finding::Finding;
use crate::model::snapshot::{Declared, DevType, Device};
use crate::nova::config::DeviceSpec;
use crate::nova::config::options::REPORT_IN_PLACEMENT;
use crate::nova::config::placement_names;
use std::collections::BTreeMap;

lint! {
    /// With report_in_placement, the functions of one PF are matched in a way Placement cannot hold.
    ///
    /// # Meaning
    /// pvm looks for this only with --host. A PF with its VFs is one resource provider with one resource class and one
    /// set of traits. Nova stops at start when a PF and one of its VFs are both matched, when VFs of one PF have
    /// different resource classes or traits (live_migratable yes on some of them is a trait), and when one_time_use is
    /// set on a VF.
    /// # Check by hand
    /// pvm inventory HOST --placement shows what Nova would report.
    /// # Fix
    /// One device_spec for all VFs of a PF, and none for the PF itself.
    "placement-conflict": Error, run
}

fn run(subject: &Subject<'_>, found: &mut Vec<Finding>) {
    if !subject.config.is_on(&REPORT_IN_PLACEMENT) {
        return;
    }
    let mut providers: BTreeMap<_, Vec<(&Device, &DeviceSpec)>> = BTreeMap::new();
    for (device, winner) in subject.matched() {
        let Some(spec) = winner.map(|i| &subject.config.device_specs[i]) else { continue };
        let networked = spec
            .tags
            .physical_network
            .as_ref()
            .is_some_and(|v| v.as_str().is_none_or(|s| !s.is_empty()) && !v.is_null());
        if !networked {
            providers.entry(device.parent_addr.unwrap_or(device.address)).or_default().push((device, spec));
        }
    }
    let mut told = Vec::new();
    for (provider, functions) in providers {
        let Some((class, spec, other, message, fix)) = conflict(&functions) else { continue };
        // The same two specs on every PF are one mistake.
        if told.contains(&(spec.span(), other.span(), class)) {
            continue;
        }
        told.push((spec.span(), other.span(), class));
        let mut finding = Finding::new(&RULE, format!("on {provider} {message}"))
            .at(spec.span(), "this one")
            .device(&provider)
            .remedy(fix)
            .nova(class, format!("for the devices of {provider}"));
        if other.span() != spec.span() {
            finding = finding.also(other.span(), "against this one");
        }
        found.push(finding);
    }
}

type Conflict<'a> = (&'static str, &'a DeviceSpec, &'a DeviceSpec, &'static str, &'static str);

fn conflict<'a>(functions: &[(&'a Device, &'a DeviceSpec)]) -> Option<Conflict<'a>> {
    let (_, first) = functions.first()?;
    if let Some((_, spec)) = functions.iter().find(|(d, s)| d.parent_addr.is_some() && s.tags.one_time_use.is_some()) {
        return Some(("PlacementPciException", spec, spec, "one_time_use is set on VFs", "remove one_time_use"));
    }
    let pf = functions.iter().find(|(device, _)| device.dev_type == DevType::Pf);
    let vf = functions.iter().find(|(device, _)| device.parent_addr.is_some());
    if let (Some((_, pf)), Some((_, vf))) = (pf, vf) {
        let fix = "match the VFs only: give their product_id";
        return Some(("PlacementPciDependentDeviceException", pf, vf, "the PF and its VFs are both matched", fix));
    }
    let class = |(device, spec): &(&Device, &DeviceSpec)| {
        let id = |id: Option<crate::model::pci::PciId>| id.map(|id| id.to_string()).unwrap_or_default();
        let name = spec.tags.resource_class.as_ref().and_then(|v| v.as_str());
        placement_names::resource_class(name, &id(device.vendor_id), &id(device.product_id))
    };
    let traits = |(_, spec): &(&Device, &DeviceSpec)| {
        let text = spec.tags.traits.as_ref().and_then(|v| v.as_str()).unwrap_or_default();
        (placement_names::traits(text), spec.declared() == Declared::Yes)
    };
    let different = |a: &&(&Device, &DeviceSpec)| class(a) != class(&functions[0]);
    if let Some((_, other)) = functions.iter().find(different) {
        let fix = "give all VFs of one PF the same resource_class";
        return Some((
            "PlacementPciMixedResourceClassException",
            other,
            first,
            "the VFs have different resource classes",
            fix,
        ));
    }
    let other = functions.iter().find(|f| traits(f) != traits(&functions[0]))?.1;
    let fix = "give all VFs of one PF the same traits and the same live_migratable";
    Some((
        "PlacementPciMixedTraitsException",
        other,
        first,
        "the VFs have different traits, or only some are live_migratable",
        fix,
    ))
}
