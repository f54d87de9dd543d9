//! The tables of `pvm inventory`: devices grouped by their PF, readable without colour, 80 columns wide.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;

use comfy_table::{ColumnConstraint, ContentArrangement, Row, Table, Width, presets};
use textwrap::core::display_width;

use super::text::printable;
use crate::model::finding::Finding;
use crate::model::pci::PciAddress;
use crate::model::snapshot::Declared;
use crate::model::snapshot::device::{DevType, Device, Sriov, Supported};
use crate::model::snapshot::{HeldProvider, Snapshot, Via};

/// Past this, VFs of one PF that say the same share a row.
const ROWS_PER_PF: usize = 16;

/// What the reader wants to see.
#[derive(Debug, Clone, Copy)]
pub(crate) struct View {
    /// Also devices that no spec matches.
    pub all: bool,
    /// Only this PF, with a row for each of its VFs.
    pub pf: Option<PciAddress>,
    /// All columns and a row for each device, however wide.
    pub wide: bool,
    /// Columns of the terminal.
    pub width: usize,
}

/// A line to part hosts.
pub(crate) fn heading(text: &str) -> String {
    printable(text).into_owned()
}

/// The findings with their remedies. Those that differ in the device only are told once.
pub(crate) fn findings(snapshot: &Snapshot) -> Vec<String> {
    let mut alike: Vec<(&Finding, usize)> = Vec::new();
    let mut seen: HashMap<String, usize> = HashMap::new();
    for finding in &snapshot.findings {
        let device = finding.device.as_deref().unwrap_or("\0");
        let key = format!("{}{}", finding.code, finding.message.replace(device, ""));
        if let Some(&index) = seen.get(&key) {
            let told: &mut (&Finding, usize) = &mut alike[index];
            told.1 += 1;
        } else {
            seen.insert(key, alike.len());
            alike.push((finding, 0));
        }
    }
    let mut lines = Vec::new();
    for (finding, more) in alike {
        let more = if more == 0 { String::new() } else { format!(" (and {more} more like it)") };
        let line = format!("{}: {}{more} [{}]", word(finding.severity), finding.message, finding.code);
        lines.push(printable(&line).into_owned());
        for line in finding.remedy.iter().flat_map(|remedy| remedy.lines()) {
            lines.push(format!("  {}", printable(line)));
        }
    }
    lines
}

fn word(severity: crate::model::finding::Severity) -> &'static str {
    match severity {
        crate::model::finding::Severity::Info => "note",
        crate::model::finding::Severity::Warning => "warning",
        crate::model::finding::Severity::Error => "error",
    }
}

/// The table with its summary line.
pub(crate) fn render(snapshot: &Snapshot, view: View) -> String {
    let shown = shown(snapshot, view);
    let mut text = String::new();
    if shown.is_empty() {
        let count = |kind: DevType| snapshot.devices.iter().filter(|device| device.dev_type == kind).count();
        let (pfs, vfs) = (count(DevType::Pf), count(DevType::Vf));
        if pfs + vfs > 0 && view.pf.is_none() && !snapshot.config.device_specs.is_empty() {
            let _ = writeln!(text, "No device_spec matches any of the {pfs} PFs and {vfs} VFs (--all shows them).");
        } else {
            let _ =
                writeln!(text, "No SR-IOV device and no device that a device_spec matches (--all shows every device).");
        }
    } else {
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        if view.wide {
            wide(&mut table, &shown);
        } else {
            table.set_content_arrangement(ContentArrangement::Dynamic);
            table.set_width(u16::try_from(view.width).unwrap_or(80));
            table.set_header(["DEVICE", "IDS", "DRIVER", "TAGGED", "PROBED", "NODE", "IN USE BY"]);
            for group in groups(&shown) {
                add_group(&mut table, &group, view.pf.is_some());
            }
            // An address that is broken in two is none; the others may take a second line where it gets narrow.
            for column in table.column_iter_mut().take(2) {
                column.set_constraint(ColumnConstraint::ContentWidth);
            }
        }
        print(&mut table, &mut text);
    }
    let _ = writeln!(text, "\n{}", summary(snapshot));
    text
}

