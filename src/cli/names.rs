//! Options under other names: the ones that pvm had before, and the ones that virsh has.

use std::ffi::{OsStr, OsString};

/// An option that was renamed: the old words, and the new ones. An old name is understood for one release.
const RENAMED: &[(&str, &str)] = &[
    ("--port", "--replug"),
    ("--no-detach", "--no-replug"),
    ("--parallel", "--parallel-connections"),
    ("--ignore", "--allow"),
    ("--accept-unknown", "--allow"),
    ("--standalone", "--bypass-owner"),
    ("--keep none", "--destroy-guest"),
    ("--on", "--host"),
];

/// Old names of `migrate` that are today's names of `drain`, with another meaning.
const OF_DRAIN: &[&str] = &["--parallel"];

/// An option of `virsh migrate` that pvm does not have, and what pvm does instead.
const VIRSH: &[(&str, &str)] = &[
    ("--live", "pvm always migrates live; leave --live out"),
    ("--persistent", "pvm always defines a persistent guest on the destination; leave --persistent out"),
    ("--undefinesource", "pvm always undefines the guest on the source once it has moved; leave --undefinesource out"),
    ("--p2p", "pvm always migrates peer to peer; leave --p2p out, or use --direct for the opposite"),
    ("--auto-converge", "pvm does not throttle vCPUs; it raises the downtime limit instead (--max-downtime auto)"),
    ("--copy-storage-all", "pvm copies only the disks that are named; use --copy-storage DISK,…"),
    ("--copy-storage-inc", "pvm copies only the disks that are named; use --copy-storage DISK,…"),
    ("--unsafe", "pvm checks disks and their caches itself and never migrates unsafely; leave --unsafe out"),
    ("--postcopy", "QEMU refuses post-copy for guests with VFIO devices; leave --postcopy out"),
    ("--tunnelled", "QEMU refuses tunnelled migration for VFIO devices; use --tls"),
    ("--compressed", "pvm does not compress; leave --compressed out"),
    ("--abort-on-error", "pvm always aborts on an error of the guest; leave --abort-on-error out"),
    ("--change-protection", "libvirt always protects a migrating guest; leave --change-protection out"),
    ("--migrateuri", "the address of the data is migrate_uri of the host in pvm.yaml"),
    ("--desturi", "DST may be a libvirt URI"),
    ("--xml", "pvm writes the guest's XML for the destination itself; --diff shows it"),
    ("--persistent-xml", "pvm writes the guest's XML for the destination itself; --diff shows it"),
    ("--suspend", "the guest keeps its state: it runs or stays paused as before"),
    ("--offline", "pvm migrates running guests only"),
];

/// The arguments in today's names, and a note for each that was given in an old one. What follows `--` is left alone.
pub(crate) fn today(args: impl IntoIterator<Item = OsString>) -> (Vec<OsString>, Vec<String>) {
    let (mut renamed, mut notes) = (Vec::new(), Vec::new());
    let args: Vec<OsString> = args.into_iter().collect();
    let is_drain = args.iter().find(|arg| *arg == "drain" || *arg == "migrate").is_some_and(|arg| arg == "drain");
    let mut args = args.into_iter().peekable();
    while let Some(arg) = args.next() {
        if arg == "--" {
            renamed.push(arg);
            renamed.extend(args);
            break;
        }
        let mut old_names = RENAMED.iter().filter(|(old, _)| !(is_drain && OF_DRAIN.contains(old)));
        let Some((old, new, value)) = old_names.find_map(|(old, new)| {
            let value = match_old(old, &arg, args.peek().map(OsString::as_os_str))?;
            Some((old, new, value))
        }) else {
            renamed.push(arg);
            continue;
        };
        let mut today = OsString::from(new);
        match value {
            Value::Inside(value) => {
                today.push("=");
                today.push(value);
            }
            Value::Next => drop(args.next()),
            Value::Apart => {}
        }
        renamed.push(today);
        notes.push(format!("{old} is now {new}; the old name is understood for one more release"));
    }
    (renamed, notes)
}

