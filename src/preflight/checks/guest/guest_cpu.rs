//! The guest's CPU is there.

use std::collections::BTreeSet;

use roxmltree::Document;

use super::prelude::*;
use crate::domain::guest::is_arch_capability;
use crate::model::snapshot::host::Host;

/// The first QEMU that hides `IA32_ARCH_CAPABILITIES` on AMD (its commit d3a24134e37d).
const HIDES: (u64, u64, u64) = (10, 1, 0);
/// The first libvirt that tells these features when asked for all that the host supports (its NEWS).
const TELLS: (u64, u64, u64) = (12, 5, 0);

check! {
    /// The destination's CPU cannot run the guest.
    ///
    /// # Meaning
    /// A guest's CPU is its model and its features: one that lacks a feature of its model runs where that feature is missing,
    /// and one that requires another needs it on the destination as well. libvirt compares both before the guest is paused
    /// ("guest CPU doesn't match specification: missing features"). pvm asks the destination's libvirt for the same
    /// comparison where it can (it makes none for a guest with check='none'); otherwise the domain capabilities say which models run, and which features keep the others
    /// from it. host-passthrough shows the guest the host's own CPU: then both must be the same model with the same
    /// microcode.
    /// # Check by hand
    /// virsh -c URI hypervisor-cpu-compare CPU.xml; virsh -c URI domcapabilities.
    /// # Fix
    /// A destination with the same CPU, or a named CPU model that both have.
    "guest-cpu": Error, Instance(run), rechecked
}

fn run(instance: &Instance<'_>) -> Vec<Verdict> {
    let destination = instance.destination();
    let cpu = &instance.guest.cpu;
    if matches!(cpu.mode.as_deref(), Some("host-passthrough" | "maximum")) {
        return vec![host_cpu(instance)];
    }
    let Some(model) = &cpu.model else { return Vec::new() };
    let Some(xml) = instance.capabilities() else {
        return vec![missing(destination, "domain_capabilities", "which CPU models it can run")];
    };
    let usable = usable(xml, model);
    // libvirt's comparison does not ask whether this QEMU has a model of that name.
    let compared = destination.cpu_comparisons.get(&cpu.xml).filter(|_| !matches!(usable, Model::Unknown));
    if let Some(answer) = compared {
        return vec![match answer.runs {
            Some(true) => Verdict::pass(),
            // libvirt then starts QEMU with the names alone, and does not look which features the guest really gets.
            Some(false) if !answer.names_unknown && cpu.check.as_deref() == Some("none") => Verdict::pass(),
            Some(false) if answer.without_arch_capabilities && hides(destination) => {
                hidden(instance, xml, &cpu.required().collect::<Vec<_>>())
            }
            Some(false) => Verdict::fail(format!("{} cannot run the guest's CPU: {}", name(destination), answer.why)),
            None => Verdict::unknown(format!(
                "libvirt of {} did not compare the guest's CPU: {}",
                name(destination),
                answer.why
            )),
        }];
    }
    vec![
        match usable {
            Model::Unknown => Verdict::fail(format!("{} does not know the CPU model {model}", name(destination))),
            Model::Runs => required(instance, xml),
            Model::Lacks(missing) => {
                let disabled = cpu.disabled();
                let missing: Vec<_> = missing.iter().map(String::as_str).filter(|name| !disabled.contains(name)).collect();
                if missing.is_empty() {
                    required(instance, xml)
                } else if hides(destination) && missing.iter().all(|feature| is_arch_capability(feature)) {
                    hidden(instance, xml, &missing)
                } else {
                    let missing = missing.join(", ");
                    let host = name(destination);
                    Verdict::fail(format!("{host} cannot run the CPU model {model}: it lacks {missing}"))
                }
            }
            // The whole model is not there; the guest may do without the part that is missing.
            Model::Incomplete if disabled_any(instance) => Verdict::unknown(format!(
                "{} lacks features of the CPU model {model}; cannot tell whether they are those that the guest does without",
                name(destination)
            )),
            Model::Incomplete => Verdict::fail(format!("{} cannot run the CPU model {model}", name(destination))),
        }
        .facts(model, &destination.cpu.model.as_deref().unwrap_or("unknown")),
    ]
}

