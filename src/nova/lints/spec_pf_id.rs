//! A device_spec with the id of a PF where its VFs are meant.

use super::Subject;
use crate::model::finding::Finding;
use crate::model::functions;
use crate::model::pci::PciId;
use crate::model::snapshot::{Declared, DevType};
use crate::nova::config::DeviceSpec;

lint! {
    /// A device_spec names the product id of a PF, and its VFs have another one.
    ///
    /// # Meaning
    /// A VF has a product id of its own. A device_spec with the PF's id matches the PF and none of its VFs: no guest gets
    /// a VF through it, and live_migratable says nothing, for a PF has no migration state. pvm says this of specs that
    /// declare live_migratable yes and of those whose VFs an alias asks for.
    /// # Check by hand
    /// lspci -nn, and cat /sys/bus/pci/devices/PF/sriov_vf_device
    /// # Fix
    /// Write the product_id of the VFs; the other keys stay.
    "spec-pf-id": Warning, run
}

fn run(subject: &Subject<'_>, found: &mut Vec<Finding>) {
    for (index, spec) in subject.config.device_specs.iter().enumerate() {
        let (Some((own, vfs)), Some(member)) = (mistaken(subject, index, spec), spec.node.get("product_id")) else {
            continue;
        };
        found.push(
            Finding::new(&RULE, functions::told(own, vfs))
                .at(member.value.span, "the PF's id")
                .remedy(format!("\"product_id\": \"{vfs}\", the other keys as they are")),
        );
    }
}

/// The PF's id and that of its VFs, where a spec has the first and the second is meant.
pub(super) fn mistaken(subject: &Subject<'_>, index: usize, spec: &DeviceSpec) -> Option<(PciId, PciId)> {
    let (own, vfs) = ids(subject, index, spec)?;
    let vf = vfs.to_string();
    let wanted = subject.config.aliases.iter().any(|alias| {
        alias.spec.get("product_id").is_some_and(|id| id.eq_ignore_ascii_case(&vf))
            && !subject.config.device_specs.iter().any(|other| super::serves(other, &alias.spec))
    });
    (spec.declared() == Declared::Yes || wanted).then_some((own, vfs))
}

/// What the host shows of the devices that a spec matches, or without one of its ids what is known of the card.
fn ids(subject: &Subject<'_>, index: usize, spec: &DeviceSpec) -> Option<(PciId, PciId)> {
    let own = spec.product_id.id?;
    if let Some(host) = subject.host {
        let mut won =
            subject.matched().into_iter().filter(|(_, winner)| *winner == Some(index)).map(|(device, _)| device);
        let first = won.next()?;
        let only_pfs = first.dev_type == DevType::Pf && won.all(|device| device.dev_type == DevType::Pf);
        return only_pfs.then(|| functions::other_id_of_vfs(host, first)).flatten().map(|vfs| (own, vfs));
    }
    functions::vf_of(spec.vendor_id.id?.0, own.0).map(|vfs| (own, PciId(vfs)))
}

/// The spec whose PF id was meant for VFs with these ids.
pub(super) fn meant_for(subject: &Subject<'_>, vendor: &str, product: &str) -> bool {
    subject.config.device_specs.iter().enumerate().any(|(index, spec)| {
        (spec.vendor_id.is_any() || spec.vendor_id.text.eq_ignore_ascii_case(vendor))
            && mistaken(subject, index, spec).is_some_and(|(_, vfs)| vfs.to_string().eq_ignore_ascii_case(product))
    })
}
