//! `HOST` on the command line: what a name stands for.

use std::path::{Path, PathBuf};

use super::remote::packed::Packing;
use super::settings::{Facts, HostSettings, Settings};
use crate::journal::machine;
use crate::model::snapshot::Snapshot;

/// Schemes that open a connection and run nothing the operator did not name: `ext` would run a command.
const SCHEMES: [&str; 8] =
    ["qemu", "qemu+unix", "qemu+tcp", "qemu+tls", "qemu+ssh", "qemu+libssh", "qemu+libssh2", "test"];

/// Parameters of a URI that run nothing: `command` and `netcat` would.
const PARAMETERS: [&str; 11] = [
    "keyfile",
    "known_hosts",
    "known_hosts_verify",
    "mode",
    "no_tty",
    "no_verify",
    "pkipath",
    "proxy",
    "socket",
    "sshauth",
    "tls_priority",
];

/// What a `HOST` stands for.
#[derive(Debug, Clone, PartialEq)]
pub enum HostRef {
    /// This machine.
    Local,
    /// A saved snapshot.
    Snapshot(PathBuf),
    /// A libvirt URI.
    Uri(String),
    /// A name from `pvm.yaml`.
    Configured {
        /// The name.
        name: String,
        /// What `pvm.yaml` says about it.
        settings: HostSettings,
    },
    /// A host name, reached by ssh.
    Name(String),
}

/// Why a `HOST` was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HostRefError {
    /// It could be taken for an option of ssh.
    #[error("host {0:?}: a host name does not begin with '-'")]
    LeadingDash(String),
    /// It stands for several hosts where one is wanted.
    #[error("host {0}: it is a group of hosts, and one host is wanted")]
    Group(String),
    /// It is nothing that can name a host.
    #[error("host {0:?}: neither local, a snapshot file, a libvirt URI nor a host name")]
    NotAName(String),
    /// A URI with another scheme.
    #[error("host {uri}: the scheme {scheme:?} is not one of {}", SCHEMES.join(", "))]
    Scheme {
        /// The URI.
        uri: String,
        /// Its scheme.
        scheme: String,
    },
    /// A URI with a parameter that is not allowed.
    #[error("host {uri}: the parameter {parameter:?} is not one of {}", PARAMETERS.join(", "))]
    Parameter {
        /// The URI.
        uri: String,
        /// The parameter.
        parameter: String,
    },
    /// A URI with a password, which is not repeated here.
    #[error("host {0}://…: libvirt takes no password in a URI; it asks for one, or reads its auth.conf")]
    Password(String),
    /// A URI whose user or host is not a name.
    #[error("host {0}: the part between '//' and '/' is no host name")]
    Authority(String),
}

impl HostRef {
    /// Whether its facts are of a document that was saved at some time before.
    pub(crate) fn is_saved(&self) -> bool {
        match self {
            Self::Snapshot(_) => true,
            Self::Configured { settings, .. } => {
                matches!(&settings.facts, Some(Facts::Word(word)) if word != "ssh" && word != "libvirt")
            }
            Self::Local | Self::Name(_) | Self::Uri(_) => false,
        }
    }

    /// What `text` stands for.
    pub fn parse(text: &str, settings: &Settings) -> Result<Self, HostRefError> {
        if text.starts_with('-') {
            return Err(HostRefError::LeadingDash(text.to_owned()));
        }
        if text == "local" {
            return Ok(Self::Local);
        }
        if text.contains("://") {
            check_uri(text)?;
            return Ok(Self::Uri(text.to_owned()));
        }
        if let Some(found) = settings.hosts.get(text) {
            if let Some(uri) = &found.libvirt {
                check_uri(uri)?;
            }
            return Ok(Self::Configured { name: text.to_owned(), settings: found.clone() });
        }
        if settings.groups.contains_key(text) {
            return Err(HostRefError::Group(text.to_owned()));
        }
        if text.contains('/') || is_snapshot_name(Path::new(text)) {
            return Ok(Self::Snapshot(PathBuf::from(text)));
        }
        if is_own(text, &machine()) {
            return Ok(Self::Local);
        }
        if !is_host_name(text) {
            return Err(HostRefError::NotAName(text.to_owned()));
        }
        Ok(Self::Name(text.to_owned()))
    }

