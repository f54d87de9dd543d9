//! Facts that only one vendor's devices have, and that must be alike where a state is to be loaded.

use std::collections::BTreeMap;

use serde_json::Value;

use super::sysfs::{Node, Tree};
use crate::model::snapshot::Unknown;
use crate::model::snapshot::device::{DevType, Device};

const NVIDIA: u16 = 0x10de;
const INTEL: u16 = 0x8086;
const HISILICON: u16 = 0x19e5;

/// Reads them into `device`; those of a card stand at its PF.
pub(super) fn read(tree: &Tree, node: &Node, device: &mut Device) {
    let mut facts = Facts { found: BTreeMap::new(), unknown: Vec::new() };
    match device.vendor_id.map(|id| id.0) {
        Some(NVIDIA) => vgpu(tree, node, &mut facts),
        Some(INTEL) if device.dev_type == DevType::Pf => quick_assist(node, &mut facts),
        Some(HISILICON) if device.dev_type == DevType::Pf => accelerator(tree, node, device, &mut facts),
        _ => return,
    }
    device.vendor = facts.found;
    device.unknown.append(&mut facts.unknown);
}

struct Facts {
    found: BTreeMap<String, Value>,
    unknown: Vec<Unknown>,
}

impl Facts {
    /// One attribute: a number where it is one. An attribute that the kernel left out is no fact.
    fn add(&mut self, name: &str, attribute: std::io::Result<Option<String>>) {
        match attribute {
            Ok(None) => {}
            Ok(Some(text)) if !text.is_empty() && !text.contains(char::is_control) => {
                let value = text.parse::<u64>().map_or_else(|_| Value::from(text), Value::from);
                self.found.insert(name.to_owned(), value);
            }
            Ok(Some(_)) => self.unknown.push(Unknown::new(format!("vendor.{name}"), "it is empty or no line of text")),
            Err(e) => self.unknown.push(Unknown::new(format!("vendor.{name}"), format!("it cannot be read: {e}"))),
        }
    }
}

/// VFs of NVIDIA's GPUs on its vGPU manager: the type's number, 0 for none, and the manager's release.
fn vgpu(tree: &Tree, node: &Node, facts: &mut Facts) {
    let Ok(folder) = node.node("nvidia") else { return };
    facts.add("vgpu_type", folder.attr("current_vgpu_type"));
    facts.add("vgpu_manager", tree.attr("sys/module/nvidia/version"));
}

/// PFs of Intel's QuickAssist (kernel: `Documentation/ABI/testing/sysfs-driver-qat`).
fn quick_assist(node: &Node, facts: &mut Facts) {
    let Ok(folder) = node.node("qat") else { return };
    facts.add("cfg_services", folder.attr("cfg_services"));
    facts.add("qat_state", folder.attr("state"));
}

/// PFs of `HiSilicon`'s accelerators. A VF gets the queue pairs that its PF leaves, divided by the number of VFs
/// (kernel: `drivers/crypto/hisilicon/qm.c`); isolation is told by the user-space interface (`sysfs-driver-uacce`).
fn accelerator(tree: &Tree, node: &Node, device: &Device, facts: &mut Facts) {
    let Some(driver) = device.driver.as_deref().filter(|driver| driver.starts_with("hisi_")) else { return };
    facts.add("pf_q_num", tree.attr(&format!("sys/module/{driver}/parameters/pf_q_num")));
    if let Some(sriov) = &device.sriov {
        facts.found.insert("vfs".to_owned(), sriov.num.into());
    }
    let Ok(uacce) = node.node("uacce") else { return };
    let Some(name) = uacce.names().ok().and_then(|names| names.into_iter().next()) else { return };
    if let Ok(interface) = uacce.node(&name) {
        facts.add("isolate", interface.attr("isolate"));
    }
}