fn print(table: &mut Table, text: &mut String) {
    for column in table.column_iter_mut() {
        column.set_padding((0, 1));
    }
    if matches!(table.content_arrangement(), ContentArrangement::Dynamic) {
        keep_words(table);
    }
    for line in table.lines() {
        let _ = writeln!(text, "{}", line.trim_end());
    }
}

/// Makes every column as wide as its longest word at least: an address or a name that is broken in two is none, and a terminal
/// that is narrower than that breaks lines, not words.
fn keep_words(table: &mut Table) {
    let mut longest = vec![0; table.column_count()];
    for row in table.header().into_iter().chain(table.row_iter()) {
        for (longest, cell) in longest.iter_mut().zip(row.cell_iter()) {
            let word = cell.content();
            *longest = word.split_whitespace().map(display_width).max().unwrap_or(0).max(*longest);
        }
    }
    for (column, longest) in table.column_iter_mut().zip(longest) {
        // With the blank behind it.
        let width = Width::Fixed(u16::try_from(longest + 1).unwrap_or(u16::MAX));
        if column.constraint().is_none() {
            column.set_constraint(ColumnConstraint::LowerBoundary(width));
        }
    }
}

/// Every device with all that decides about its migration.
fn wide(table: &mut Table, shown: &[&Device]) {
    table.set_header([
        "DEVICE",
        "IDS",
        "TYPE",
        "VF",
        "DRIVER",
        "OVERRIDE",
        "CANDIDATE",
        "VFIO",
        "GROUP",
        "NODE",
        "MSI-X",
        "TAGGED",
        "PROBED",
        "FLAGS",
        "STATE",
        "IN USE BY",
    ]);
    let word = |text: &Option<String>| text.as_deref().map_or_else(|| "-".to_owned(), |t| printable(t).into_owned());
    let number = |n: Option<u32>| n.map_or_else(|| "-".to_owned(), |n| n.to_string());
    for device in shown {
        let [address, ids, driver, declared, migrates, node, used_by] = cells(device);
        table.add_row(Row::from(vec![
            address,
            ids,
            device.dev_type.as_str().to_owned(),
            number(device.vf_index),
            driver,
            word(&device.driver_override),
            word(&device.candidate_driver),
            word(&device.vfio_dev),
            number(device.iommu_group),
            node,
            number(device.msix.as_ref().map(|m| u32::from(m.vectors))),
            declared,
            migrates,
            device.migration.flags.as_ref().map_or_else(|| "-".to_owned(), |f| printable(&f.join(",")).into_owned()),
            word(&device.migration.state),
            used_by,
        ]));
    }
}

/// What Nova would report to Placement, beside what Placement holds.
pub(crate) fn placement_held(snapshot: &Snapshot, held: &[HeldProvider], width: usize) -> String {
    let mut text = placement_none(snapshot).unwrap_or_default();
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_width(u16::try_from(width).unwrap_or(80));
    table.set_header(["PROVIDER", "RESOURCE CLASS", "NOVA", "PLACEMENT", "SET ASIDE"]);
    let mut rows: Vec<(&str, &str)> = Vec::new();
    rows.extend(held.iter().flat_map(|one| one.totals.keys().map(|class| (&*one.provider, &**class))));
    for one in &snapshot.placement {
        let row = (&*one.provider, &*one.resource_class);
        rows.extend(Some(row).filter(|row| !rows.contains(row)));
    }
    let number = |number: Option<u64>| number.map_or_else(|| "-".to_owned(), |number| number.to_string());
    for (provider, class) in rows {
        let demanded = snapshot.placement.iter().find(|one| one.provider == provider && one.resource_class == class);
        let there = held.iter().find(|one| one.provider == provider);
        let aside = |one: &HeldProvider| one.allocations.values().filter_map(|of| of.get(class)).sum();
        table.add_row([
            printable(provider).into_owned(),
            printable(class).into_owned(),
            number(demanded.map(|one| u64::from(one.total))),
            number(there.and_then(|one| one.totals.get(class)).copied()),
            number(there.map(aside)),
        ]);
    }
    print(&mut table, &mut text);
    text
}

