//! Options of `pvm migrate` that reach the hypervisor, between two real libvirt daemons. Needs root and the packages that
//! `tests/two-hosts/two-hosts install` installs; a missing part is a failure.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a test runs programs and stops at the first surprise"
)]

#[path = "two-hosts/harness.rs"]
mod harness;

use harness::TwoHosts;

#[test]
fn limits_reach_the_hypervisor_and_one_it_does_not_know_is_refused_before_the_start() {
    let hosts = TwoHosts::up();
    let before = hosts.guest("a", "demo", &[]);
    let version = hosts.virsh("a", &["version", "--daemon"]);
    let line = version.lines().find(|line| line.starts_with("Running against daemon:")).unwrap();
    let mut numbers = line.rsplit(' ').next().unwrap().split('.').map(|number| number.parse::<u32>().unwrap());
    let knows = (numbers.next(), numbers.next()) >= (Some(11), Some(1));

    let said = hosts.run("a", &["migrate", "demo", "host-b", "--yes", "--switchover-bandwidth", "1GiB"]);
    let between = if knows {
        said.ends(0);
        let there = hosts.life("b", "demo", Some(&before));
        hosts.run("b", &["migrate", "demo", "host-a", "--yes"]).ends(0);
        hosts.life("a", "demo", Some(&there))
    } else {
        said.ends(1).complains("--switchover-bandwidth needs libvirt 11.1 on both hosts");
        assert_eq!(hosts.journals("a"), []);
        hosts.life("a", "demo", Some(&before))
    };

    // A guest without devices keeps the hypervisor's limit; one that is named is set.
    let limit = || hosts.virsh("a", &["migrate-getmaxdowntime", "demo"]).trim().to_owned();
    assert_eq!(limit(), "300");
    hosts.run("a", &["migrate", "demo", "host-b", "--dry-run"]).ends(0);
    let mut slow =
        hosts.pvm("a", &["migrate", "demo", "host-b", "--yes", "--max-downtime", "1700ms", "--bandwidth", "1MiB"]);
    let mut slow = slow.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn().unwrap();
    let until = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while limit() != "1700" {
        assert!(std::time::Instant::now() < until, "the limit is {}", limit());
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    assert_eq!(slow.wait().unwrap().code(), Some(0));
    hosts.life("b", "demo", Some(&between));
}