fn disabled_any(instance: &Instance<'_>) -> bool {
    !instance.guest.cpu.disabled().is_empty()
}

/// The name of a model without the number of its first version: from 10.10 on libvirt says `EPYC-v1` where it said `EPYC`.
fn first_version(model: &str) -> &str {
    model.strip_suffix("-v1").unwrap_or(model)
}

/// Both hosts' own CPUs, which the guest sees.
fn host_cpu(instance: &Instance<'_>) -> Verdict {
    let (s, d) = (&instance.source().cpu, &instance.destination().cpu);
    let verdict = match (&s.model, &d.model) {
        (Some(a), Some(b)) if first_version(a) != first_version(b) => {
            Verdict::fail(format!("the guest sees the host's CPU, and {b} is not {a}"))
        }
        (Some(_), Some(_)) if s.microcode != d.microcode => {
            Verdict::fail("the guest sees the host's CPU, and its microcode differs").weighing(Severity::Warning)
        }
        (Some(_), Some(_)) => Verdict::pass(),
        (None, _) => missing(instance.source(), "cpu.model", "its CPU model"),
        (_, None) => missing(instance.destination(), "cpu.model", "its CPU model"),
    };
    let word = |model: &Option<String>| model.clone().unwrap_or_else(|| "unknown".to_owned());
    verdict.facts(&word(&s.model), &word(&d.model))
}

/// Whether the features that the guest requires beyond its model are not among those that the destination lacks.
fn required(instance: &Instance<'_>, capabilities: &str) -> Verdict {
    let host = instance.destination();
    let lacking = lacking(capabilities);
    let missing: Vec<_> = instance.guest.cpu.required().filter(|feature| lacking.contains(*feature)).collect();
    if !missing.is_empty() {
        if hides(host) && missing.iter().all(|feature| is_arch_capability(feature)) {
            return hidden(instance, capabilities, &missing);
        }
        return Verdict::fail(format!("{} lacks CPU features of the guest: {}", name(host), missing.join(", ")));
    }
    let known = provided(capabilities);
    match instance.guest.cpu.required().find(|feature| !known.contains(*feature)) {
        None => Verdict::pass(),
        // The guest runs on the one, and the other is the same to the last feature.
        Some(_) if same_host_model(instance) => Verdict::pass(),
        Some(feature) => Verdict::unknown(format!("cannot tell whether {} has the CPU feature {feature}", name(host)))
            .remedy(compare(instance)),
    }
}

/// The comparison by hand.
fn compare(instance: &Instance<'_>) -> String {
    let host = quoted(&instance.destination().name).into_owned();
    let guest = quoted(&instance.domain.name);
    format!(
        "on {}: virsh dumpxml {guest} --xpath //cpu >cpu.xml; virsh -c qemu+ssh://{host}/system hypervisor-cpu-compare cpu.xml",
        name(instance.source())
    )
}

/// Whether the host has features that its libvirt does not tell of.
fn hides(host: &Host) -> bool {
    let is_amd = host.cpu.host_model_xml.as_deref().is_some_and(|xml| xml.contains("<vendor>AMD</vendor>"));
    is_amd && host.qemu.as_deref().and_then(version).is_none_or(|has| has >= HIDES)
}

