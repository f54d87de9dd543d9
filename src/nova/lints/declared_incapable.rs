//! What is declared against what the device says.

use super::Subject;
use crate::model::finding::{Finding, Severity};
use crate::model::pci::PciAddress;
use crate::model::rebind;
use crate::model::snapshot::device::DevType;
use crate::model::snapshot::{Declared, Device, Supported};

lint! {
    /// A device is declared live-migratable, but it or its driver says it cannot migrate.
    ///
    /// # Meaning
    /// Only with --host. Nova believes the configuration. A device that cannot migrate, or one that has vfio-pci or a
    /// host driver bound instead of a variant driver, makes the migration fail in libvirt, after Nova has moved
    /// everything else.
    /// # Check by hand
    /// pvm inventory HOST --pf ADDRESS
    /// # Fix
    /// Bind the variant driver, or say "live_migratable": "no".
    "declared-not-capable": Error, run
}

fn run(subject: &Subject<'_>, found: &mut Vec<Finding>) {
    for (i, spec) in subject.config.device_specs.iter().enumerate() {
        let devices: Vec<_> =
            subject.matched().into_iter().filter(|(_, winner)| *winner == Some(i)).map(|(device, _)| device).collect();
        let Some(tag) = spec.node.get("live_migratable").filter(|_| spec.declared() == Declared::Yes) else {
            continue;
        };
        let span = tag.key.span.to(tag.value.span);
        let cannot: Vec<_> = devices.iter().filter(|d| d.migration.supported == Some(Supported::No)).collect();
        if let Some(first) = cannot.first() {
            let others = if cannot.len() > 1 { format!(" and {} more", cannot.len() - 1) } else { String::new() };
            let why = reason(first).map(|why| format!(": {why}")).unwrap_or_default();
            let text = format!("{}{others} cannot migrate, although this says yes{why}", first.address);
            let remedy =
                remedy(subject, first).unwrap_or("\"live_migratable\": \"no\", or bind the variant driver that can");
            found.push(Finding::new(&RULE, text).at(span, "declared").device(&first.address).remedy(remedy));
        }
        let plain = |d: &&&Device| {
            // VFs of NVIDIA GPUs belong to the vendor's driver, which needs a vGPU type and no other driver.
            let fine = d.driver.as_deref() == Some("nvidia") && reason(d).is_none();
            let is_vf = d.parent_addr.is_some() || reason(d).is_some();
            let open = d.migration.supported.is_none() && d.driver.is_some() && is_vf && d.dev_type != DevType::Pf;
            open && !d.has_variant_driver() && !fine
        };
        let plain: Vec<_> = devices.iter().filter(plain).collect();
        if let Some(first) = plain.first() {
            let others = if plain.len() > 1 { format!(" and {} more", plain.len() - 1) } else { String::new() };
            let why = reason(first).unwrap_or("no variant driver is bound");
            let text = format!("{}{others} is declared live-migratable, but cannot migrate now: {why}", first.address);
            let default = || match first.candidate_driver.as_deref() {
                Some("vfio_pci" | "vfio-pci") => {
                    "\"live_migratable\": \"no\": this kernel has no variant driver for it".to_owned()
                }
                Some(driver) => rebind::bind(first, driver),
                None => format!("pvm inventory --pf {}, on the host, tells which driver is missing", pf(first)),
            };
            found.push(
                Finding::new(&RULE, text)
                    .severity(Severity::Warning)
                    .at(span, format!("bound to {}", first.driver.as_deref().unwrap_or("nothing")))
                    .device(&first.address)
                    .remedy(remedy(subject, first).map_or_else(default, str::to_owned)),
            );
        }
    }
}

/// Its PF, or itself.
fn pf(device: &Device) -> PciAddress {
    device.parent_addr.unwrap_or(device.address)
}

/// The first link of the device's chain that does not hold, as the inventory tells it.
fn reason(device: &Device) -> Option<&str> {
    let broken = device.migration.chain.iter().find(|link| link.holds == Some(false));
    broken.map(|link| link.found.as_str()).filter(|found| !found.is_empty())
}

/// What the inventory of the host says to do about a device.
fn remedy<'a>(subject: &Subject<'a>, device: &Device) -> Option<&'a str> {
    const SAME: [&str; 3] = ["declared-cannot", "unmanaged-not-bound", "plain-vfio-bound"];
    let address = device.address.to_string();
    let findings = &subject.host?.findings;
    let same = findings.iter().find(|f| SAME.contains(&&*f.code) && f.device.as_deref() == Some(&*address));
    same.and_then(|finding| finding.remedy.as_deref())
}
