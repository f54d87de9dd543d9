//! The evidence of another host, through the same channel as its facts: `pvm evidence` over there.

use super::channel::{Channel, channel, is_plain};
use std::path::Path;

use crate::facts::{GatherOptions, HostRef};
use crate::libvirt;
use crate::model::snapshot::Unknown;
use crate::model::time::Timestamp;
use crate::proof::evidence::Asked;
use crate::proof::{Evidence, Received, collect};

/// How much earlier than asked the logs are read: the other host's clock may be behind.
const MARGIN_MS: i64 = 60_000;

/// What this machine has written about a domain, with the UUIDs that its libvirt at `uri` has for both.
pub(crate) fn here(root: &Path, uri: Option<&str>, domain: &str, since: Timestamp, now: Timestamp) -> Evidence {
    let mut evidence = collect::collect(root, domain, since, now);
    let daemon = match uri {
        Some(uri) => libvirt::open(uri).map_err(|e| e.to_string()),
        None => Err("libvirt was not contacted, because the tree below --root is another machine's".to_owned()),
    };
    let mut unknown = |fact: &str, why: String| evidence.unknown.push(Unknown::new(fact, why));
    match daemon {
        Ok(daemon) => {
            match daemon.host_uuid() {
                Ok(uuid) => evidence.host_uuid = Some(uuid),
                Err(e) => unknown("host_uuid", e.to_string()),
            }
            match daemon.domain_by_name(domain) {
                Ok(Some(guest)) => evidence.domain_uuid = Some(guest.uuid),
                Ok(None) => unknown("domain_uuid", format!("no domain is called {domain} there")),
                Err(e) => unknown("domain_uuid", e.to_string()),
            }
        }
        Err(why) => {
            unknown("host_uuid", why.clone());
            unknown("domain_uuid", why);
        }
    }
    evidence
}

/// Asks `host` what it has written about a guest since `since`, by this machine's clock. `clock` gives the present moment. What
/// is of another host or guest than `about` is no answer.
pub(crate) fn ask(
    host: &HostRef,
    options: &GatherOptions,
    about: &Asked<'_>,
    since: Timestamp,
    clock: impl Fn() -> Timestamp,
) -> Received {
    let asked = clock();
    let since = since.plus(-MARGIN_MS);
    let content = match channel(host) {
        Channel::Here => Ok(here(&options.root, options.connect.as_deref(), about.domain, since, asked)),
        Channel::None(why) => Err(why),
        Channel::Program(argv) => by_program(&argv, host, options, about.domain, since),
    };
    let content = content.and_then(|evidence| evidence.is_of(about).map(|()| evidence));
    Received { asked, answered: clock(), content }
}

fn by_program(
    argv: &[String],
    host: &HostRef,
    options: &GatherOptions,
    domain: &str,
    since: Timestamp,
) -> Result<Evidence, String> {
    if !is_plain(domain) || domain.contains('/') {
        return Err(format!("the name '{domain}' has characters that are not sent to another host"));
    }
    let arguments = ["evidence", "-o", "json", "--since", &since.to_string(), domain];
    let (bytes, name) = super::channel::ask(argv, &arguments, host, options)?;
    serde_json::from_slice::<Evidence>(&bytes)
        .map_err(|e| format!("{name} did not answer with evidence: {e}"))
        .and_then(|evidence| {
            let known = evidence.schema == crate::proof::evidence::SCHEMA;
            known.then_some(evidence).ok_or_else(|| format!("{name} did not answer with evidence"))
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Facts;
    use crate::facts::settings::HostSettings;

    fn configured(script: &str) -> HostRef {
        let command = ["sh", "-c", script, "pvm", "inventory", "-o", "json"].map(str::to_owned).to_vec();
        let settings = HostSettings { facts: Some(Facts::Command { command }), ..HostSettings::default() };
        HostRef::Configured { name: "peer".into(), settings }
    }

    fn asked(host: &HostRef, domain: &str) -> Result<Evidence, String> {
        let about = Asked { host_uuid: None, domain, domain_uuid: "u" };
        ask(host, &GatherOptions::default(), &about, Timestamp(MARGIN_MS), || Timestamp(7)).content
    }

    #[test]
    fn the_facts_command_is_asked_for_evidence_instead() {
        let script = r#"test "$*" = "evidence -o json --since 1970-01-01T00:00:00.000Z vm-1" || exit 3
            echo '{"schema": "pvm.evidence/1", "host": "b"}'"#;
        assert_eq!(asked(&configured(script), "vm-1").unwrap().host, "b");
    }

    #[test]
    fn no_answer_is_an_error_with_its_reason() {
        for (script, expected) in [
            ("echo denied >&2; exit 1", "denied"),
            ("echo '{}'", "did not answer with evidence"),
            ("echo hello", "did not answer with evidence"),
        ] {
            let why = asked(&configured(script), "vm-1").unwrap_err();
            assert!(why.contains(expected), "{why}");
        }
    }

    #[test]
    fn no_name_reaches_a_remote_shell_that_it_could_misread() {
        for name in ["a;id", "-v", "a b", "$(id)", "a'b", ""] {
            let why = asked(&configured("echo called >&2; exit 1"), name).unwrap_err();
            assert!(why.contains("not sent"), "{name:?}: {why}");
        }
    }
}