/// The verdict on features of `IA32_ARCH_CAPABILITIES`, which libvirt hides unless it was asked for all that are supported.
fn hidden(instance: &Instance<'_>, capabilities: &str, features: &[&str]) -> Verdict {
    let (host, known) = (instance.destination(), provided(capabilities));
    let hidden: Vec<&str> =
        features.iter().copied().filter(|name| is_arch_capability(name) && !known.contains(*name)).collect();
    if hidden.is_empty() {
        return Verdict::pass();
    }
    if host.libvirt.as_deref().and_then(version) >= Some(TELLS) {
        return Verdict::fail(format!("{} lacks CPU features of the guest: {}", name(host), hidden.join(", ")));
    }
    Verdict::unknown(format!(
        "libvirt of {} does not tell of {}, which its QEMU may give to a guest on AMD",
        name(host),
        hidden.join(", ")
    ))
    .remedy(format!("upgrade libvirt on {} to 12.5, which tells", name(host)))
}

/// Whether libvirt sees the same CPU with the same features on both hosts.
fn same_host_model(instance: &Instance<'_>) -> bool {
    let (source, destination) = (&instance.source().cpu, &instance.destination().cpu);
    source.host_model_xml.is_some()
        && source.host_model_xml == destination.host_model_xml
        && source.model.is_some()
        && source.model == destination.model
}

/// What the domain capabilities say of a model.
enum Model {
    Runs,
    /// It does not run, and these features are why.
    Lacks(BTreeSet<String>),
    /// It does not run, and this libvirt does not say why.
    Incomplete,
    Unknown,
}

fn usable(xml: &str, model: &str) -> Model {
    let Ok(document) = Document::parse(xml) else { return Model::Unknown };
    let mut models = document.descendants().filter(|node| node.has_tag_name("model") && node.text() == Some(model));
    match models.find_map(|node| node.attribute("usable")) {
        None if document.descendants().any(|n| n.has_tag_name("model") && n.text() == Some(model)) => Model::Runs,
        None => Model::Unknown,
        Some("no") => match blockers(&document, model) {
            missing if missing.is_empty() => Model::Incomplete,
            missing => Model::Lacks(missing),
        },
        Some(_) => Model::Runs,
    }
}

/// Features that keep a model from running; libvirt lists them since 11.0, in `<blockers>`.
fn blockers(document: &Document<'_>, model: &str) -> BTreeSet<String> {
    let lists = document.descendants().filter(|node| node.has_tag_name("blockers"));
    let of_model = lists.filter(|list| list.attribute("model") == Some(model));
    let features = of_model.flat_map(|list| list.children()).filter(|node| node.has_tag_name("feature"));
    features.filter_map(|feature| feature.attribute("name").map(str::to_owned)).collect()
}

/// Every feature that keeps some model from running on that host.
fn lacking(xml: &str) -> BTreeSet<String> {
    let Ok(document) = Document::parse(xml) else { return BTreeSet::new() };
    let lists = document.descendants().filter(|node| node.has_tag_name("blockers"));
    let features = lists.flat_map(|list| list.children()).filter(|node| node.has_tag_name("feature"));
    let disabled = host_model(&document, &["disable", "forbid"]);
    features.filter_map(|feature| feature.attribute("name").map(str::to_owned)).chain(disabled).collect()
}

/// Features that the host-model of that host has beyond its model.
fn provided(xml: &str) -> BTreeSet<String> {
    Document::parse(xml).map(|document| host_model(&document, &["require"])).unwrap_or_default()
}

fn host_model(document: &Document<'_>, policies: &[&str]) -> BTreeSet<String> {
    let modes = document.descendants().filter(|node| node.has_tag_name("mode"));
    let host_model = modes.filter(|mode| mode.attribute("name") == Some("host-model"));
    let features = host_model.flat_map(|mode| mode.children()).filter(|node| node.has_tag_name("feature"));
    features
        .filter(|feature| feature.attribute("policy").is_some_and(|policy| policies.contains(&policy)))
        .filter_map(|feature| feature.attribute("name").map(str::to_owned))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::first_version;

    #[test]
    fn the_first_version_of_a_model_is_the_model() {
        assert_eq!(first_version("kvm64-v1"), first_version("kvm64"));
        assert_ne!(first_version("EPYC-v2"), first_version("EPYC"));
    }
}