    /// The libvirt URI it is reached under; `local` is that of this machine. None: a snapshot file has no libvirt.
    pub fn libvirt_uri(&self, local: &str) -> Option<String> {
        match self {
            Self::Local => Some(local.to_owned()),
            Self::Snapshot(_) => None,
            Self::Uri(uri) => Some(uri.clone()),
            Self::Configured { name, settings } => {
                Some(settings.libvirt.clone().unwrap_or_else(|| format!("qemu+ssh://{name}/system")))
            }
            Self::Name(name) => Some(format!("qemu+ssh://{name}/system")),
        }
    }

    /// Where migration data goes to it, if not libvirt's choice.
    pub fn migrate_uri(&self) -> Option<&str> {
        match self {
            Self::Configured { settings, .. } => settings.migrate_uri.as_deref(),
            Self::Local | Self::Snapshot(_) | Self::Uri(_) | Self::Name(_) => None,
        }
    }

    /// `[user@]host` of a URI that goes by ssh to its usual port: the same host answers for its facts.
    pub fn ssh_target(&self) -> Option<&str> {
        let Self::Uri(uri) = self else { return None };
        let (scheme, rest) = uri.split_once("://")?;
        let authority = rest.split(['/', '?']).next().unwrap_or("");
        let by_ssh = scheme.ends_with("ssh") || scheme.ends_with("ssh2");
        (by_ssh && !authority.is_empty() && !authority.contains([':', '['])).then_some(authority)
    }

    /// Gives a snapshot the name that the operator has for its host; what has no such name keeps its own.
    pub(crate) fn call(&self, snapshot: &mut Snapshot) {
        if let Self::Configured { name, .. } | Self::Name(name) = self {
            snapshot.host.name.clone_from(name);
        }
    }

    /// What to call it: the name of pvm.yaml, else the operator's word, and this machine by its host name.
    pub fn label(&self) -> String {
        match self {
            Self::Local => machine(),
            Self::Snapshot(path) => path.display().to_string(),
            Self::Uri(name) | Self::Configured { name, .. } | Self::Name(name) => name.clone(),
        }
    }
}

/// Whether a file of this name is a snapshot: a document, packed or not.
pub(super) fn is_snapshot_name(path: &Path) -> bool {
    let (_, inner) = Packing::of(path);
    inner.extension().is_some_and(|extension| extension == "json" || extension == "yaml")
}

/// Whether a word is the host name of this machine, with or without its domain.
fn is_own(word: &str, machine: &str) -> bool {
    word.eq_ignore_ascii_case(machine)
        || machine.split_once('.').is_some_and(|(short, _)| word.eq_ignore_ascii_case(short))
}

fn is_host_name(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with('-')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | ':' | '[' | ']' | '@'))
}

/// Refuses every URI of libvirt that runs a program of the URI's choice.
pub(crate) fn check_uri(uri: &str) -> Result<(), HostRefError> {
    let (scheme, rest) = uri.split_once("://").ok_or_else(|| HostRefError::NotAName(uri.to_owned()))?;
    let authority = rest.split(['/', '?']).next().unwrap_or("");
    without_password(uri)?;
    if !SCHEMES.contains(&scheme) {
        return Err(HostRefError::Scheme { uri: uri.to_owned(), scheme: scheme.to_owned() });
    }
    let query = rest.split_once('?').map_or("", |(_, query)| query);
    let names_are_names = authority.split('@').all(|part| authority.is_empty() || is_host_name(part));
    if !names_are_names || uri.chars().any(|c| c.is_control() || c.is_whitespace()) || uri.contains('#') {
        return Err(HostRefError::Authority(uri.to_owned()));
    }
    for pair in query.split(['&', ';']).filter(|pair| !pair.is_empty()) {
        let parameter = pair.split('=').next().unwrap_or("");
        if !PARAMETERS.contains(&parameter) {
            return Err(HostRefError::Parameter { uri: uri.to_owned(), parameter: parameter.to_owned() });
        }
    }
    Ok(())
}