/// Why Nova would report nothing.
fn placement_none(snapshot: &Snapshot) -> Option<String> {
    if let Some(why) = snapshot.why_unknown("placement") {
        return Some(format!("Nova refuses: {}.\n", printable(why)));
    }
    let on = crate::nova::placement::is_on(&snapshot.config);
    let why = if on { "no device_spec covers a device" } else { "report_in_placement is off" };
    snapshot.placement.is_empty().then(|| format!("Nova reports no devices to Placement: {why}.\n"))
}

/// What Nova would report to Placement.
pub(crate) fn placement(snapshot: &Snapshot, width: usize) -> String {
    if let Some(none) = placement_none(snapshot) {
        return none;
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_width(u16::try_from(width).unwrap_or(80));
    table.set_header(["PROVIDER", "RESOURCE CLASS", "TOTAL", "TRAITS"]);
    for provider in &snapshot.placement {
        table.add_row([
            printable(&provider.provider).into_owned(),
            printable(&provider.resource_class).into_owned(),
            provider.total.to_string(),
            printable(&provider.traits.join(" ")).into_owned(),
        ]);
    }
    let mut text = String::new();
    print(&mut table, &mut text);
    text
}

fn shown(snapshot: &Snapshot, view: View) -> Vec<&Device> {
    let has_specs = !snapshot.config.device_specs.is_empty();
    let parents: Vec<PciAddress> =
        snapshot.devices.iter().filter(|d| d.spec_index.is_some()).filter_map(|d| d.parent_addr).collect();
    let wanted = |device: &&Device| {
        if let Some(pf) = view.pf {
            return device.address == pf || device.parent_addr == Some(pf);
        }
        view.all
            || device.spec_index.is_some()
            || parents.contains(&device.address)
            || (!has_specs && device.dev_type != DevType::Pci)
    };
    snapshot.devices.iter().filter(wanted).collect()
}

/// A PF with its VFs, or a device alone.
struct Group<'a> {
    head: Option<&'a Device>,
    vfs: Vec<&'a Device>,
}

fn groups<'a>(shown: &[&'a Device]) -> Vec<Group<'a>> {
    let mut by_head: BTreeMap<PciAddress, Group<'a>> = BTreeMap::new();
    for device in shown {
        let key = device.parent_addr.unwrap_or(device.address);
        let group = by_head.entry(key).or_insert_with(|| Group { head: None, vfs: Vec::new() });
        if device.parent_addr.is_some() {
            group.vfs.push(device);
        } else {
            group.head = Some(device);
        }
    }
    by_head.into_values().collect()
}

fn add_group(table: &mut Table, group: &Group<'_>, every_row: bool) {
    if let Some(head) = group.head {
        let mut row = cells(head);
        if let Some(sriov) = &head.sriov {
            row[6] = match sriov {
                Sriov { num, total, .. } if num == total => format!("{num} VFs"),
                Sriov { num, total, .. } => format!("{num} of {total} VFs"),
            };
        }
        table.add_row(Row::from(row));
    }
    let indent = if group.head.is_some() { "  " } else { "" };
    if every_row || group.vfs.len() <= ROWS_PER_PF {
        for vf in &group.vfs {
            let mut row = cells(vf);
            row[0].insert_str(0, indent);
            table.add_row(Row::from(row));
        }
        return;
    }
    let mut alike: BTreeMap<[String; 6], Vec<&Device>> = BTreeMap::new();
    for vf in &group.vfs {
        let [_, rest @ ..] = cells(vf);
        alike.entry(rest).or_default().push(vf);
    }
    let mut rows: Vec<_> = alike.into_iter().collect();
    rows.sort_by_key(|(_, vfs)| vfs.first().map(|vf| vf.address));
    for (rest, vfs) in rows {
        let first = vfs.first().map(|vf| vf.address.to_string()).unwrap_or_default();
        let name = if vfs.len() == 1 { first } else { format!("{first} +{}", vfs.len() - 1) };
        let mut row = vec![format!("{indent}{name}")];
        row.extend(rest);
        table.add_row(Row::from(row));
    }
}

