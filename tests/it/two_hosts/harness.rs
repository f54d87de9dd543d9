//! Two real libvirt hosts for a test, and the guest whose number and counter show that it was kept alive.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "shared by several tests; a test runs programs and stops at the first surprise"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use crate::program::PVM;

/// How long something may take that has to happen. Far more than it takes on a machine that is busy with other things: a
/// test that fails waits this long, one that passes never does.
pub const PATIENCE: Duration = Duration::from_secs(180);

/// Daemons that notice a dead connection after a few seconds instead of thirty, but not a slow one.
pub const IMPATIENT: &str = "keepalive_interval = 1\nkeepalive_count = 4\n";

/// Waits until this holds.
#[track_caller]
pub fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let limit = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < limit, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The two hosts. They end with this value, or with the test's process, however it ends.
pub struct TwoHosts {
    dir: tempfile::TempDir,
}

/// What `pvm` said.
#[derive(Debug)]
pub struct Said {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Said {
    pub fn of(output: &Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// The events of `-o ndjson`.
    pub fn events(&self) -> Vec<serde_json::Value> {
        self.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Whether libvirt gave up because the machine was too slow for one of its own limits, which says nothing about pvm.
    pub fn is_timed_out(&self) -> bool {
        ["Timed out during operation", "timed out waiting for"].iter().any(|words| self.stderr.contains(words))
    }

    /// Fails with everything that was said unless the exit code is this one, and a document what its schema says.
    #[track_caller]
    pub fn ends(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self:#?}");
        crate::documents::check(&self.stdout);
        self
    }

    /// Fails unless stderr holds this, wherever its lines are broken.
    #[track_caller]
    pub fn complains(self, words: &str) -> Self {
        let said = self.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(said.contains(words), "no {words:?} in {self:#?}");
        self
    }
}

/// One line of the guest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Life {
    pub number: String,
    pub counter: u64,
}

pub fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/two-hosts/two-hosts")
}

impl TwoHosts {
    pub fn up() -> Self {
        Self::up_with("", "")
    }

    /// With lines added to libvirtd.conf and qemu.conf of both hosts.
    pub fn up_with(libvirtd: &str, qemu: &str) -> Self {
        let start = || {
            let hosts = Self { dir: tempfile::tempdir().unwrap() };
            fs::write(hosts.path("libvirtd.conf"), libvirtd).unwrap();
            fs::write(hosts.path("qemu.conf"), qemu).unwrap();
            let said = hosts.said("up", &["--for", &std::process::id().to_string()]);
            (hosts, said)
        };
        let (mut hosts, mut said) = start();
        if said.is_timed_out() {
            (hosts, said) = start();
        }
        assert_eq!(said.code, Some(0), "two-hosts up: {said:#?}");
        for (host, peer) in [("a", "b"), ("b", "a")] {
            let settings =
                format!("hosts:\n  host-{peer}: {{libvirt: 'qemu+tcp://host-{peer}/system', facts: libvirt}}\n");
            fs::write(hosts.path(&format!("host-{host}/etc/pvm/pvm.yaml")), settings).unwrap();
        }
        hosts
    }

    /// Starts host c, another destination for the guests of host a.
    pub fn third(&self) {
        self.command("third", &[]);
        let path = self.path("host-a/etc/pvm/pvm.yaml");
        let settings = fs::read_to_string(&path).unwrap();
        fs::write(path, format!("{settings}  host-c: {{libvirt: 'qemu+tcp://host-c/system', facts: libvirt}}\n"))
            .unwrap();
    }

    pub fn path(&self, inside: &str) -> PathBuf {
        self.dir.path().join(inside)
    }

    fn said(&self, command: &str, args: &[&str]) -> Said {
        Said::of(&Command::new(script()).arg(command).arg(self.dir.path()).args(args).output().unwrap())
    }

    /// A command of the harness, which must succeed: at the second attempt where libvirt timed out. What it printed.
    #[track_caller]
    pub fn command(&self, command: &str, args: &[&str]) -> String {
        let mut said = self.said(command, args);
        if said.is_timed_out() {
            said = self.said(command, args);
        }
        assert_eq!(said.code, Some(0), "two-hosts {command} {args:?}: {said:#?}");
        said.stdout
    }

    /// What virsh says on that host, whatever that is.
    pub fn told(&self, host: &str, args: &[&str]) -> Said {
        self.said("virsh", &[&[host], args].concat())
    }

    #[track_caller]
    pub fn virsh(&self, host: &str, args: &[&str]) -> String {
        self.command("virsh", &[&[host], args].concat())
    }

    /// Starts a guest and waits for its first word.
    #[track_caller]
    pub fn guest(&self, host: &str, name: &str, words: &[&str]) -> Life {
        self.command("guest", &[&[host, name], words].concat());
        self.life(host, name, None)
    }

    /// `pvm` on a host, to be run or spawned.
    pub fn pvm(&self, host: &str, args: &[&str]) -> Command {
        let mut command = Command::new(script());
        command.args(["exec", self.dir.path().to_str().unwrap(), host, PVM]).args(args);
        command.stdin(std::process::Stdio::null());
        command
    }

    /// Runs `pvm` on a host.
    pub fn run(&self, host: &str, args: &[&str]) -> Said {
        Said::of(&self.pvm(host, args).output().unwrap())
    }

    /// The guest's last line there. With `before`: waits for a higher counter; fails if the number is another one, if the
    /// guest's memory is damaged, or if it stands still.
    #[track_caller]
    pub fn life(&self, host: &str, name: &str, before: Option<&Life>) -> Life {
        let limit = Instant::now() + PATIENCE;
        let log = self.path(&format!("host-{host}/var/log/libvirt/qemu/{name}-serial.log"));
        loop {
            let text = fs::read(&log).map(|b| String::from_utf8_lossy(&b).into_owned()).unwrap_or_default();
            assert!(!text.contains("DAMAGED"), "{name} on {host}: its memory changed: {text}");
            let last = text.lines().filter_map(Life::parse).next_back();
            match (last, before) {
                (Some(now), None) => return now,
                (Some(now), Some(before)) if now.counter > before.counter => {
                    assert_eq!(now.number, before.number, "{name} on {host} is another guest");
                    return now;
                }
                _ => assert!(Instant::now() < limit, "{name} on {host} stands still: {text}"),
            }
            // The guest prints four lines a second to a file.
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// The journals on a host, the one that was written last at the end: name and text.
    pub fn journals(&self, host: &str) -> Vec<(String, String)> {
        let entries =
            ["migrations", "closed"].map(|kind| fs::read_dir(self.path(&format!("host-{host}/var/lib/pvm/{kind}"))));
        let mut found: Vec<_> = entries
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.unwrap())
            .map(|e| {
                let name = e.file_name().to_string_lossy().into_owned();
                (e.metadata().unwrap().modified().unwrap(), name, fs::read_to_string(e.path()).unwrap())
            })
            .collect();
        // Names tell the second only.
        found.sort();
        found.into_iter().map(|(_, name, text)| (name, text)).collect()
    }
}

impl Drop for TwoHosts {
    fn drop(&mut self) {
        // A failure here must not hide that of the test.
        let _ = Command::new(script()).arg("down").arg(self.dir.path()).status();
    }
}

impl Life {
    /// A whole line: the last one may be half written.
    fn parse(line: &str) -> Option<Self> {
        let rest = line.strip_prefix("guest: number=")?;
        let (number, rest) = rest.split_once(" counter=")?;
        let (counter, _) = rest.split_once(" memory=ok")?;
        Some(Self { number: number.to_owned(), counter: counter.parse().ok()? })
    }
}
