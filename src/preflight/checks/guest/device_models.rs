//! The destination's QEMU has the guest's devices.

use roxmltree::{Document, Node};

use super::prelude::*;
use crate::model::known::Origin;
use crate::model::snapshot::Host;

check! {
    /// The destination's QEMU lacks a device model of the guest.
    ///
    /// # Meaning
    /// Distributions put some of QEMU's devices into packages of their own (virtio-gpu, QXL, SPICE); libvirt lists in its
    /// domain capabilities which models its QEMU has ("domain configuration does not support video model 'virtio'"). Of others
    /// pvm knows with which version QEMU began to have them.
    /// # Check by hand
    /// virsh -c URI domcapabilities, elements video, graphics, rng, tpm.
    /// # Fix
    /// Install QEMU's modules there; on Debian qemu-system-modules-spice and qemu-system-gui or qemu-system-modules-opengl.
    "device-models": Error, Instance(run), rechecked
}

/// A model that domain capabilities do not list, and the first QEMU with it.
struct Newer {
    kind: &'static str,
    model: &'static str,
    first: (u64, u64, u64),
    #[cfg_attr(not(test), expect(dead_code, reason = "for who reads the table, and for its test"))]
    origin: Origin,
}

const NEWER: &[Newer] = &[
    Newer {
        kind: "interface",
        model: "igb",
        first: (8, 0, 0),
        origin: Origin::new("hw/net/igb.c; refused by QEMU 7.2 in the tournament", "QEMU 10.0.2, 2026-11-28"),
    },
    Newer {
        kind: "sound",
        model: "virtio",
        first: (8, 2, 0),
        origin: Origin::new("hw/audio/virtio-snd.c", "QEMU 10.0.2, 2026-11-28"),
    },
];

fn is_newer(host: &Host, kind: &str, model: &str) -> bool {
    let first = NEWER.iter().find(|newer| newer.kind == kind && newer.model == model).map(|newer| newer.first);
    first.zip(host.qemu.as_deref().and_then(version)).is_some_and(|(first, has)| has < first)
}

fn run(instance: &Instance<'_>) -> Vec<Verdict> {
    let host = instance.destination();
    let document = instance.capabilities().and_then(|xml| Document::parse(xml).ok());
    if document.is_none() && host.qemu.is_none() {
        return Vec::new();
    }
    let is_unlisted =
        |kind: &str, model: &str| document.as_ref().and_then(|listed| has(listed, kind, model)) == Some(false);
    let lacking: Vec<_> = instance
        .guest
        .models
        .iter()
        .filter(|(kind, model)| is_unlisted(kind, model) || is_newer(host, kind, model))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn newer_models_have_their_origin() {
        assert!(NEWER.iter().all(|newer| newer.origin.is_complete()));
        let host = |qemu: &str| Host { qemu: Some(qemu.to_owned()), ..Host::default() };
        assert!(is_newer(&host("7.2.22"), "interface", "igb"));
        assert!(!is_newer(&host("8.0.0"), "interface", "igb") && !is_newer(&host("7.2.22"), "interface", "e1000"));
    }
}
