//! Comparisons of versions that several checks share.

use crate::model::snapshot::host::Host;
use crate::preflight::Verdict;
use crate::preflight::context::{Hosts, both, missing, name, version};

/// Both hosts have the same.
pub(super) fn equal<'a, T: PartialEq + ToString>(
    hosts: Hosts<'a>,
    fact: &str,
    what: &str,
    get: impl Fn(&'a Host) -> Option<T>,
) -> Vec<Verdict> {
    let (s, d) = match both(hosts, fact, &format!("its {what}"), get) {
        Ok(values) => values,
        Err(unknown) => return unknown,
    };
    let verdict = if s == d {
        Verdict::pass()
    } else {
        Verdict::fail(format!("the {what} differs: {} and {}", s.to_string(), d.to_string()))
    };
    vec![verdict.facts(&s, &d)]
}

/// Both hosts have at least this version.
pub(super) fn floor<'a>(
    hosts: Hosts<'a>,
    fact: &str,
    what: &str,
    get: impl Fn(&'a Host) -> Option<&'a str>,
    least: (u64, u64, u64),
) -> Vec<Verdict> {
    let all = [&hosts.source.host, &hosts.destination.host];
    let word = |host| get(host).unwrap_or("unknown");
    let mut verdicts = Vec::new();
    for host in all {
        match get(host).and_then(version) {
            Some(has) if has >= least => {}
            Some(_) => verdicts.push(
                Verdict::fail(format!(
                    "{what} {} on {} is older than {}.{}.{}",
                    word(host),
                    name(host),
                    least.0,
                    least.1,
                    least.2
                ))
                .remedy(format!("upgrade {what} on {}", name(host))),
            ),
            None => verdicts.push(missing(host, fact, &format!("its {what} version"))),
        }
    }
    if verdicts.is_empty() {
        verdicts.push(Verdict::pass());
    }
    verdicts.into_iter().map(|verdict| verdict.facts(&word(all[0]), &word(all[1]))).collect()
}

/// The destination's version is not below the source's.
pub(super) fn not_older<'a>(
    hosts: Hosts<'a>,
    fact: &str,
    what: &str,
    get: impl Fn(&'a Host) -> Option<&'a str>,
) -> Vec<Verdict> {
    let (source, destination) = (&hosts.source.host, &hosts.destination.host);
    let (Some(s), Some(d)) = (get(source), get(destination)) else {
        let host = if get(source).is_none() { source } else { destination };
        return vec![missing(host, fact, &format!("its {what} version"))];
    };
    let verdict = if version(d) >= version(s) {
        Verdict::pass()
    } else {
        Verdict::fail(format!("{what} {d} on {} is older than {s} on {}", name(destination), name(source)))
            .remedy(format!("upgrade {what} on {} first", name(destination)))
    };
    vec![verdict.facts(&s, &d)]
}
