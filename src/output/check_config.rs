//! The parts of `pvm check-config` that are neither findings nor tables: a trace, a request.

use std::fmt::Write as _;

use super::text::printable;
use crate::model::finding::{Finding, Severity};
use crate::model::pci::PciAddress;
use crate::nova::config::ParsedConfig;
use crate::nova::config::request_report::{GroupDoc, RequestReport};
use crate::nova::config::trace::Step;

/// The walk through the device_specs for one device.
pub(crate) fn trace(address: &str, steps: &[Step], config: &ParsedConfig) -> String {
    let mut text = format!("{address}:\n");
    for step in steps {
        let span = config.device_specs[step.index].span();
        let place = format!("{}:{}", config.sources.file(span.file).name, config.sources.line(span));
        let verdict = step.miss.map_or("matches", crate::nova::config::matching::Miss::as_str);
        let _ = writeln!(text, "  device_spec {} ({}): {verdict}", step.index, printable(&place));
    }
    if steps.last().is_none_or(|step| step.miss.is_some()) {
        text.push_str("  no device_spec matches: Nova does not manage this device\n");
    }
    text.push('\n');
    text
}

/// Devices that are named for one spec; the rest is counted.
const MOST_NAMED: usize = 8;

/// Which devices of the host each spec is the first to match.
pub(crate) fn winners(winners: &[(PciAddress, Option<usize>)], config: &ParsedConfig) -> String {
    let mut text = String::new();
    for (index, spec) in config.device_specs.iter().enumerate() {
        let won: Vec<_> = winners.iter().filter(|(_, winner)| *winner == Some(index)).collect();
        let place = format!("{}:{}", config.sources.file(spec.span().file).name, config.sources.line(spec.span()));
        let _ = write!(text, "device_spec {index} ({}) matches {}", printable(&place), plural(won.len()));
        for (i, (address, _)) in won.iter().take(MOST_NAMED).enumerate() {
            let _ = write!(text, "{} {address}", if i == 0 { ":" } else { "" });
        }
        if won.len() > MOST_NAMED {
            let _ = write!(text, " and {} more", won.len() - MOST_NAMED);
        }
        text.push('\n');
    }
    let none = winners.iter().filter(|(_, winner)| winner.is_none()).count();
    let _ = writeln!(text, "no spec matches {}\n", plural(none));
    text
}

fn plural(n: usize) -> String {
    if n == 1 { "1 device".to_owned() } else { format!("{n} devices") }
}

/// What a flavor string asks for.
pub(crate) fn request(report: &RequestReport, config: &ParsedConfig) -> String {
    let mut text = format!("request {}:\n", printable(&report.text));
    for item in &report.requests {
        let migrates = if item.live_migratable { "live-migratable" } else { "never live-migratable" };
        let _ = writeln!(text, "  {} × {} ({migrates}, NUMA {})", item.count, printable(&item.alias), item.numa_policy);
        for index in &item.specs {
            let span = config.device_specs[*index].span();
            let name = &config.sources.file(span.file).name;
            let _ =
                writeln!(text, "    spec {index} ({}:{}) could serve it", printable(name), config.sources.line(span));
        }
        if item.specs.is_empty() {
            text.push_str("    no device_spec of these files could serve it\n");
        }
        if let Some(devices) = &item.devices {
            let _ = writeln!(
                text,
                "    devices: {}",
                if devices.is_empty() { "none".to_owned() } else { devices.join(" ") }
            );
        }
    }
    if let Some(groups) = &report.groups {
        for (title, list) in
            [("as Nova asks", &groups.nova), ("as the specification's option would", &groups.specification)]
        {
            let _ = writeln!(text, "  Placement, {title}:");
            for doc in list {
                group(&mut text, doc);
            }
        }
    }
    text.push('\n');
    text
}

fn group(text: &mut String, group: &GroupDoc) {
    let _ = write!(text, "    {} × 1", printable(&group.resource_class));
    for (word, list) in [("required", &group.required), ("forbidden", &group.forbidden)] {
        if !list.is_empty() {
            let _ = write!(text, ", {word} {}", printable(&list.join(" ")));
        }
    }
    if let Some(excludes) = group.excludes.as_ref().filter(|list| !list.is_empty()) {
        let _ = write!(text, " (excludes {})", excludes.join(" "));
    }
    text.push('\n');
}

/// A finding without a place in the files shown.
pub(crate) fn finding(finding: &Finding) -> String {
    let word = match finding.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Info => "info",
    };
    let mut text = format!("{word}[{}]: {}\n", finding.code, printable(&finding.message));
    if let Some(place) = &finding.file {
        let _ = writeln!(text, " --> {}:{}", printable(&place.name), place.line);
    }
    if let Some(error) = &finding.nova_error {
        let _ = writeln!(text, "  = nova: {}", printable(&error.to_string()));
    }
    if let Some(remedy) = &finding.remedy {
        let _ = writeln!(text, "  = help: {}", printable(remedy));
    }
    text.push('\n');
    text
}