/// Where the value of an option stands that was given in its old name.
enum Value {
    /// After the equals sign.
    Inside(OsString),
    /// It is the next argument, and part of the old name.
    Next,
    /// There is none, or it is the next argument.
    Apart,
}

fn match_old(old: &str, arg: &OsStr, next: Option<&OsStr>) -> Option<Value> {
    if let Some((option, word)) = old.split_once(' ') {
        let inside = arg.to_str().is_some_and(|arg| arg.strip_prefix(option) == Some(&format!("={word}")));
        let apart = arg == option && next.is_some_and(|next| next == word);
        return if inside { Some(Value::Apart) } else { apart.then_some(Value::Next) };
    }
    if arg == old {
        return Some(Value::Apart);
    }
    let value = arg.to_str()?.strip_prefix(old)?.strip_prefix('=')?;
    Some(Value::Inside(value.into()))
}

/// What pvm does instead of an option of virsh.
pub(crate) fn virsh_hint(option: &str) -> Option<&'static str> {
    let name = option.split('=').next().unwrap_or(option);
    VIRSH.iter().find(|(known, _)| *known == name).map(|(_, hint)| *hint)
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::{Cli, Command, command};

    fn renamed(line: &str) -> (String, Vec<String>) {
        let (args, notes) = today(line.split(' ').map(OsString::from));
        let args: Vec<_> = args.iter().map(|arg| arg.to_string_lossy()).collect();
        (args.join(" "), notes)
    }

    #[test]
    fn every_old_name_is_understood_and_noted() {
        let old = "pvm migrate web1 b --port 0000:01:00.2 --no-detach --parallel=4 --ignore a,b --accept-unknown all --standalone=X";
        let (new, notes) = renamed(old);
        assert_eq!(
            new,
            "pvm migrate web1 b --replug 0000:01:00.2 --no-replug --parallel-connections=4 --allow a,b --allow all --bypass-owner=X"
        );
        assert_eq!(notes.len(), 6);
        let Command::Migrate(migrate) = Cli::try_parse_from(new.split(' ')).unwrap().command else { panic!("{new}") };
        assert_eq!(migrate.allow, ["a", "b", "all"]);
        assert_eq!(migrate.parallel_connections, Some(4));
        for old in ["pvm recover X --keep none", "pvm recover X --keep=none"] {
            let (new, notes) = renamed(old);
            assert_eq!(new, "pvm recover X --destroy-guest");
            assert_eq!(notes, ["--keep none is now --destroy-guest; the old name is understood for one more release"]);
            Cli::try_parse_from(new.split(' ')).unwrap();
        }
        let (new, _) = renamed("pvm verify web1 --on host-b");
        assert_eq!(new, "pvm verify web1 --host host-b");
        Cli::try_parse_from(new.split(' ')).unwrap();
    }

    #[test]
    fn todays_names_and_what_follows_two_dashes_stay() {
        for line in [
            "pvm drain X --parallel 3",
            "pvm recover X --keep src",
            "pvm migrate --replug 0000:01:00.2",
            "pvm explain -- --port",
            "pvm --only",
        ] {
            assert_eq!(renamed(line), (line.to_owned(), Vec::new()));
        }
    }

    #[test]
    fn old_names_are_hidden_and_no_name_of_virsh_is_one_of_pvms() {
        let root = command();
        let options: Vec<&str> =
            root.get_subcommands().flat_map(clap::Command::get_arguments).filter_map(clap::Arg::get_long).collect();
        let is_option = |name: &str| options.contains(&name.trim_start_matches("--"));
        for (old, new) in RENAMED {
            assert_eq!(is_option(old), OF_DRAIN.contains(old), "{old}");
            assert!(is_option(new), "{new}");
        }
        for (name, hint) in VIRSH {
            assert!(!is_option(name), "{name}");
            assert_eq!(virsh_hint(name), Some(*hint));
        }
        assert_eq!(virsh_hint("--p2p=yes"), virsh_hint("--p2p"));
        assert_eq!(virsh_hint("--verbose"), None);
    }
}