fn cells(device: &Device) -> [String; 7] {
    let ids = match (device.vendor_id, device.product_id) {
        (Some(vendor), Some(product)) => format!("{vendor}:{product}"),
        _ => "?".to_owned(),
    };
    let declared = match device.declared {
        Declared::Unset if device.why_unknown("declared").is_some() => "unknown",
        Declared::Unset if device.spec_index.is_none() => "-",
        other => other.as_str(),
    };
    [
        device.address.to_string(),
        ids,
        device.driver.as_deref().map_or_else(|| "-".to_owned(), |d| printable(d).into_owned()),
        declared.to_owned(),
        migrates(device),
        device.numa_node.map_or_else(|| "-".to_owned(), |n| n.to_string()),
        used_by(device),
    ]
}

/// What the device answers, and how it was probed.
fn migrates(device: &Device) -> String {
    let how = match device.migration.asked.get("supported").map(String::as_str) {
        Some("driver-table") => "inferred",
        Some(how) => how,
        None => "probed",
    };
    match device.migration.supported {
        Some(Supported::Yes) => format!("yes ({})", printable(how)),
        Some(Supported::No) => format!("no ({})", printable(how)),
        None if device.why_unknown("migration.supported").is_some() => "unknown".to_owned(),
        // Nobody asks a device that is neither a VF nor given to VFIO.
        None => "-".to_owned(),
    }
}

fn used_by(device: &Device) -> String {
    match &device.used_by {
        None => "?".to_owned(),
        Some(domains) if domains.is_empty() => "free".to_owned(),
        Some(domains) => {
            let names: Vec<_> = domains.iter().map(|d| printable(&d.name).into_owned()).collect();
            names.join(", ")
        }
    }
}

fn summary(snapshot: &Snapshot) -> String {
    let of = |dev_type| snapshot.devices.iter().filter(|d| d.dev_type == dev_type).count();
    let vfs = || snapshot.devices.iter().filter(|d| d.dev_type == DevType::Vf);
    let answer = |wanted| vfs().filter(|d| d.migration.supported == wanted).count();
    let name = if snapshot.host.name.is_empty() { "this host" } else { snapshot.host.name.as_str() };
    let mut text = format!(
        "{}: {} devices, {} PFs, {} VFs",
        printable(name),
        snapshot.devices.len(),
        of(DevType::Pf),
        of(DevType::Vf)
    );
    if vfs().next().is_some() {
        let _ = write!(
            text,
            " ({} can migrate, {} cannot, {} unknown)",
            answer(Some(Supported::Yes)),
            answer(Some(Supported::No)),
            answer(None)
        );
    }
    text.push('.');
    if snapshot.via == Via::Libvirt {
        let why = snapshot.why_unknown("facts").map(|why| format!(", because {}", printable(why)));
        let _ = write!(
            text,
            "\nThese facts come from libvirt alone{}; what it does not report is unknown.\n\
             Install pvm on that host; then ssh HOST pvm inventory reports the rest.",
            why.unwrap_or_default()
        );
    }
    if let Some(why) = snapshot.why_unknown("domains") {
        let _ = write!(text, "\nDevice users unknown: {}.", printable(why));
    }
    let unasked = vfs().find_map(|d| d.why_unknown("migration.supported").map(|why| (d.address, why)));
    if let Some((address, why)) = unasked {
        let _ = write!(text, "\n{address} not probed: {}.", printable(why));
    }
    text
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_narrow_terminal_breaks_no_word() {
        let snapshot: Snapshot = serde_json::from_str(include_str!("../../tests/fixtures/pair/src.json")).unwrap();
        let of = |width| render(&snapshot, View { all: false, pf: None, wide: false, width });
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<BTreeSet<_>>();
        let (narrow, wide) = (of(60), of(200));
        assert!(narrow.lines().count() > wide.lines().count(), "{narrow}");
        assert_eq!(words(&narrow), words(&wide), "{narrow}");
    }
}