/// Refuses a URI that holds a password, before any message or command line can show it.
pub(crate) fn without_password(uri: &str) -> Result<(), HostRefError> {
    let Some((scheme, rest)) = uri.split_once("://") else { return Ok(()) };
    let authority = rest.split(['/', '?']).next().unwrap_or("");
    match authority.rsplit_once('@') {
        Some((user, _)) if user.contains(':') => Err(HostRefError::Password(scheme.to_owned())),
        _ => Ok(()),
    }
}

/// The first host of pvm.yaml with a name or a URI that is not one: the line it is on, and why.
pub(crate) fn wrong_uri(settings: &Settings, text: &str) -> Option<(u64, String)> {
    settings.hosts.iter().find_map(|(name, host)| {
        if name == "local" {
            return Some((line_of(text, name), "host local: that is this machine, whatever stands here".to_owned()));
        }
        let control = host.libvirt.iter().find_map(|uri| Some((uri, check_uri(uri).err()?.to_string())));
        let data = host.migrate_uri.iter().find_map(|uri| Some((uri, wrong_migrate_uri(uri)?)));
        let (uri, why) = control.or(data)?;
        Some((line_of(text, uri), format!("host {name}: {why}")))
    })
}

/// The first group of pvm.yaml that is not one: the line it is on, and why.
pub(crate) fn wrong_group(settings: &Settings, text: &str) -> Option<(u64, String)> {
    settings.groups.iter().find_map(|(name, members)| {
        let why = if name == "local" || !is_host_name(name) || is_snapshot_name(Path::new(name)) {
            "this is no name for a group".to_owned()
        } else if settings.hosts.contains_key(name) {
            "a host has the same name".to_owned()
        } else if members.is_empty() {
            "it has no hosts".to_owned()
        } else {
            members.iter().find_map(|member| HostRef::parse(member, settings).err())?.to_string()
        };
        Some((line_of(text, name), format!("group {name}: {why}")))
    })
}

/// The first line with this value.
fn line_of(text: &str, value: &str) -> u64 {
    let line = text.lines().position(|line| line.contains(value)).unwrap_or_default();
    line as u64 + 1
}

