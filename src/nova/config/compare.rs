//! Two copies that should agree: a controller's and a compute host's, or those of two hosts.

use std::collections::BTreeMap;

use crate::model::finding::{FilePlace, Finding, rules};
use crate::model::snapshot::Declared;
use crate::model::snapshot::config::{AliasDoc, ConfigDoc, SpecDoc};

rules! {
    /// An alias is not the same in the two configurations.
    ///
    /// # Meaning
    /// nova-api, the conductor, the scheduler and nova-compute each read alias from their own files. A flavor is
    /// translated by nova-api's file; where another service has another alias of that name, or none, it fails or
    /// decides differently.
    /// # Check by hand
    /// grep '^alias' on every controller and host.
    /// # Fix
    /// The same alias lines everywhere.
    pub(crate) ALIAS_DIFFERS = "alias-differs", Warning;

    /// Devices that one host declares live-migratable are not declared so on the other.
    ///
    /// # Meaning
    /// A guest moves only to devices whose device_spec says live_migratable yes, on the destination's file. Tags such
    /// as physical_network, resource_class and traits decide too which requests a device can serve.
    /// # Check by hand
    /// grep '^device_spec' on both hosts, or pvm check-config --host HOST
    /// # Fix
    /// The same device_spec on hosts that shall exchange guests.
    pub(crate) SPEC_DIFFERS = "spec-differs", Warning;
}

/// What differs, as findings about the first one's files. `other` is the second one's name.
pub(crate) fn compare(first: &ConfigDoc, second: &ConfigDoc, other: &str) -> Vec<Finding> {
    let mut found = Vec::new();
    compare_aliases(first, second, other, &mut found);
    if !first.device_specs.is_empty() && !second.device_specs.is_empty() {
        for (from, to, place) in [(first, second, other), (second, first, "this configuration")] {
            for spec in &from.device_specs {
                if is_declared(spec) {
                    found.extend(missing(spec, to, place));
                }
            }
        }
    }
    found
}

fn compare_aliases(first: &ConfigDoc, second: &ConfigDoc, other: &str, found: &mut Vec<Finding>) {
    // A compute host's own nova.conf often has no alias at all; that only matters where the other has some.
    for alias in &first.aliases {
        let Some(theirs) = second.aliases.iter().find(|theirs| theirs.name == alias.name) else {
            found.push(
                Finding::new(&ALIAS_DIFFERS, format!("alias '{}' is not in {other}", alias.name))
                    .remedy("copy the alias there"),
            );
            continue;
        };
        let differences = differences(alias, theirs);
        if !differences.is_empty() {
            found.push(
                Finding::new(
                    &ALIAS_DIFFERS,
                    format!("alias '{}' differs from {other}: {}", alias.name, differences.join("; ")),
                )
                .remedy("make both the same"),
            );
        }
    }
    for alias in second.aliases.iter().filter(|alias| !first.aliases.iter().any(|ours| ours.name == alias.name)) {
        found.push(
            Finding::new(&ALIAS_DIFFERS, format!("alias '{}' is only in {other}", alias.name))
                .remedy("copy the alias here"),
        );
    }
}

fn differences(a: &AliasDoc, b: &AliasDoc) -> Vec<String> {
    let mut differences = Vec::new();
    let mut note = |what: &str, ours: &str, theirs: &str| {
        if ours != theirs {
            differences.push(format!("{what} {ours} here, {theirs} there"));
        }
    };
    let word = |alias: &AliasDoc| alias.live_migratable.unwrap_or_default().as_str();
    note("live_migratable", word(a), word(b));
    note("numa_policy", &a.numa_policy, &b.numa_policy);
    let keys: std::collections::BTreeSet<&String> =
        a.specs.iter().chain(&b.specs).flat_map(|spec| spec.rest.keys()).collect();
    for key in keys {
        let values = |alias: &AliasDoc| {
            let value = |spec: &BTreeMap<String, String>| {
                let value = spec.get(key).map_or("unset", String::as_str);
                // Nova compares ids without their case.
                if key.ends_with("_id") { value.to_ascii_lowercase() } else { value.to_owned() }
            };
            alias.specs.iter().map(|spec| value(&spec.rest)).collect::<Vec<_>>().join(" or ")
        };
        note(key, &values(a), &values(b));
    }
    differences
}

fn is_declared(spec: &SpecDoc) -> bool {
    spec.tags.declared() == Declared::Yes
}

/// What is wrong with the other side's specs for the same ids, if anything.
fn missing(spec: &SpecDoc, to: &ConfigDoc, place: &str) -> Option<Finding> {
    let meets = |a: &str, b: &str| a == "*" || b == "*" || a == b;
    let same: Vec<&SpecDoc> = to
        .device_specs
        .iter()
        .filter(|s| meets(&s.vendor_id, &spec.vendor_id) && meets(&s.product_id, &spec.product_id))
        .collect();
    let ids = format!("{}:{}", spec.vendor_id, spec.product_id);
    let message = if same.is_empty() {
        format!("no device_spec of {place} is for {ids}, which is live-migratable on the other side")
    } else if !same.iter().any(|s| is_declared(s)) {
        format!("{ids} is live-migratable on one side only: {place} does not say yes")
    } else {
        let tag = ["physical_network", "resource_class", "traits", "trusted", "remote_managed"]
            .into_iter()
            .find(|tag| !same.iter().any(|s| is_declared(s) && s.tags.get(tag) == spec.tags.get(tag)))?;
        format!("the live-migratable devices {ids} have another {tag} in {place}")
    };
    let mut finding = Finding::new(&SPEC_DIFFERS, message).remedy("write the same device_spec on both hosts");
    if place != "this configuration" {
        let line = spec.file.clone().zip(spec.line);
        finding.file = line.map(|(name, line)| FilePlace { name, line, range: None });
    }
    Some(finding)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nova::config::{Input, Machine, NoHost, load};

    fn doc(text: &str) -> ConfigDoc {
        let input = Input { name: "nova.conf".to_owned(), bytes: text.as_bytes().to_vec() };
        load(vec![input], &NoHost, &Machine::default()).document()
    }

    fn messages(a: &str, b: &str) -> Vec<String> {
        compare(&doc(a), &doc(b), "peer").into_iter().map(|f| f.message).collect()
    }

    const A: &str = r#"[pci]
device_spec = {"vendor_id": "15b3", "product_id": "101e", "live_migratable": "yes"}
alias = {"name": "a1", "vendor_id": "15b3", "product_id": "101e", "device_type": "type-VF", "live_migratable": "yes"}
"#;

    #[test]
    fn equal_configurations_agree() {
        assert!(messages(A, A).is_empty());
    }

    #[test]
    fn ids_differ_in_more_than_their_case() {
        let upper = A.replace("101e", "101E").replace("15b3", "15B3");
        let aliases: Vec<_> = messages(A, &upper).into_iter().filter(|text| text.starts_with("alias")).collect();
        assert!(aliases.is_empty(), "{aliases:?}");
    }

    #[test]
    fn says_what_differs() {
        let b = A.replace("\"yes\"", "\"no\"");
        let found = messages(A, &b);
        assert_eq!(found[0], "alias 'a1' differs from peer: live_migratable yes here, no there");
        assert!(found[1].contains("peer does not say yes"), "{found:?}");
        assert_eq!(messages(A, "[pci]\n"), ["alias 'a1' is not in peer"]);
    }
}
