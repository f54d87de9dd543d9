//! The evidence of another host, through the same channel as its facts: `pvm evidence` over there.

#![expect(clippy::disallowed_methods, reason = "an edge: runs ssh")]

use std::path::Path;
use std::process::Command;

use super::{Facts, GatherOptions, HostError, HostRef, ssh};
use crate::proof::{Evidence, Received, collect};
use crate::time::Timestamp;

/// How much earlier than asked the logs are read: the other host's clock may be behind.
const MARGIN_MS: i64 = 60_000;

/// Asks `host` what it has written about `domain` since `since`, by this machine's clock. `clock` gives the present moment.
pub fn ask(
    host: &HostRef,
    options: &GatherOptions,
    domain: &str,
    since: Timestamp,
    clock: impl Fn() -> Timestamp,
) -> Received {
    let asked = clock();
    let since = since.plus(-MARGIN_MS);
    let content = match channel(host) {
        Channel::Here => Ok(collect::collect(&options.root, domain, since, asked)),
        Channel::None(why) => Err(why),
        Channel::Program(argv) => by_program(&argv, host, options, domain, since),
    };
    Received { asked, answered: clock(), content }
}

/// How a host's own pvm is reached.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Channel {
    /// This machine.
    Here,
    /// These words in front of pvm's.
    Program(Vec<String>),
    /// None, and why.
    None(String),
}

pub(super) fn channel(host: &HostRef) -> Channel {
    let by_ssh = |target: &str| {
        let words = ["ssh", "-o", "BatchMode=yes", "-o", "ConnectTimeout=10", "--", target, "pvm"];
        Channel::Program(words.map(str::to_owned).to_vec())
    };
    match host {
        HostRef::Local => Channel::Here,
        HostRef::Snapshot(_) => Channel::None("a saved document cannot be asked".to_owned()),
        HostRef::Name(name) => by_ssh(name),
        HostRef::Uri(uri) => match host.ssh_target() {
            Some(target) => by_ssh(target),
            None if uri.contains(":///") => Channel::Here,
            None => Channel::None(format!(
                "{uri} has no channel to its own pvm: name the host in pvm.yaml, with facts by ssh"
            )),
        },
        HostRef::Configured { name, settings } => match &settings.facts {
            None => by_ssh(name),
            Some(Facts::Word(word)) if word == "ssh" => by_ssh(name),
            Some(Facts::Word(_)) => Channel::None(format!("the facts of {name} come without a channel to its own pvm")),
            // The command ends in `pvm inventory …`: the same pvm is asked for evidence.
            Some(Facts::Command { command }) => match command.iter().position(|word| word == "inventory") {
                Some(at) if at > 0 => Channel::Program(command[..at].to_vec()),
                Some(_) | None => {
                    Channel::None(format!("the command for the facts of {name} is not one of pvm inventory"))
                }
            },
        },
    }
}

fn by_program(
    argv: &[String],
    host: &HostRef,
    options: &GatherOptions,
    domain: &str,
    since: Timestamp,
) -> Result<Evidence, String> {
    // The remote side may have a shell: only words that it cannot misread are sent.
    if domain.is_empty()
        || domain.starts_with('-')
        || !domain.chars().all(|c| c.is_ascii_alphanumeric() || "._+:@-".contains(c))
    {
        return Err(format!("the name '{domain}' has characters that are not sent to another host"));
    }
    let (program, words) = argv.split_first().ok_or("the command is empty")?;
    let mut command = Command::new(program);
    command.args(words).args(["evidence", "-o", "json", "--since", &since.to_string(), domain]);
    let name = Path::new(program).file_name().and_then(|name| name.to_str()).unwrap_or(program);
    let label = host.label();
    let bytes = ssh::answer(command, &label, options.time_limit).map_err(|e| match e {
        HostError::Unreachable { why, .. } => why,
        other => other.to_string(),
    })?;
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
    use crate::host::{HostSettings, Settings};

    fn configured(script: &str) -> HostRef {
        let command = ["sh", "-c", script, "pvm", "inventory", "-o", "json"].map(str::to_owned).to_vec();
        let settings = HostSettings { facts: Some(Facts::Command { command }), ..HostSettings::default() };
        HostRef::Configured { name: "peer".into(), settings }
    }

    fn asked(host: &HostRef, domain: &str) -> Result<Evidence, String> {
        ask(host, &GatherOptions::default(), domain, Timestamp(MARGIN_MS), || Timestamp(7)).content
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

    #[test]
    fn hosts_without_a_channel_say_so() {
        let parse = |text| HostRef::parse(text, &Settings::default()).unwrap();
        assert_eq!(channel(&parse("local")), Channel::Here);
        assert_eq!(channel(&parse("qemu:///system")), Channel::Here);
        assert!(matches!(channel(&parse("qemu+tls://b/system")), Channel::None(_)));
        assert!(matches!(channel(&parse("./b.json")), Channel::None(_)));
        let Channel::Program(words) = channel(&parse("qemu+ssh://root@b/system")) else { panic!("no program") };
        assert_eq!(words[words.len() - 3..], ["--", "root@b", "pvm"]);
    }
}