/// What is wrong with an address for the data of migrations: QEMU's schemes, and libvirt's for files of sockets.
fn wrong_migrate_uri(uri: &str) -> Option<String> {
    const SCHEMES: [&str; 3] = ["tcp", "rdma", "unix"];
    match uri.split_once("://") {
        Some((scheme, address)) if SCHEMES.contains(&scheme) && !address.is_empty() => None,
        Some((scheme, _)) => {
            Some(format!("migrate_uri {uri:?}: the scheme {scheme:?} is not one of {}", SCHEMES.join(", ")))
        }
        None => Some(format!("migrate_uri {uri:?} has no scheme: tcp://{uri}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<HostRef, HostRefError> {
        let settings = Settings::parse("hosts:\n  cmp-a: {libvirt: 'qemu+tls://cmp-a/system', migrate_uri: 'tcp://10.0.0.1'}\n  bad: {libvirt: 'qemu+ext:///system?command=x'}\n").unwrap();
        HostRef::parse(text, &settings)
    }

    #[test]
    fn names_stand_for_what_they_look_like() {
        assert_eq!(parse("local").unwrap(), HostRef::Local);
        assert_eq!(parse(&machine()).unwrap(), HostRef::Local, "its own name");
        assert!(is_own("cmp-a1", "cmp-a1.example.org") && is_own("CMP-A1", "cmp-a1"));
        assert!(!is_own("cmp-a1.example.org", "cmp-a1") && !is_own("cmp", "cmp-a1"));
        assert_eq!(parse("./a").unwrap(), HostRef::Snapshot("./a".into()));
        for file in ["a.json", "a.yaml", "a.json.gz", "a.yaml.zst"] {
            assert_eq!(parse(file).unwrap(), HostRef::Snapshot(file.into()));
        }
        assert_eq!(parse("a.gz").unwrap(), HostRef::Name("a.gz".into()));
        let configured = parse("cmp-a").unwrap();
        assert_eq!(configured.libvirt_uri("x").unwrap(), "qemu+tls://cmp-a/system");
        assert_eq!(configured.migrate_uri(), Some("tcp://10.0.0.1"));
        let named = parse("cmp-b").unwrap();
        assert_eq!(named.libvirt_uri("x").unwrap(), "qemu+ssh://cmp-b/system");
        assert_eq!(parse("qemu+tcp://h/system").unwrap().libvirt_uri("x").unwrap(), "qemu+tcp://h/system");
        assert_eq!(HostRef::Local.libvirt_uri("qemu:///system").unwrap(), "qemu:///system");
    }

    #[test]
    fn facts_come_the_way_the_uri_goes() {
        assert_eq!(parse("qemu+ssh://root@h/system").unwrap().ssh_target(), Some("root@h"));
        for text in ["qemu+ssh://h:22/system", "qemu+tls://h/system", "qemu:///system", "h"] {
            assert_eq!(parse(text).unwrap().ssh_target(), None, "{text}");
        }
    }

    #[test]
    fn nothing_that_runs_code_is_a_host() {
        for text in [
            "-oProxyCommand=x",
            "qemu+ext:///system?command=/bin/x",
            "qemu+ssh://h/system?command=x",
            "qemu+ssh://h/system?no_tty=1&netcat=x",
            "qemu+ssh://h/system?no_tty=1;netcat=x",
            "qemu+ssh://-oProxyCommand=x/system",
            "qemu+ssh://u@-oProxyCommand=x/system",
            "qemu+ssh://-l@h/system",
            "qemu+ssh://%2doProxyCommand=x/system",
            "qemu+tcp://u:secret@h/system",
            "http://h/",
            "a b",
            "a;b",
            "a\nb",
            "",
            "bad",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_group_has_hosts_and_a_name_of_its_own() {
        for (text, expected) in [
            ("groups: {r: []}", "group r: it has no hosts"),
            ("hosts: {r: {}}\ngroups: {r: [a]}", "group r: a host has the same name"),
            ("groups: {local: [a]}", "group local: this is no name for a group"),
            ("groups: {a.json: [a]}", "group a.json: this is no name for a group"),
            ("groups: {r: [a], s: [r]}", "group s: host r: it is a group of hosts, and one host is wanted"),
            ("groups: {r: [-x]}", "group r: host \"-x\": a host name does not begin with '-'"),
        ] {
            assert_eq!(wrong_group(&Settings::parse(text).unwrap(), text).unwrap().1, expected);
        }
        let good = "groups:\n  r: [a, b.json]";
        assert_eq!(wrong_group(&Settings::parse(good).unwrap(), good), None);
    }

    #[test]
    fn an_address_needs_a_scheme_that_carries_data() {
        let wrong = |text: &str| wrong_uri(&Settings::parse(text).unwrap(), text);
        let (line, why) = wrong("hosts:\n  a: {libvirt: 'qemu+ssh://u:secret@h/system'}\n").unwrap();
        assert!(line == 2 && why.starts_with("host a: host qemu+ssh://…:") && !why.contains("secret"), "{why}");
        assert_eq!(wrong("hosts:\n  local: {facts: a.json}\n").unwrap().0, 2);
        let (line, why) = wrong("hosts:\n  a:\n    migrate_uri: 10.77.0.2\n").unwrap();
        assert_eq!((line, why.as_str()), (3, "host a: migrate_uri \"10.77.0.2\" has no scheme: tcp://10.77.0.2"));
        assert!(wrong("hosts: {a: {migrate_uri: 'ssh://x'}}").is_some());
        assert!(wrong("hosts: {a: {migrate_uri: 'tcp://x:49152'}}").is_none());
        assert!(wrong("hosts: {a: {libvirt: 'qemu+ext://x'}}").is_some());
    }
}
