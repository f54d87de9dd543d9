//! The CPU of a guest.

use std::collections::{BTreeMap, BTreeSet};

use roxmltree::{Document, Node};

use crate::domain::xml;

/// Features of the MSR `IA32_ARCH_CAPABILITIES`, as libvirt names them (`x86_features.xml` of libvirt 12.9, read 2026-11-28).
/// QEMU 10.1 hides the MSR from guests on AMD by default, and libvirt then hides it in what it says of the host, where a guest can
/// have it all the same.
const ARCH_CAPABILITIES: [&str; 20] = [
    "arch-capabilities",
    "rdctl-no",
    "ibrs-all",
    "rsba",
    "skip-l1dfl-vmentry",
    "ssb-no",
    "mds-no",
    "pschange-mc-no",
    "tsx-ctrl",
    "taa-no",
    "sbdr-ssdp-no",
    "fbsdp-no",
    "psdp-no",
    "fb-clear",
    "bhi-no",
    "pbrsb-no",
    "gds-no",
    "rfds-no",
    "rfds-clear",
    "its-no",
];

/// Whether a feature is one of `IA32_ARCH_CAPABILITIES`.
pub(crate) fn is_arch_capability(feature: &str) -> bool {
    ARCH_CAPABILITIES.contains(&feature)
}

/// What the guest wants of the CPU.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GuestCpu {
    /// `custom`, `host-model`, `host-passthrough`, `maximum`.
    pub mode: Option<String>,
    /// How libvirt checks it when the guest starts: `none`, `partial`, `full`.
    pub check: Option<String>,
    /// Model.
    pub model: Option<String>,
    /// Policy of each feature that the definition names: `require`, `disable`, …
    pub features: BTreeMap<String, String>,
    /// Whether a TSC frequency is fixed.
    pub tsc_frequency: bool,
    /// Threads per core.
    pub threads: Option<u32>,
    /// The element as it stands; libvirt compares it with a host.
    pub xml: String,
}

impl GuestCpu {
    /// Features that the guest has for certain.
    pub fn required(&self) -> impl Iterator<Item = &str> {
        self.with(&["require", "force"])
    }

    /// Features of the model that the guest does without.
    pub fn disabled(&self) -> BTreeSet<&str> {
        self.with(&["disable", "forbid"]).collect()
    }

    /// The element as libvirt of another host is asked about it: that the host must not have more than the guest, or not a
    /// feature that it forbids, holds when the guest starts, not when it arrives.
    pub fn for_another_host(&self) -> String {
        let mut xml = self.xml.clone();
        for (from, to) in [("match=", ("strict", "exact")), ("policy=", ("forbid", "disable"))] {
            for quote in ['\'', '"'] {
                xml = xml.replace(&format!("{from}{quote}{}{quote}", to.0), &format!("{from}{quote}{}{quote}", to.1));
            }
        }
        xml
    }

    /// The same without the features of `IA32_ARCH_CAPABILITIES`; `None` when the guest requires none of them.
    pub(crate) fn without_arch_capabilities(&self) -> Option<String> {
        self.required().find(|feature| is_arch_capability(feature))?;
        let mut xml = self.for_another_host();
        let places: Vec<_> = {
            let document = Document::parse(&xml).ok()?;
            let features = document.root_element().children().filter(|child| child.has_tag_name("feature"));
            let hidden = features.filter(|feature| feature.attribute("name").is_some_and(is_arch_capability));
            hidden.map(|feature| feature.range()).collect()
        };
        for place in places.into_iter().rev() {
            xml.replace_range(place, "");
        }
        Some(xml)
    }

    fn with<'a>(&'a self, policies: &'a [&str]) -> impl Iterator<Item = &'a str> {
        self.features.iter().filter(|(_, policy)| policies.contains(&policy.as_str())).map(|(name, _)| name.as_str())
    }
}

/// Reads the `<cpu>` of a domain, and what `<clock>` says of its TSC.
pub(super) fn read(root: Node<'_, '_>) -> GuestCpu {
    let Some(cpu) = xml::child(root, "cpu") else { return GuestCpu::default() };
    let features = cpu.children().filter(|feature| xml::is(*feature, "feature"));
    let policy = |feature: Node<'_, '_>| {
        let policy = feature.attribute("policy").unwrap_or("require");
        Some((feature.attribute("name")?.to_owned(), policy.to_owned()))
    };
    GuestCpu {
        mode: cpu.attribute("mode").map(str::to_owned),
        check: cpu.attribute("check").map(str::to_owned),
        model: xml::text_of(cpu, "model").map(str::to_owned),
        features: features.filter_map(policy).collect(),
        threads: xml::child(cpu, "topology").and_then(|t| t.attribute("threads")).and_then(|n| n.parse().ok()),
        tsc_frequency: xml::child(root, "clock").is_some_and(|clock| {
            clock.children().any(|timer| timer.attribute("name") == Some("tsc") && timer.has_attribute("frequency"))
        }),
        xml: root.document().input_text()[cpu.range()].to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_asked_again_without_what_it_may_hide() {
        let of = |features: &str| {
            let xml = format!("<domain><cpu mode='custom'><model>EPYC</model>{features}</cpu></domain>");
            read(Document::parse(&xml).unwrap().root_element()).without_arch_capabilities()
        };
        let rest = "<feature policy='require' name='x2apic'/><feature policy='disable' name='svm'/>";
        let hidden = "<feature policy='require' name='arch-capabilities'/><feature name=\"rdctl-no\"/>";
        let without = of(&format!("{hidden}{rest}<feature policy='require' name='mds-no'/>")).unwrap();
        assert_eq!(without, format!("<cpu mode='custom'><model>EPYC</model>{rest}</cpu>"));
        assert_eq!(of(rest), None);
        assert_eq!(of("<feature policy='disable' name='rdctl-no'/>"), None);
    }
}
