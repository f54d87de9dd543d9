//! The destination's QEMU has the guest's devices.

use roxmltree::{Document, Node};

use super::prelude::*;

check! {
    /// The destination's QEMU lacks a device model of the guest.
    ///
    /// # Meaning
    /// Distributions put some of QEMU's devices into packages of their own (virtio-gpu, QXL, SPICE); libvirt lists in its
    /// domain capabilities which models its QEMU has ("domain configuration does not support video model 'virtio'").
    /// # Check by hand
    /// virsh -c URI domcapabilities, elements video, graphics, rng, tpm.
    /// # Fix
    /// Install QEMU's modules there; on Debian qemu-system-modules-spice and qemu-system-gui or qemu-system-modules-opengl.
    "device-models": Error, Instance(run), rechecked
}

fn run(instance: &Instance<'_>) -> Vec<Verdict> {
    let host = instance.destination();
    let Some(xml) = instance.capabilities() else { return Vec::new() };
    let Ok(document) = Document::parse(xml) else { return Vec::new() };
    let lacking: Vec<_> = instance
        .guest
        .models
        .iter()
        .filter(|(kind, model)| has(&document, kind, model) == Some(false))
        .map(|(kind, model)| format!("{kind} {model}"))
        .collect();
    vec![if lacking.is_empty() {
        Verdict::pass()
    } else {
        Verdict::fail(format!("QEMU of {} has no {}", name(host), lacking.join(", ")))
    }]
}

/// Whether the capabilities list a model; nothing where they do not speak of that kind of device.
fn has(document: &Document<'_>, kind: &str, model: &str) -> Option<bool> {
    let named = |node: &Node<'_, '_>, tag: &str| node.has_tag_name(tag);
    let devices = document.root_element().children().find(|node| named(node, "devices"))?;
    let device = devices.children().find(|node| named(node, kind))?;
    if device.attribute("supported") == Some("no") {
        return Some(false);
    }
    let wanted = if kind == "graphics" {
        "type"
    } else if kind == "video" {
        "modelType"
    } else {
        "model"
    };
    let list = device.children().find(|node| named(node, "enum") && node.attribute("name") == Some(wanted))?;
    // libvirt's definitions say "virtio" where its capabilities say "virtio", "virtio-transitional", ….
    Some(list.children().filter(|value| named(value, "value")).any(|value| value.text() == Some(model)))
}
