//! A letter for each VF, a row for each PF: thousands of VFs at a glance.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::text::printable;
use crate::facts::kernel::mismatch;
use crate::model::pci::PciAddress;
use crate::model::snapshot::Snapshot;
use crate::model::snapshot::device::{DevType, Device};

const LEGEND: &str = "f free   u used   c claimed   m mismatch   ? users unknown   . not created";
/// Address, a blank, and the driver's name.
const HEAD: usize = 13 + 12;

/// The map of a host, at most `width` columns wide.
pub(crate) fn render(snapshot: &Snapshot, only: Option<PciAddress>, width: usize) -> String {
    let mismatches: BTreeSet<&str> = snapshot
        .findings
        .iter()
        .filter(|finding| mismatch::is_mismatch(&finding.code))
        .filter_map(|finding| finding.device.as_deref())
        .collect();
    let mut by_pf: BTreeMap<PciAddress, Vec<&Device>> = BTreeMap::new();
    for device in &snapshot.devices {
        match (device.dev_type, device.parent_addr) {
            (DevType::Pf, _) => {
                by_pf.entry(device.address).or_default();
            }
            (_, Some(pf)) => by_pf.entry(pf).or_default().push(device),
            _ => {}
        }
    }
    let room = width.saturating_sub(HEAD).max(16);
    let mut text = String::new();
    for (pf, vfs) in by_pf.into_iter().filter(|(pf, _)| only.is_none_or(|wanted| wanted == *pf)) {
        let head = snapshot.device(pf);
        let driver = head.and_then(|d| d.driver.as_deref()).unwrap_or("-");
        let mut letters: Vec<char> = vfs.iter().map(|vf| letter(vf, &mismatches)).collect();
        let total = head.and_then(|d| d.sriov.as_ref()).map_or(0, |s| s.total as usize);
        letters.resize(letters.len().max(total.min(256)), '.');
        let name: String = printable(driver).chars().take(11).collect();
        for (row, part) in letters.chunks(room).enumerate() {
            let label = if row == 0 { format!("{pf} {name}") } else { String::new() };
            let _ = writeln!(text, "{label:<HEAD$}{}", part.iter().collect::<String>());
        }
    }
    if text.is_empty() {
        return "No PF.\n".to_owned();
    }
    let _ = writeln!(text, "\n{LEGEND}");
    text
}

fn letter(vf: &Device, mismatches: &BTreeSet<&str>) -> char {
    if mismatches.contains(vf.address.to_string().as_str()) {
        return 'm';
    }
    match (vf.is_free(), &vf.claimed_by) {
        (_, Some(_)) => 'c',
        (Some(true), None) => 'f',
        (Some(false), None) => 'u',
        (None, None) => '?',
    }
}
