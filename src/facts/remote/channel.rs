//! How the pvm of another host is reached for more than its snapshot.

#![expect(clippy::disallowed_methods, reason = "an edge: runs ssh")]

use std::path::Path;
use std::process::{Command, Stdio};

use super::ssh;
use crate::facts::Facts;
use crate::facts::GatherOptions;
use crate::facts::HostError;
use crate::facts::HostRef;

/// Where the pvm of a host answers.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Channel {
    /// This machine.
    Here,
    /// These words in front of pvm's.
    Program(Vec<String>),
    /// None, and why.
    None(String),
}

/// The channel to a host.
pub(super) fn channel(host: &HostRef) -> Channel {
    let by_ssh = |target: &str| {
        let timeout = format!("ConnectTimeout={}", ssh::CONNECT_TIMEOUT);
        let words = ["ssh", "-o", "BatchMode=yes", "-o", &timeout, "--", target, "pvm"];
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
            // The command ends in `pvm inventory …`: the same pvm is asked.
            Some(Facts::Command { command }) => match command.iter().position(|word| word == "inventory") {
                Some(at) if at > 0 => Channel::Program(command[..at].to_vec()),
                Some(_) | None => {
                    Channel::None(format!("the command for the facts of {name} is not one of pvm inventory"))
                }
            },
        },
    }
}

/// Whether a word may be sent: the remote side may have a shell, and only words that it cannot misread are.
pub(super) fn is_plain(word: &str) -> bool {
    !word.is_empty()
        && !word.starts_with('-')
        && word.chars().all(|c| c.is_ascii_alphanumeric() || "._+:@/-".contains(c))
}

/// What the pvm behind these words answers to these arguments, or why it did not, with the program's name.
pub(super) fn ask(
    argv: &[String],
    arguments: &[&str],
    host: &HostRef,
    options: &GatherOptions,
) -> Result<(Vec<u8>, String), String> {
    let (program, words) = argv.split_first().ok_or("the command is empty")?;
    let mut command = Command::new(program);
    command.args(words).args(arguments);
    let name = Path::new(program).file_name().and_then(|name| name.to_str()).unwrap_or(program);
    let printed = ssh::answer(command, Stdio::null(), &host.label(), options.time_limit).map_err(|e| match e {
        HostError::Unreachable { why, .. } | HostError::Silent { why, .. } => why,
        other => other.to_string(),
    })?;
    Ok((printed.bytes, name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Settings;

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
